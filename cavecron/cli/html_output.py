"""Where a command leaves its page: a file, or standard output."""

import argparse
from pathlib import Path

from cavecron.errors import CavecronError, UsageError, reason


def refuse_output_without_html(arguments: argparse.Namespace) -> None:
    """Raise UsageError if -o is given for what is printed."""
    if arguments.output is not None and not arguments.html:
        raise UsageError("-o est pour la page (--html) ; le reste s'affiche : le rediriger par >")


def write_page(page: str, output: str | None) -> None:
    """Write a page into the file `output`, or print it: None and '-' are standard output.

    Raises:
        CavecronError: the file cannot be written.

    """
    if output is None or output == "-":
        print(page, end="")
        return
    path = Path(output)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CavecronError(
            f"{path} : impossible d'écrire la page ({reason(error)}) ; choisir un autre -o"
        ) from error
    print(f"Page écrite dans {path.resolve()}")
