"""`cavecron preview USER`: a report as the user would get it; nothing is sent or recorded."""

import argparse
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cavecron.cellar.database import Database
from cavecron.cellar.reader import recipients, reports
from cavecron.cellar.report import WeeklyReport, as_json
from cavecron.clock import SystemClock
from cavecron.commands.run import load_settings
from cavecron.errors import CavecronError, UsageError, reason
from cavecron.mail.html import html_part
from cavecron.mail.text import text_part


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Write or print the report; exit code 0."""
    if arguments.all and not (arguments.json and arguments.user is None):
        raise UsageError("--all s'emploie avec --json, sans nom d'utilisateur")
    if not arguments.all and arguments.user is None:
        raise UsageError("un utilisateur est attendu : cavecron preview NOM, ou --all --json")
    configured = load_settings(environ)
    at = _instant(arguments.at) if arguments.at else SystemClock().now()
    database = Database(configured.database)
    audience = recipients(database, () if arguments.all else (arguments.user,))
    for report in reports(database, audience.recipients, at=at, zone=configured.zone):
        if arguments.json:
            print(json.dumps(as_json(report), ensure_ascii=False))
        elif arguments.text:
            print(text_part(report, configured.zone, at))
        else:
            _write(Path(arguments.output or _file_name(report)), html_part(report, configured.zone, at))
    return 0


def _instant(text: str) -> datetime:
    """Return the instant, aware; its week lies in the calendar too."""
    try:
        instant = datetime.fromisoformat(text)
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
        _ = instant - timedelta(days=366), instant + timedelta(days=366)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--at {text!r} : un instant ISO 8601 est attendu, comme 2026-11-23T07:00:00Z"
        ) from None
    return instant


def _file_name(report: WeeklyReport) -> str:
    """Return a name that no user name can turn into a path."""
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in report.user.username)
    return f"rapport-{safe[:80]}.html"


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise CavecronError(
            f"{path} : impossible d'écrire la page ({reason(error)}) ; choisir un autre -o"
        ) from error
    print(f"Rapport écrit dans {path.resolve()}")
