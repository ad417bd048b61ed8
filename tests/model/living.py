"""Processes of the model's world, how their jobs behave, and rows of the ledger as the oracle reads them."""

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
from tests.model.processes import Mortal, Weather

ROWS = (
    "SELECT id, job, slot, last_slot, slots, trigger, state, coalesce(reason, ''), finished"
    " FROM cavecron_run ORDER BY id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How long an execution lasts, how often it looks up, and how it ends."""

    lasting: float
    step: float
    deaf: bool
    ending: str

    @classmethod
    def drawn(cls, dice: random.Random, *, long_runs: bool) -> "Behaviour":
        """Return how one execution goes."""
        spans = (0.0, dice.uniform(1, 60), dice.uniform(60, 400), dice.uniform(600, 9000))
        (lasting,) = dice.choices(spans, (70, 20, 5, 5 if long_runs else 0))
        return cls(
            lasting=lasting,
            step=max(1.0, lasting / dice.choice((2, 7))),
            deaf=dice.random() < 0.05,
            ending=dice.choices(("good", "temporary", "final", "crash"), (12, 4, 2, 1))[0],
        )

    def end(self) -> None:
        """Return, or raise what an execution ends with."""
        if self.ending == "temporary":
            raise TemporaryError("refus passager")
        if self.ending == "final":
            raise CavecronError("refus définitif")
        if self.ending == "crash":
            raise ValueError("erreur")


@dataclass(slots=True, kw_only=True, eq=False)
class Living:
    """A process with its configuration; `stop` asks it to end."""

    process: Mortal
    settings: Settings
    scheduler: Scheduler | None = None
    controls: dict[str, StopSignal] = field(default_factory=dict)
    registered: bool = False
    work: dict[tuple[int, int], tuple[Execution, Behaviour]] = field(default_factory=dict)

    def stop(self) -> None:
        """Ask it to end, as SIGTERM does."""
        if self.scheduler:
            self.scheduler.stop()
        for control in self.controls.values():
            control.stop()

    def control_of(self, job: str) -> StopSignal:
        """Return what stops the run of a job."""
        return self.controls.setdefault(job, StopSignal())


def seen_state(living: Iterable[Mortal], weather: Weather, owner: str) -> OwnerState:
    """Return what a process sees of another one."""
    if weather.hidden:
        return "unseen"
    return "alive" if any(process.name == owner for process in living) else "dead"


def begun(claim: Claim, process: Mortal, machine: SimulatedMachine) -> Execution:
    """Return an execution that begins now."""
    return Execution(
        job=claim.job,
        slot=claim.slot,
        trigger=claim.trigger,
        run=claim.run,
        attempt=claim.attempt,
        process=process,
        begun=machine.now(),
        begun_awake=machine.monotonic(),
        resumed=process.name.startswith(("resume", "by hand")),
    )


def row(values: Sequence[object]) -> Row:
    """Return what one row says."""
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
