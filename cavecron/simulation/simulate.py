"""The real scheduler on a simulated clock: what would become of each slot, and why.

Jobs are replaced by ones that only last, the ledger lies in memory: nothing is executed, nobody is told.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from zoneinfo import ZoneInfo

from cavecron.config.settings import Settings
from cavecron.french import duration
from cavecron.jobs.job import Function, Job, Run
from cavecron.ledger.history import history
from cavecron.ledger.models import BUSY, HistoryEntry
from cavecron.ledger.store import Ledger
from cavecron.schedule import Schedule, clock_note, next_slot
from cavecron.scheduler.runner import Means
from cavecron.scheduler.scheduler import Scheduler
from cavecron.simulation.machine import (
    KeptDatabase,
    Machine,
    Process,
    StillWorkingError,
    loop_of,
    memory_database,
)

#: How often a simulated run looks whether it has to stop.
_STEP = timedelta(seconds=5)
_ALL = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `begin` until `end`, aware instants of true time."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The wall clock is set `by` so much at an instant of true time (aware)."""

    at: datetime
    by: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens to the machine, and how long each run lasts."""

    period: Period
    down: Sequence[Period] = ()
    asleep: Sequence[Period] = ()
    steps: Sequence[Step] = ()
    lasting: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one slot; `state` is the ledger's, or 'pending'.

    Instants are aware, as the wall clock had them.
    """

    job: str
    slot: datetime
    state: str
    trigger: str
    started: datetime | None = None
    reasons: tuple[str, ...] = ()

    @property
    def late(self) -> timedelta:
        """Return how late it began."""
        return max(self.started - self.slot, timedelta()) if self.started else timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Absence:
    """Wall-clock time in which no slot can be on time, or that comes a second time."""

    begin: datetime
    end: datetime
    why: str

    def about(self, slot: datetime, zone: ZoneInfo) -> Iterator[str]:
        """Yield what is to be said of a slot in this time."""
        if self.begin < slot <= self.end:
            begin, end = self.begin.astimezone(zone), self.end.astimezone(zone)
            yield f"{self.why} ({begin:%d/%m %H:%M} → {end:%d/%m %H:%M})"


@dataclass(slots=True, kw_only=True, eq=False)
class _World:
    """The machine, and the scheduler on it while it is up."""

    settings: Settings
    jobs: Sequence[Job]
    database: KeptDatabase
    machine: Machine
    loop: asyncio.AbstractEventLoop
    absences: list[_Absence] = field(default_factory=list)
    repeats: list[_Absence] = field(default_factory=list)
    _scheduler: Scheduler | None = None
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    _gone: datetime | None = None

    def start(self) -> None:
        process = Process(machine=self.machine, loop=self.loop)
        means = Means(
            settings=self.settings,
            database=self.database,
            ledger=Ledger(database=self.database, owner=f"simulation:{len(self._tasks)}"),
            clock=process,
            threads=process,
        )
        self._scheduler = Scheduler(self.jobs, means=means)
        self._tasks.append(self.loop.create_task(self._scheduler.run()))
        self._back("cavecron était arrêté")

    def stop(self) -> None:
        if self._scheduler:
            self._scheduler.stop()
        self._scheduler, self._gone = None, self.machine.now()

    def sleep(self) -> None:
        self.machine.sleep()
        self._gone = self.machine.now()

    def wake(self) -> None:
        self.machine.wake()
        self._back("la machine dormait")

    def set_clock(self, by: timedelta) -> None:
        before = self.machine.now()
        self.machine.set_clock(by)
        after = self.machine.now()
        if by > timedelta():
            self.absences.append(_Absence(begin=before, end=after, why=f"l'horloge a sauté {duration(by)}"))
        else:
            self.repeats.append(
                _Absence(begin=after, end=before, why=f"l'horloge a reculé de {duration(-by)}")
            )

    def finish(self) -> None:
        """Note who is still away; raise what went wrong in the scheduler."""
        self._back("cavecron est encore arrêté" if self._scheduler is None else "la machine dort encore")
        failed = [error for task in self._tasks if task.done() and (error := task.exception())]
        for error in (*failed, *self.machine.troubles):
            raise error

    def about(self, slot: datetime, *, ran: bool) -> Iterator[str]:
        """Yield why a slot could not be on time, and that it came twice but ran once."""
        for absence in (*self.absences, *(self.repeats if ran else ())):
            yield from absence.about(slot, self.settings.zone)

    def _back(self, why: str) -> None:
        if self._gone:
            self.absences.append(_Absence(begin=self._gone, end=self.machine.now(), why=why))
        self._gone = None


