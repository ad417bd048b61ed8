"""The words that status, history and the list of coming slots have in common.

Pure.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from cavecron.french import duration

STATES: Mapping[str, str] = {
    "running": "en cours",
    "succeeded": "réussi",
    "failed": "échec",
    "interrupted": "interrompu",
    "missed": "manqué",
}
TRIGGERS: Mapping[str, str] = {"slot": "créneau", "replay": "rattrapage", "manual": "à la main"}
#: What stands before the number of mails that went out twice in doubt.
REPEATED = "mails au sort inconnu, envoyés à nouveau sous le même Message-ID"


class PastRun(Protocol):
    """A run as the ledger's history and the facts have it; instants are aware."""

    @property
    def slot(self) -> datetime:
        """Return its planned instant."""

    @property
    def trigger(self) -> str:
        """Return why it came about."""

    @property
    def started(self) -> datetime | None:
        """Return when its first attempt began."""

    @property
    def finished(self) -> datetime | None:
        """Return when it ended."""

    @property
    def attempt(self) -> int:
        """Return how many attempts it took."""


def circumstances(run: PastRun, zone: ZoneInfo) -> list[str]:
    """Return how a run came about, how late, and how long it took."""
    words = [TRIGGERS.get(run.trigger, run.trigger)]
    if run.started:
        words.append(f"démarré à {run.started.astimezone(zone):%H:%M:%S}")
        if run.trigger != "manual":
            words.append(f"retard {duration(max(run.started - run.slot, timedelta()))}")
        if run.finished:
            words.append(f"durée {duration(max(run.finished - run.started, timedelta()))}")
    if run.attempt > 1:
        words.append(f"tentative {run.attempt}")
    return words


def retry(at: datetime, zone: ZoneInfo) -> str:
    """Return that another attempt follows at an instant (aware)."""
    return f"nouvelle tentative à {at.astimezone(zone):%H:%M:%S}"


def disabled(variable: str) -> str:
    """Return that a job is disabled, and by which variable."""
    return f"désactivé ({variable})"


def distance(span: timedelta) -> str:
    """Return how far an instant is ahead, or how long ago it was."""
    return f"dans {duration(span)}" if span >= timedelta() else f"il y a {duration(-span)}"
