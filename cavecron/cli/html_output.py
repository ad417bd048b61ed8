"""Writing the HTML page of a command into a file, or to standard output."""

import argparse
import sys
from pathlib import Path

from cavecron.atomic_file import PRIVATE, PUBLIC, write_file
from cavecron.errors import CavecronError, UsageError, reason

#: In place of a file's name: the page is printed.
STDOUT = "-"


def refuse_output_without_html(arguments: argparse.Namespace) -> None:
    """Raise UsageError if -o is given without --html."""
    if arguments.output is not None and not arguments.html:
        raise UsageError("-o est pour la page (--html) ; le reste s'affiche : le rediriger par >")


def write_page(page: str, output: str | None, folder: Path, *, private: bool = False) -> None:
    """Write a page into the file `output`, relative to `folder`; None and '-' are standard output.

    The file of a `private` page, which names people, can be read by its owner only.

    Raises:
        CavecronError: the file cannot be written.

    """
    if output is None or output == STDOUT:
        print_page(page)
        return
    path = folder / output
    try:
        write_file(path, page.encode(), mode=PRIVATE if private else PUBLIC)
    except OSError as error:
        raise CavecronError(
            f"{path} : impossible d'écrire la page ({reason(error)}) ; choisir un autre -o"
        ) from error
    print(f"Page écrite dans {path.resolve()}")


def print_page(page: str) -> None:
    """Print the page, which declares UTF-8; as ASCII with references if standard output is not UTF-8."""
    if sys.stdout.encoding.lower().replace("-", "") != "utf8":
        page = page.encode("ascii", "xmlcharrefreplace").decode()
    print(page, end="")
