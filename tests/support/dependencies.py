"""The run-time dependencies of cavecron in pyproject.toml.

`python -m tests.support.dependencies` prints the lowest versions that it allows, as pip's constraints;
.ci/run tests with them. It runs on a bare Python.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def needed() -> dict[str, str]:
    """Return the lowest version of each run-time dependency; each has exactly one bound, and it is lower."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest = {}
    for line in project["dependencies"]:
        bound = re.fullmatch(r"([a-z0-9-]+)>=([0-9.]+)", line)
        assert bound, f"{line}: name>=version is expected"
        lowest[bound[1]] = bound[2]
    return lowest


if __name__ == "__main__":
    print(*(f"{name}=={lowest}" for name, lowest in needed().items()), sep="\n")
