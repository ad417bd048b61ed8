"""How long commands take to start, over a bare interpreter that imports the same modules.

Each command lists the modules that it needs: all that it has imported at its end and that are not cavecron's.
The bare interpreter imports them in the same order.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.figures import Figure, ratio, seconds
from tests.benchmarks.sample import Cellars, fill
from tests.support.commands import environment

#: The program of the installed command.
_COMMAND = "from cavecron.cli.main import entry; entry()"
_LIST_MODULES = """
import sys
started = set(sys.modules)
import os
from cavecron.cli.main import main
try:
    main(sys.argv[1:], os.environ)
except SystemExit:
    pass
for name, module in sys.modules.items():
    ours = name.partition(".")[0] == "cavecron"
    if name not in started and not ours and getattr(module, "__spec__", None) and "-" not in name:
        print(name, file=sys.stderr)
"""


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure `--version`, `next` and the `preview` of a user with 100 wines."""
    path = folder / "wine.db"
    fill(path, Cellars(users=12, wines=100))
    preview = ("preview", "membre1", "-o", str(folder / "page.html"))
    for arguments in (("--version",), ("next",), preview):
        yield _start(path, arguments, runs=3 if quick else 21)


def _start(path: Path, arguments: Sequence[str], runs: int) -> Figure:
    modules = _python(path, _LIST_MODULES, *arguments).split()
    imports = "\n".join(f"import {name}" for name in modules)
    return ratio(
        f"`cavecron {arguments[0]}`, over a bare interpreter that imports the same modules",
        lambda: seconds(lambda: _python(path, _COMMAND, *arguments)),
        lambda: seconds(lambda: _python(path, imports)),
        limit=1.5,
        runs=runs,
    )


def _python(path: Path, program: str, *arguments: str) -> str:
    """Run a program to its end; return its standard error."""
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment(DATABASE_URL=f"sqlite:///{path}"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return result.stderr
