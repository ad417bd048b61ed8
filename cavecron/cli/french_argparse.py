"""argparse in French: its help, its errors, and the types of arguments that several commands share.

It knows no command; `cli` declares them.
"""

import argparse
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo

from cavecron.errors import UsageError

_HEADINGS = {"positional arguments": "arguments", "options": "options"}

#: Messages of argparse in Python 3.11 to 3.13, and their French; any other message stays English.
_WORDINGS = (
    (re.compile(r"the following arguments are required: (.+)"), r"il manque : \1"),
    (re.compile(r"unrecognized arguments: (.+)"), r"argument inconnu : \1"),
    (re.compile(r"(?:argument \S+: )?invalid choice: (.+?) \(choose from .+\)"), r"commande inconnue : \1"),
    (re.compile(r"argument (.+?): expected one argument"), r"\1 : une valeur est attendue"),
    (re.compile(r"argument (.+?): ignored explicit argument (.+)"), r"\1 ne prend pas de valeur, reçu \2"),
    (re.compile(r"argument (.+?): not allowed with argument (.+)"), r"\1 et \2 s'excluent"),
)


class FrenchParser(argparse.ArgumentParser):
    """A parser that helps and complains in French; a wrong command line exits with code 2."""

    def __init__(self, *, prog: str | None = None, description: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            allow_abbrev=False,
            add_help=False,
            formatter_class=_FrenchHelp,
        )
        self.add_argument("-h", "--help", action="help", help="afficher cette aide")

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong and where the help is."""
        for english, french in _WORDINGS:
            if english.fullmatch(message):
                message = english.sub(french, message)
        self.exit(2, f"{self.prog} : {message} ; voir {self.prog} --help\n")


class _FrenchHelp(argparse.HelpFormatter):
    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, "utilisation : " if prefix is None else prefix)

    def start_section(self, heading: str | None) -> None:
        super().start_section(_HEADINGS.get(heading or "", heading))


def instant(option: str, text: str, zone: ZoneInfo) -> datetime:
    """Return the instant in UTC; without an offset it is the local time of `zone`, as in mails and logs.

    Raises:
        UsageError: `option` was given something else, or a year at the calendar's ends.

    """
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        _ = moment - timedelta(days=366), moment + timedelta(days=366)  # a week before, in any zone
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text!r} : un instant ISO 8601 est attendu, comme 2026-11-23T07:00:00Z"
        ) from None
    return moment
