"""Running the real scheduler on a simulated machine to predict the outcome of each slot, and why.

Each job is replaced by one that does nothing for some time, and the ledger is in memory: no job is executed,
and nothing is sent.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from operator import itemgetter
from zoneinfo import ZoneInfo

from cavecron.config.settings import Settings
from cavecron.french import duration
from cavecron.jobs.context import Run
from cavecron.jobs.job import Function, Job
from cavecron.ledger.history import history
from cavecron.ledger.models import BUSY, HistoryEntry
from cavecron.ledger.store import Ledger
from cavecron.schedule import Schedule, count_slots, slots_after
from cavecron.schedule.describe import clock_note
from cavecron.scheduler.context import RunContext
from cavecron.scheduler.scheduler import Scheduler
from cavecron.simulation.machine import (
    InMemoryDatabase,
    NotDoneYet,
    Process,
    SimulatedMachine,
    loop_of,
    memory_database,
)
from cavecron.simulation.models import Scenario, SlotOutcome

#: How often a simulated run checks whether it has to stop.
_CHECK_INTERVAL = timedelta(seconds=5)
#: More entries than a history can have.
_ALL = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Downtime:
    """A period of wall-clock time in which no slot can be on time, or that comes twice."""

    begin: datetime
    end: datetime
    why: str

    def reasons(self, slot: datetime, zone: ZoneInfo) -> Iterator[str]:
        """Yield the French reason if `slot` (aware) is in this period."""
        if self.begin < slot <= self.end:
            begin, end = self.begin.astimezone(zone), self.end.astimezone(zone)
            yield f"{self.why} ({begin:%d/%m %H:%M} → {end:%d/%m %H:%M})"


@dataclass(slots=True, kw_only=True, eq=False)
class _Simulation:
    """The machine, and the scheduler on it while it is up."""

    settings: Settings
    jobs: Sequence[Job]
    database: InMemoryDatabase
    machine: SimulatedMachine
    loop: asyncio.AbstractEventLoop
    sessions: ExitStack
    downtimes: list[_Downtime] = field(default_factory=list)
    repeats: list[_Downtime] = field(default_factory=list)
    _scheduler: Scheduler | None = None
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    _down_since: datetime | None = None

    def start(self) -> None:
        process = Process(machine=self.machine, loop=self.loop)
        ledger = Ledger(database=self.database, owner=f"simulation:{len(self._tasks)}")
        # Nobody else writes the ledger, so that it need not be checked before each transaction.
        self.sessions.enter_context(ledger.session())
        context = RunContext(
            settings=self.settings,
            database=self.database,
            ledger=ledger,
            clock=process,
            threads=process,
        )
        self._scheduler = Scheduler(self.jobs, context=context)
        self._tasks.append(process.run(self._scheduler.run()))
        self._resume("cavecron était arrêté")

    def stop(self) -> None:
        if self._scheduler:
            self._scheduler.stop()
        self._scheduler, self._down_since = None, self.machine.now()

    def sleep(self) -> None:
        self.machine.sleep()
        self._down_since = self.machine.now()

    def wake(self) -> None:
        self.machine.wake()
        self._resume("la machine dormait")

    def set_clock(self, by: timedelta) -> None:
        before = self.machine.now()
        self.machine.set_clock(by)
        after = self.machine.now()
        if by > timedelta():
            self.downtimes.append(_Downtime(begin=before, end=after, why=f"l'horloge a sauté {duration(by)}"))
        else:
            self.repeats.append(
                _Downtime(begin=after, end=before, why=f"l'horloge a reculé de {duration(-by)}")
            )

    def finish(self) -> None:
        """End a downtime that still lasts; raise the first error of the scheduler."""
        self._resume("cavecron est encore arrêté" if self._scheduler is None else "la machine dort encore")
        failed = [error for task in self._tasks if task.done() and (error := task.exception())]
        for error in (*failed, *self.machine.errors):
            raise error

    def reasons(self, slot: datetime, *, was_executed: bool) -> Iterator[str]:
        """Yield in French why `slot` (aware) could not be on time, or why it came twice and ran once."""
        for downtime in (*self.downtimes, *(self.repeats if was_executed else ())):
            yield from downtime.reasons(slot, self.settings.zone)

    def _resume(self, why: str) -> None:
        if self._down_since:
            self.downtimes.append(_Downtime(begin=self._down_since, end=self.machine.now(), why=why))
        self._down_since = None


def simulate(settings: Settings, jobs: Sequence[Job], scenario: Scenario) -> list[SlotOutcome]:
    """Return the outcome of each slot of the period in order of time, with the schedules of `settings`."""
    machine = SimulatedMachine(scenario.period.begin)
    simulated = [replace(job, function=_lasting(scenario.lasting), on_given_up=None) for job in jobs]
    with ExitStack() as sessions, loop_of(machine) as loop:
        simulation = _Simulation(
            settings=_silent(settings),
            jobs=simulated,
            database=memory_database(),
            machine=machine,
            loop=loop,
            sessions=sessions,
        )
        _schedule_events(simulation, scenario)
        loop.run_forever()
        simulation.finish()
        entries = history(Ledger(database=simulation.database), most=_ALL)
        return _outcomes(settings, entries, simulation, scenario.period.begin)


def _silent(settings: Settings) -> Settings:
    """Return the settings without notifications."""
    jobs = {name: replace(job, ping_url=None) for name, job in settings.jobs.items()}
    return replace(settings, jobs=jobs, alert_to=None, status_dir=None)


def _lasting(span: timedelta) -> Function:
    """Return the function of a job that does nothing for `span` of awake time, unless it is stopped."""
    started: dict[tuple[int, int], float] = {}

    def function(run: Run) -> str:
        begin = started.setdefault((run.claim.run, run.claim.attempt), run.clock.monotonic())
        run.check()
        remaining = span - timedelta(seconds=run.clock.monotonic() - begin)
        if remaining > timedelta():
            raise NotDoneYet(min(remaining, _CHECK_INTERVAL))
        return ""

    return function


def _schedule_events(simulation: _Simulation, scenario: Scenario) -> None:
    """Schedule everything that happens to the machine."""
    machine = simulation.machine
    machine.at(scenario.period.begin, simulation.start)
    for period in scenario.down:
        machine.at(period.begin, simulation.stop, interrupts=True)
        machine.at(period.end, simulation.start, interrupts=True)
    for period in scenario.asleep:
        machine.at(period.begin, simulation.sleep, interrupts=True)
        machine.at(period.end, simulation.wake, interrupts=True)
    for step in scenario.steps:
        machine.at(step.at, partial(simulation.set_clock, step.by), interrupts=True)
    machine.end_at(scenario.period.end)


def _outcomes(
    settings: Settings, entries: Sequence[HistoryEntry], simulation: _Simulation, begin: datetime
) -> list[SlotOutcome]:
    """Return the outcome of each slot that the ledger knows, or that passed by the wall clock."""
    now = simulation.machine.now()
    entry_by_slot: dict[tuple[datetime, str], HistoryEntry | None] = {
        (slot, entry.job): entry
        for entry in entries
        for slot in _slots_of(entry, settings.jobs[entry.job].schedule)
    }
    recorded = Counter(name for slot, name in entry_by_slot if begin < slot <= now)
    for name, job in settings.jobs.items():
        if job.enabled and recorded[name] < count_slots(job.schedule, begin, now):
            for slot in _slots_until(job.schedule, begin, now):
                entry_by_slot.setdefault((slot, name), None)
    outcomes = []
    previous: dict[str, HistoryEntry] = {}
    for (slot, name), entry in sorted(entry_by_slot.items(), key=itemgetter(0)):
        was_executed = entry is not None and entry.state != "missed"
        reasons = [*_busy(previous.get(name), slot), *simulation.reasons(slot, was_executed=was_executed)]
        outcomes.append(
            _outcome(slot, name, entry, [clock_note(settings.jobs[name].schedule, slot), *reasons])
        )
        if entry and was_executed:
            previous[name] = entry
    return outcomes


def _busy(previous: HistoryEntry | None, slot: datetime) -> Iterator[str]:
    """Yield the reason BUSY if the previous run had not ended at this slot."""
    if previous and previous.started and previous.finished and previous.started < slot <= previous.finished:
        yield BUSY


def _slots_of(entry: HistoryEntry, schedule: Schedule) -> Iterable[datetime]:
    """Return the slots of an entry: one, or those that were missed in a row."""
    if entry.slot == entry.last_slot:
        return (entry.slot,)
    return _slots_until(schedule, entry.slot - timedelta.resolution, entry.last_slot)


def _slots_until(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    return takewhile(lambda slot: slot <= until, slots_after(schedule, after))


def _outcome(slot: datetime, job: str, entry: HistoryEntry | None, notes: list[str]) -> SlotOutcome:
    if entry and entry.attempt > 1:
        notes.append(f"interrompu et repris : {entry.attempt} tentatives")
    if entry and entry.reason:
        notes.append(entry.reason)
    reasons = tuple(text for text in dict.fromkeys(notes) if text)
    if entry is None:
        return SlotOutcome(job=job, slot=slot, state="pending", trigger="slot", reasons=reasons)
    return SlotOutcome(
        job=job,
        slot=slot,
        state=entry.state,
        trigger=entry.trigger,
        started=entry.started,
        reasons=reasons,
    )