def simulate(settings: Settings, jobs: Sequence[Job], scenario: Scenario) -> list[Fate]:
    """Return the fate of each slot of the period, in order, with the jobs and schedules of `settings`."""
    machine = Machine(scenario.period.begin)
    lasting = [replace(job, function=_lasting(scenario.lasting)) for job in jobs]
    with loop_of(machine) as loop:
        world = _World(
            settings=_silent(settings), jobs=lasting, database=memory_database(), machine=machine, loop=loop
        )
        _arrange(world, scenario)
        loop.run_forever()
        world.finish()
        entries = history(Ledger(database=world.database), most=_ALL)
        return _fates(settings, entries, world, scenario.period.begin)


def _silent(settings: Settings) -> Settings:
    """Return the settings without anybody who would be told of a run."""
    jobs = {name: replace(job, ping_url=None) for name, job in settings.jobs.items()}
    return replace(settings, jobs=jobs, alert_to=None)


def _lasting(span: timedelta) -> Function:
    """Return the function of a job that does nothing for so long, and stops when it is told to."""
    begun: dict[tuple[int, int], float] = {}

    def function(run: Run) -> str:
        begin = begun.setdefault((run.claim.run, run.claim.attempt), run.clock.monotonic())
        run.check()
        left = span - timedelta(seconds=run.clock.monotonic() - begin)
        if left > timedelta():
            raise StillWorkingError(min(left, _STEP))
        return ""

    return function


def _arrange(world: _World, scenario: Scenario) -> None:
    """Have everything happen at its time."""
    machine = world.machine
    machine.at(scenario.period.begin, world.start)
    for period in scenario.down:
        machine.at(period.begin, world.stop, jolt=True)
        machine.at(period.end, world.start, jolt=True)
    for period in scenario.asleep:
        machine.at(period.begin, world.sleep, jolt=True)
        machine.at(period.end, world.wake, jolt=True)
    for step in scenario.steps:
        machine.at(step.at, partial(world.set_clock, step.by), jolt=True)
    machine.end_at(scenario.period.end)


def _fates(settings: Settings, entries: Sequence[HistoryEntry], world: _World, begin: datetime) -> list[Fate]:
    """Return the fate of each slot that the ledger knows, or that passed by the wall clock."""
    known: dict[tuple[datetime, str], HistoryEntry | None] = {}
    end = world.machine.now()
    for name, job in settings.jobs.items():
        if job.enabled:
            known |= {(slot, name): None for slot in _slots(job.schedule, begin, end)}
    for past in entries:
        schedule = settings.jobs[past.job].schedule
        slots = _slots(schedule, past.slot - timedelta.resolution, past.last_slot)
        known |= {(slot, past.job): past for slot in slots}
    fates = []
    previous: dict[str, HistoryEntry] = {}
    for (slot, name), entry in sorted(known.items(), key=itemgetter(0)):
        told = [*_busy(previous.get(name), slot), *world.about(slot, ran=_ran(entry))]
        fates.append(_fate(slot, name, entry, [clock_note(settings.jobs[name].schedule, slot), *told]))
        if entry and _ran(entry):
            previous[name] = entry
    return fates


def _ran(entry: HistoryEntry | None) -> bool:
    return entry is not None and entry.state != "missed"


def _busy(previous: HistoryEntry | None, slot: datetime) -> Iterator[str]:
    """Yield that the run before was still going on at this slot, if it was."""
    if previous and previous.started and previous.finished and previous.started < slot <= previous.finished:
        yield BUSY


def _slots(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    slot = next_slot(schedule, after)
    while slot and slot <= until:
        yield slot
        slot = next_slot(schedule, slot)


def _fate(slot: datetime, job: str, entry: HistoryEntry | None, told: list[str]) -> Fate:
    if entry and entry.attempt > 1:
        told.append(f"interrompu et repris : {entry.attempt} tentatives")
    if entry and entry.reason:
        told.append(entry.reason)
    reasons = tuple(text for text in dict.fromkeys(told) if text)
    if entry is None:
        return Fate(job=job, slot=slot, state="pending", trigger="slot", reasons=reasons)
    return Fate(
        job=job,
        slot=slot,
        state=entry.state,
        trigger=entry.trigger,
        started=entry.started,
        reasons=reasons,
    )
