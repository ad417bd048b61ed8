"""Running the commands that a page shows, and comparing their output with the page.

A `console` block shows commands after `$ ` and what they print, where … stands for anything, and a line of
its own for any lines. A `sh` block only has to succeed.
"""

import re
from collections.abc import Iterator

from tests.support.readme import Block
from tests.support.sandbox import Sandbox


def problems_of(block: Block, sandbox: Sandbox) -> list[str]:
    """Run a block; return the differences from the page."""
    if block.kind == "sh":
        code, printed = sandbox.run(f"set -e\n{block.text}")
        return [f"exit code {code}: {printed}"] if code else []
    problems = []
    for command, shown in commands(block.text):
        _, printed = sandbox.run(command)
        if not matches(shown, printed):
            problems.append(f"$ {command}\nshown:\n{shown}\nprinted:\n{printed}")
    return problems


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with what is shown after it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def matches(shown: str, printed: str) -> bool:
    """Return whether `printed` is what the page shows."""
    pattern = "".join(
        "(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".+") + "\n"
        for line in shown.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None
