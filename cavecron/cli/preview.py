"""`cavecron preview USER`: the report of a user as it would be sent; nothing is sent or recorded."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from unicodedata import normalize

from cavecron.appdb.recipients import recipients
from cavecron.appdb.reports import build_reports
from cavecron.appdb.tables import CELLAR, require
from cavecron.atomic_file import PRIVATE, write_file
from cavecron.cli.french_argparse import instant
from cavecron.cli.html_output import STDOUT, print_page
from cavecron.clock import SystemClock
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError, UsageError, reason
from cavecron.jobs.loader import load, working_directory
from cavecron.report.html import html_part
from cavecron.report.message import fitting_page
from cavecron.report.model import WeeklyReport, as_json
from cavecron.report.text import text_part
from cavecron.text import to_json


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Write or print the report; exit code 0."""
    _check_arguments(arguments)
    folder = working_directory()  # before a file of jobs is executed, which may change it
    configured, _jobs = load(environ)
    at = SystemClock().now() if arguments.at is None else instant("--at", arguments.at, configured.zone)
    database = Database(configured.database)
    require(database, CELLAR)
    recipient_list = recipients(database, () if arguments.all else (arguments.user,))
    for report in build_reports(database, recipient_list.recipients, at=at, zone=configured.zone):
        if arguments.json:
            print(to_json(as_json(report)))
            continue
        page = fitting_page(report, configured.zone, at)
        if arguments.text:
            print(text_part(page), end="")
        elif arguments.output == STDOUT:
            print_page(html_part(page))
        else:
            _write(arguments.output or _file_name(report), html_part(page), folder)
    return 0


def _check_arguments(arguments: argparse.Namespace) -> None:
    """Raise UsageError if the options contradict each other."""
    if arguments.all and not (arguments.json and arguments.user is None):
        raise UsageError("--all s'emploie avec --json, sans nom d'utilisateur")
    if not arguments.all and arguments.user is None:
        raise UsageError("un utilisateur est attendu : cavecron preview NOM, ou --all --json")
    if arguments.output is not None and (arguments.text or arguments.json):
        raise UsageError("-o est pour la page HTML ; --text et --json s'affichent : les rediriger par >")


def _file_name(report: WeeklyReport) -> str:
    """Return a file name that is safe and short enough, whatever the user's name is."""
    letters = normalize("NFC", report.user.username)
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in letters)
    short = safe.encode()[:160].decode(errors="ignore")
    return f"rapport-{short}.html"


def _write(output: str, page: str, folder: Path) -> None:
    """Write a page into the file `output`, relative to `folder`."""
    try:
        write_file(folder / output, page.encode("utf-8", "replace"), mode=PRIVATE)
    except FileNotFoundError as error:
        raise CavecronError(f"{output} : son dossier n'existe pas ; choisir un autre -o") from error
    except OSError as error:
        raise CavecronError(
            f"{output} : impossible d'écrire la page ({reason(error)}) ; choisir un autre -o"
        ) from error
    print(f"Rapport écrit dans {(folder / output).resolve()}")
