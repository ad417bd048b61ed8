"""French phrases that `status`, `history` and `next` share. Pure."""

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
#: Stands before the number of mails that were sent again because they may not have arrived.
REPEATED = "mails au sort inconnu, envoyés à nouveau sous le même Message-ID"


class PastRun(Protocol):
    """What the ledger's history and the facts both have of a run; instants are aware."""

    @property
    def slot(self) -> datetime:
        """Return the instant that it was planned for."""

    @property
    def trigger(self) -> str:
        """Return what started it: `slot`, `replay` or `manual`."""

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
    """Return in French what started a run, when in `zone`, how late it was, its duration and its attempts."""
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
    """Return in French that another attempt follows at an instant (aware), shown in `zone`."""
    return f"nouvelle tentative à {at.astimezone(zone):%H:%M:%S}"


def disabled(variable: str) -> str:
    """Return in French that a job is disabled, and the variable that does it."""
    return f"désactivé ({variable})"


def distance(span: timedelta) -> str:
    """Return in French how far ahead an instant is, or, for a negative span, how long ago it was."""
    return f"dans {duration(span)}" if span >= timedelta() else f"il y a {duration(-span)}"
