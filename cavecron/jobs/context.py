"""What the function of a job is given, and what it returns.

It knows no particular job, and not how a mail is sent: whoever makes a Run hands that in.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run did: a French summary, its lines in detail, and what it could not do for whom.

    `details` says the same for programs. `temporary` says that what failed may succeed when the run is
    tried again soon.
    """

    summary: str
    lines: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    temporary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a job, as its function is given it.

    `deadline` is in seconds of `clock.monotonic`; `halt` returns why the run has to stop, None while it may
    go on. `sender` mails a text: the run, address, subject, text. `users` are names or ids where
    a person asked for some only.
    """

    job: Job
    claim: Claim
    settings: Settings
    database: Database
    deliveries: Deliveries
    clock: Clock
    deadline: float
    halt: Callable[[], CavecronError | None]
    progress: Callable[[int, int], None]
    sender: Callable[["Run", str, str, str], None]
    dry_run: bool = False
    users: tuple[str, ...] = ()

    @property
    def planned(self) -> datetime:
        """Return the instant that the run stands for (aware, UTC): its slot, or when it was asked for."""
        return self.claim.slot

    @property
    def slot(self) -> datetime | None:
        """Return the slot (aware, UTC), None for a run by hand."""
        return None if self.claim.trigger == "manual" else self.claim.slot

    @property
    def key(self) -> str:
        """Return a text that identifies this run; it stays the same when the run is resumed."""
        return f"{self.job.name}.{self.planned:%Y%m%dT%H%M%S.%f}"

    def check(self) -> None:
        """Raise an error if the run may not go on; to be called at safe points.

        Raises:
            StoppedError: cavecron was asked to stop.
            TimeLimitError: the job's time is up.
            LeaseLostError: another process has taken the run over.

        """
        if error := self.halt():
            raise error

    def send(self, to: str, subject: str, text: str) -> None:
        """Mail `text` to one address as the built-in jobs do, once a run; see `jobs.send_mail`."""
        self.sender(self, to, subject, text)
