"""The argument of a job's function, `Run`, and its result, `Outcome`.

It knows no particular job, and not how a mail is sent: whoever creates a Run passes a function for that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cavecron.clock import Clock
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.job import Job
from cavecron.ledger.deliveries import Deliveries
from cavecron.ledger.models import Claim
from cavecron.ledger.store import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a run: a French summary, French lines with details, and a line for each failure.

    `details` has the same as values for programs. `temporary` says that the failures may not occur again if
    the run is tried again soon.
    """

    summary: str
    lines: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    temporary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a job; the argument of its function.

    `deadline` is in seconds of `clock.monotonic`. `stop_error` returns the error with which the run has to
    stop, None while it may continue. `progress` takes how many steps are done, and how many there are.
    `send_text` mails a text; it takes the run, the address, the subject and the text. `users` are the names
    or ids that `--user` gave.
    """

    job: Job
    claim: Claim
    settings: Settings
    database: Database
    deliveries: Deliveries
    clock: Clock
    deadline: float
    stop_error: Callable[[], CavecronError | None]
    progress: Callable[[int, int], None]
    send_text: Callable[["Run", str, str, str], None]
    dry_run: bool = False
    users: tuple[str, ...] = ()

    @property
    def ledger(self) -> Ledger:
        """Return cavecron's own tables."""
        return self.deliveries.ledger

    @property
    def planned(self) -> datetime:
        """Return the run's slot, or, for a run by hand, when it was requested (aware, UTC)."""
        return self.claim.slot

    @property
    def slot(self) -> datetime | None:
        """Return the slot (aware, UTC), None for a run by hand."""
        return None if self.claim.trigger == "manual" else self.claim.slot

    @property
    def key(self) -> str:
        """Return a text that identifies this run; a resumed run keeps it."""
        return f"{self.job.name}.{self.planned:%Y%m%dT%H%M%S.%f}"

    def check(self) -> None:
        """Raise an error if the run has to stop; a job calls it at safe points.

        Raises:
            StoppedError: cavecron was asked to stop.
            TimeLimitError: the job's time is up.
            LeaseLostError: another process has taken the run over.

        """
        if error := self.stop_error():
            raise error

    def send(self, to: str, subject: str, text: str) -> None:
        """Mail `text` to one address, once in each run; see `jobs.send_mail`."""
        self.send_text(self, to, subject, text)
