"""Which CSS Gmail, Outlook and Apple Mail support: an extract of the npm package caniemail 1.0.5.

Its data is of 2025-09-09. `python -m tests.support.caniemail node_modules/caniemail/data/caniemail.json`
prints the extract anew, from whatever version of the package was installed by hand; it is no part of
cavecron.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

#: One letter for each client, in this order: y supported, a partly, n not, u unknown.
CLIENTS = (
    *(f"gmail {where}" for where in ("desktop-webmail", "ios", "android", "mobile-webmail")),
    *(f"outlook {where}" for where in ("windows", "windows-mail", "macos", "outlook-com", "ios", "android")),
    *(f"apple-mail {where}" for where in ("macos", "ios")),
)
#: The properties that the mail uses, and some that it would be tempting to use. `color` has no entry.
SUPPORT: Mapping[str, str] = {
    "background-color": "yyyyyyyyyyyy",
    "border-radius": "yyyynnyyyyyy",
    "display": "yaayaayyyyyy",
    "font": "yyyyyyyyyyyy",
    "font-size": "yyyyaayyyyyy",
    "font-weight": "yyyyaayyyyyy",
    "line-height": "yyyyaayyyyyy",
    "margin": "aaaaaaaaaayy",
    "max-width": "yyyyaayyyyyy",
    "overflow-wrap": "nnnunnnnnnaa",
    "padding": "yyyyaayyyyyy",
    "table-layout": "yyyunnnyyyyy",
    "white-space": "yaaynnyyyyyy",
    "word-break": "yaaaynaaaaaa",
}
#: Where the data has one entry for several properties.
UNDER: Mapping[str, str] = {"font-family": "font"}


def extract(path: Path, properties: Mapping[str, str]) -> dict[str, str]:
    """Return the table above for these properties, from the package's own file."""
    features = {entry["slug"]: entry["stats"] for entry in json.loads(path.read_text())["data"]}
    table = {}
    for name in sorted(properties):
        stats = features[f"css-{name}"]
        versions = [stats[client.split()[0]][client.split()[1]] for client in CLIENTS]
        table[name] = "".join(list(version.values())[-1][0] for version in versions)
    return table


if __name__ == "__main__":
    print(json.dumps(extract(Path(sys.argv[1]), SUPPORT), indent=4))
