"""What a job is, and what a run of it is given.

It knows no particular job, no schedule and no table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cavecron.cellar.database import Database
from cavecron.clock import Clock
from cavecron.errors import StoppedError, TimeLimitError
from cavecron.settings import JOB_VARIABLES, Settings

Option = Literal["dry_run", "users"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run did: a French summary, its lines in detail, and what it could not do for whom.

    `details` says the same for programs.
    """

    summary: str
    lines: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A named function; `options` are those of `cavecron run` that it understands."""

    name: str
    title: str
    function: Callable[["Run"], Outcome]
    options: frozenset[Option] = frozenset()


def _silent(done: int, total: int) -> None:
    """Tell nobody how far the run has come."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a job.

    `planned` is the instant it stands for (aware, UTC); `deadline` is in seconds of `clock.monotonic`.
    """

    job: Job
    planned: datetime
    settings: Settings
    database: Database
    clock: Clock
    deadline: float
    stopping: Callable[[], bool] = _never
    progress: Callable[[int, int], None] = _silent
    dry_run: bool = False
    users: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return what tells this run from every other one, the same when it is taken up again."""
        return f"{self.job.name}.{self.planned:%Y%m%dT%H%M%S.%f}"

    def check(self) -> None:
        """Return at a safe point if the run may go on.

        Raises:
            StoppedError: cavecron was asked to stop.
            TimeLimitError: the job's time is up.

        """
        if self.stopping():
            raise StoppedError(f"{self.job.title} : arrêt demandé, le job s'est interrompu")
        if self.clock.monotonic() > self.deadline:
            limit = self.settings.time_limits[self.job.name]
            variable = f"SCHEDULER_{JOB_VARIABLES[self.job.name]}_TIMEOUT"
            raise TimeLimitError(f"{self.job.title} : durée limite de {limit} s dépassée ({variable})")
