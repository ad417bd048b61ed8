"""What a job is, how one is declared, and what a run of it is given.

It knows no particular job's code: built-in ones are named here and imported when they run, so that an
idle scheduler does not hold in memory what it needs once a week.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from cavecron.clock import Clock
from cavecron.config.settings import BUILT_IN, JobDefaults, Settings, check_defaults
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError, UsageError
from cavecron.text import nearest

if TYPE_CHECKING:  # a command that runs no job, like `next`, does without the ledger
    from cavecron.ledger.deliveries import Deliveries
    from cavecron.ledger.models import Claim

Option = Literal["dry_run", "users"]
#: A job of one's own takes a Run and returns its summary, or nothing; it may be a coroutine function.
Function = Callable[["Run"], Any]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")


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
class Job:
    """A function and when it runs by default; `options` are those of `cavecron run` that it understands.

    Calling a Job calls its function.
    """

    name: str
    title: str
    function: Function
    defaults: JobDefaults
    options: frozenset[Option] = frozenset()

    def __call__(self, run: "Run") -> Any:
        """Do the job's work, as a test of a job of one's own does it."""
        return self.function(run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a job, as its function is given it.

    `deadline` is in seconds of `clock.monotonic`; `halt` returns why the run has to stop, None while it may
    go on. `users` are names or ids where a person asked for some only.
    """

    job: Job
    claim: "Claim"
    settings: Settings
    database: Database
    deliveries: "Deliveries"
    clock: Clock
    deadline: float
    halt: Callable[[], CavecronError | None]
    progress: Callable[[int, int], None]
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
        notice = importlib.import_module("cavecron.jobs.send_mail")
        notice.send(self, to, subject, text)


def _imported(module: str) -> Function:
    def function(run: Run) -> Outcome:
        work = importlib.import_module(f"cavecron.jobs.{module}")
        outcome: Outcome = getattr(work, module)(run)
        return outcome

    return function


WEEKLY_REPORTS = Job(
    name="weekly_reports",
    title="envoi des rapports hebdomadaires",
    function=_imported("weekly_reports"),
    defaults=BUILT_IN[0],
    options=frozenset({"dry_run", "users"}),
)
CLEANUP = Job(
    name="cleanup",
    title="nettoyage des anciennes données",
    function=_imported("cleanup"),
    defaults=BUILT_IN[1],
    options=frozenset({"dry_run"}),
)
BUILT_IN_JOBS = (WEEKLY_REPORTS, CLEANUP)


def named_job(jobs: Sequence[Job], name: str) -> Job:
    """Return the job called `name`.

    Raises:
        UsageError: there is none; the nearest one is offered.

    """
    known = {job.name: job for job in jobs}
    if name not in known:
        raise UsageError(f"job inconnu : {name!r} (vouliez-vous dire {nearest(name, known, cutoff=0)} ?)")
    return known[name]


class JobError(ValueError):
    """A declaration makes no sense; the text says why in French."""


def job(
    name: str,
    *,
    title: str = "",
    day: str = "*",
    hour: int = 0,
    minute: int = 0,
    cron: str = "",
) -> Callable[[Function], Job]:
    """Declare a job: `@job("low_stock", title="alerte de stock bas", day="mon", hour=9, minute=0)`.

    `title` is what the log calls it. `day`, `hour` and `minute`, or `cron`, say when it runs where the
    environment (`SCHEDULER_<NAME>_…`) says nothing; by default every day at midnight.

    Raises:
        JobError: the name, the schedule or the function makes no sense.

    """

    def declare(function: Function) -> Job:
        _check_name(name)
        _check_signature(function)
        defaults = JobDefaults(name=name, prefix=name.upper(), day=day, hour=hour, minute=minute, cron=cron)
        try:
            check_defaults(defaults)
        except ValueError as error:
            raise JobError(f"job {name!r} : {error}") from error
        return Job(name=name, title=title or name, function=function, defaults=defaults)

    return declare


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise JobError(
            f"job {name!r} : un nom en minuscules, chiffres et _ est attendu, comme 'alerte_stock'"
        )


def _check_signature(function: object) -> None:
    if not callable(function):
        raise JobError(f"@job attend une fonction, pas {function!r}")
    try:
        inspect.signature(function).bind(object())
    except (TypeError, ValueError) as error:
        name = getattr(function, "__name__", repr(function))
        raise JobError(f"{name}() doit accepter un seul argument, le Run : def {name}(run)") from error
