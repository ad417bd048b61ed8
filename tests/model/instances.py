"""Processes of the simulation, the behaviour of their jobs, and rows of the ledger for the oracle."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cavecron.config.settings import Settings
from cavecron.database.timestamps import read_utc
from cavecron.errors import CavecronError, TemporaryError
from cavecron.ledger.models import Claim
from cavecron.ledger.process_id import OwnerState
from cavecron.scheduler.context import StopSignal
from cavecron.scheduler.scheduler import Scheduler
from cavecron.simulation.machine import SimulatedMachine
from tests.model.oracle import Execution, Row
from tests.model.processes import Faults, KillableProcess

ROWS = (
    "SELECT id, job, slot, last_slot, slots, trigger, state, coalesce(reason, ''), finished"
    " FROM cavecron_run ORDER BY id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How long an execution lasts, how often it calls `Run.check`, and how it ends."""

    duration: float
    step: float
    ignores_stop: bool
    ending: str

    @classmethod
    def draw(cls, generator: random.Random, *, long_runs: bool) -> "Behaviour":
        """Return the random behaviour of one execution."""
        spans = (0.0, generator.uniform(1, 60), generator.uniform(60, 400), generator.uniform(600, 9000))
        (duration,) = generator.choices(spans, (70, 20, 5, 5 if long_runs else 0))
        return cls(
            duration=duration,
            step=max(1.0, duration / generator.choice((2, 7))),
            ignores_stop=generator.random() < 0.05,
            ending=generator.choices(("good", "temporary", "final", "crash"), (12, 4, 2, 1))[0],
        )

    def end(self) -> None:
        """Return normally, or raise the error with which an execution ends."""
        if self.ending == "temporary":
            raise TemporaryError("refus passager")
        if self.ending == "final":
            raise CavecronError("refus définitif")
        if self.ending == "crash":
            raise ValueError("erreur")


@dataclass(slots=True, kw_only=True, eq=False)
class Instance:
    """A process with its configuration."""

    process: KillableProcess
    settings: Settings
    scheduler: Scheduler | None = None
    stop_signals: dict[str, StopSignal] = field(default_factory=dict)
    registered: bool = False
    work: dict[tuple[int, int], tuple[Execution, Behaviour]] = field(default_factory=dict)

    def stop(self) -> None:
        """Ask it to end, as SIGTERM does."""
        if self.scheduler:
            self.scheduler.stop()
        for stop_signal in self.stop_signals.values():
            stop_signal.stop()

    def signal_of(self, job: str) -> StopSignal:
        """Return the stop signal for the run of a job."""
        return self.stop_signals.setdefault(job, StopSignal())


def visible_state(processes: Iterable[KillableProcess], faults: Faults, owner: str) -> OwnerState:
    """Return the state of another process as a process sees it."""
    if faults.hidden:
        return "unseen"
    return "alive" if any(process.name == owner for process in processes) else "dead"


def new_execution(claim: Claim, process: KillableProcess, machine: SimulatedMachine) -> Execution:
    """Return an execution that starts now."""
    return Execution(
        job=claim.job,
        slot=claim.slot,
        trigger=claim.trigger,
        run=claim.run,
        attempt=claim.attempt,
        process=process,
        started=machine.now(),
        started_monotonic=machine.monotonic(),
        resumed=process.name.startswith(("resume", "by hand")),
    )


def row(values: Sequence[object]) -> Row:
    """Return one row of the ledger."""
    number, job, slot, last, count, trigger, state, reason, finished = values
    return Row(
        id=int(str(number)),
        job=str(job),
        slot=_instant(slot),
        last=_instant(last),
        slots=int(str(count)),
        trigger=str(trigger),
        state=str(state),
        reason=str(reason),
        finished=read_utc(finished),
    )


def _instant(stored: object) -> datetime:
    instant = read_utc(stored)
    assert instant
    return instant
