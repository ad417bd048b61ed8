"""argparse in French: its help, its errors, and values that several commands take: numbers and instants.

Pure: it knows no command; `cli.arguments` declares them.
"""

import argparse
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from zoneinfo import ZoneInfo

from cavecron.config.parsing import int_in_range
from cavecron.errors import UsageError

_HEADINGS = {"positional arguments": "arguments", "options": "options"}

#: Messages of argparse in Python 3.11 to 3.13 and their translations; other messages stay English.
_WORDINGS = (
    (re.compile(r"the following arguments are required: (.+)"), r"il manque : \1"),
    (re.compile(r"unrecognized arguments: (.+)"), r"argument inconnu : \1"),
    (re.compile(r"(?:argument \S+: )?invalid choice: (.+?) \(choose from .+\)"), r"commande inconnue : \1"),
    (re.compile(r"argument (.+?): expected one argument"), r"\1 : une valeur est attendue"),
    (re.compile(r"argument (.+?): ignored explicit argument (.+)"), r"\1 ne prend pas de valeur, reçu \2"),
    (re.compile(r"argument (.+?): not allowed with argument (.+)"), r"\1 et \2 s'excluent"),
)


class FrenchParser(argparse.ArgumentParser):
    """A parser whose help and errors are in French; a wrong command line exits with code 2."""

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
        """Exit with code 2 after one line with the error and how to get help."""
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


def number(option: str, text: str, most: int) -> int:
    """Return the number that `option` was given; raises UsageError unless it is from 1 to `most`."""
    value = int_in_range(text, 1, most)
    if value is None:
        raise UsageError(f"{option} {text!r} : un nombre de 1 à {most} est attendu")
    return value


def instant(option: str, text: str, zone: ZoneInfo) -> datetime:
    """Return an ISO 8601 instant as an aware one in UTC; without an offset it is local time of `zone`.

    Raises:
        UsageError: the value of `option` is no instant, or less than a year from the calendar's ends.

    """
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        _ = moment - timedelta(days=366), moment + timedelta(days=366)  # may raise OverflowError
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text!r} : un instant ISO 8601 est attendu, comme 2026-11-23T07:00:00Z"
        ) from None
    return moment
