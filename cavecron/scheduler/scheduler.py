"""The scheduler: it sleeps until a slot, has it claimed and run, and stops when it is told to.

It decides nothing: what has passed and what may run is `ledger.catch_up`'s affair, how a run goes is
`runner`'s. Idle it touches no file, and wakes only to look at the clock.
"""

import asyncio
import heapq
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from cavecron.clock import SystemClock
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.french import moment
from cavecron.jobs.job import Job
from cavecron.jobs.loader import load_for
from cavecron.ledger.catch_up import register_jobs, scan
from cavecron.ledger.models import Claim, JobCursor, MissedSlots, ScanResult
from cavecron.ledger.store import Ledger
from cavecron.ledger.tables import LedgerError
from cavecron.schedule import describe, next_slot
from cavecron.scheduler.runner import Control, HungError, Means, Options, carry_out
from cavecron.scheduler.threads import DaemonThreads

_LOG = logging.getLogger("cavecron.daemon")

#: After a database that cannot be read or written, how long until the next try.
_PAUSE = timedelta(seconds=30)
#: A step back of the clock that is more than a correction.
_STEP_BACK = timedelta(seconds=1)
#: Jobs that one transaction looks at: it stays short however many share a minute.
_AT_ONCE = 100


@dataclass(slots=True, kw_only=True, eq=False)
class _Desk:
    """One job as the scheduler follows it; `due` is when to look next, None while it runs here."""

    job: Job
    cursor: JobCursor
    due: datetime | None = None


class Scheduler:
    """Runs jobs at their slots, in a program of yours or as the process `cavecron`.

    `environ` says where the database is and when the jobs run, as the environment does (`DATABASE_URL`,
    `SCHEDULER_…`); it is read once. `ready` raises a CavecronError as long as the database is not ready.
    `exclusive` says that no other scheduler follows other jobs in the same database: what this one does not
    know is gone. `stop` is for the thread of the loop.

    Raises:
        ConfigurationError: with every problem of `environ`.

    """

    def __init__(
        self,
        jobs: Sequence[Job],
        environ: Mapping[str, str] | None = None,
        *,
        means: Means | None = None,
        ready: Callable[[], None] = lambda: None,
        exclusive: bool = False,
    ) -> None:
        self._means = means or means_of(load_for(jobs, environ or {}))
        self._ready = ready
        self._exclusive = exclusive
        self._jobs = {job.name: job for job in jobs}
        self._desks = [
            _Desk(
                job=job, cursor=JobCursor(job=job.name, schedule=self._means.settings.jobs[job.name].schedule)
            )
            for job in jobs
            if self._means.settings.jobs[job.name].enabled
        ]
        self._plan: list[tuple[datetime, int, _Desk]] = []
        self._numbers = count()
        self._running: dict[asyncio.Task[None], Control] = {}
        self._bell = asyncio.Event()
        self._stopping = False
        self._said = ""

    def stop(self) -> None:
        """Start nothing new, and have running jobs stop at their next safe point; `run` then returns."""
        self._stopping = True
        self._bell.set()
        if self._running:
            grace = self._means.settings.stop_grace
            _LOG.info("Arrêt demandé : les jobs en cours ont %d s pour s'interrompre", grace)
        for control in self._running.values():
            control.stop()

    async def run(self) -> None:
        """Follow all slots until `stop` is called.

        Raises:
            LedgerError: the ledger is of a later version, or somebody changed it.

        """
        await self._begin()
        seen = self._means.clock.now()
        while not self._stopping:
            await self._means.clock.wait(self._bell, self._plan[0][0] if self._plan else None)
            self._bell.clear()
            now = self._means.clock.now()
            due = self._everything() if now < seen - _STEP_BACK else self._due(now)
            seen = now
            for first in range(0, len(due), _AT_ONCE):
                if not self._stopping:
                    await self._look(due[first : first + _AT_ONCE])
        if self._running:
            await asyncio.wait(self._running)

    async def _begin(self) -> None:
        """Note what is followed; wait for the database as long as it takes (promise 10)."""
        settings, clock = self._means.settings, self._means.clock

        def note() -> None:
            self._ready()
            register_jobs(self._means.ledger, settings.schedules, clock.now(), exclusive=self._exclusive)

        while not self._stopping:
            if await self._tried("register", note):
                for desk in self._desks:
                    self._schedule(desk, clock.now())
                _LOG.info("cavecron démarré : %s, fuseau %s", settings.database, settings.zone.key)
                self._announce()
                return
            await clock.wait(self._bell, clock.now() + _PAUSE)

    async def _tried(self, name: str, call: Callable[[], None]) -> bool:
        """Return whether the call went well; tell each different trouble once.

        A call that waits for a lock does not hold up a stop: it is left behind.
        """
        calling = self._means.threads.start(name, call)
        calling.add_done_callback(self._called)
        while not (calling.done() or self._stopping):
            self._bell.clear()
            await self._bell.wait()
        self._bell.set()  # whatever else has rung meanwhile is seen to in the next turn
        if not calling.done():
            return False
        try:
            calling.result()
        except LedgerError:
            raise
        except CavecronError as error:
            if str(error) != self._said:
                _LOG.warning("%s ; nouvel essai toutes les %d s", error, _PAUSE.seconds)
            self._said = str(error)
            return False
        if self._said:
            _LOG.info("La base répond à nouveau")
        self._said = ""
        return True

    def _called(self, calling: "asyncio.Future[None]") -> None:
        calling.exception()  # looked at here, so that one left behind is no surprise to the loop
        self._bell.set()

    async def _look(self, desks: Sequence[_Desk]) -> None:
        """Scan some jobs in one transaction, and start what was claimed."""
        now, ledger = self._means.clock.now(), self._means.ledger
        cursors = [desk.cursor for desk in desks]
        found: list[ScanResult] = []
        if not await self._tried("look", lambda: found.extend(scan(ledger, cursors, now))):
            for desk in desks:
                self._schedule(desk, now + _PAUSE)
            return
        for desk, seen in zip(desks, found, strict=True):
            self._take(desk, seen, now)

    def _take(self, desk: _Desk, seen: ScanResult, now: datetime) -> None:
        """Act on what a look found."""
        desk.cursor = desk.cursor.after(seen, now)
        if seen.missed:
            self._warn(desk.job, seen.missed)
        if seen.interrupted:
            slot = self._local(seen.interrupted)
            _LOG.warning("Job %s : créneau coupé net, non repris : %s", desk.job.name, slot)
        if seen.busy:
            self._schedule(desk, seen.next_scan or now + _PAUSE)
            return
        if seen.claim:
            self._start(desk, seen.claim)
            return
        coming = next_slot(desk.cursor.schedule, now)
        candidates = [instant for instant in (coming, seen.next_scan) if instant]
        if candidates:
            self._schedule(desk, min(candidates))

    def _start(self, desk: _Desk, claim: Claim) -> None:
        """Have a claimed run executed; the job is looked at again as soon as it ends."""
        desk.due = None
        control = Control()
        if self._stopping:
            control.stop()
        task = asyncio.get_running_loop().create_task(self._execute(desk, claim, control))
        self._running[task] = control
        task.add_done_callback(self._ended)

    async def _execute(self, desk: _Desk, claim: Claim, control: Control) -> None:
        try:
            await carry_out(claim, desk.job, self._means, control=control, options=Options(patient=True))
        except HungError as error:  # never two of a job at a time, not even where one does not stop
            while not (error.work.done() or control.stopping):
                control.wake.clear()
                await control.wake.wait()
        except CavecronError:
            pass  # logged and in the ledger
        desk.cursor = desk.cursor.after_run()
        self._schedule(desk, self._means.clock.now())

    def _ended(self, task: "asyncio.Task[None]") -> None:
        del self._running[task]
        self._bell.set()

    def _schedule(self, desk: _Desk, at: datetime) -> None:
        desk.due = at
        heapq.heappush(self._plan, (at, next(self._numbers), desk))

    def _due(self, now: datetime) -> list[_Desk]:
        """Take the jobs off the plan that are to be looked at; entries that were replaced fall out here."""
        due = []
        while self._plan and (self._plan[0][0] <= now or self._plan[0][2].due != self._plan[0][0]):
            at, _number, desk = heapq.heappop(self._plan)
            if desk.due == at:
                due.append(desk)
        return due

    def _everything(self) -> list[_Desk]:
        self._plan.clear()
        return [desk for desk in self._desks if desk.due]

    def _announce(self) -> None:
        """Say of each job when it comes next."""
        now = self._means.clock.now()
        for name, job in self._jobs.items():
            configured = self._means.settings.jobs[name]
            if not configured.enabled:
                _LOG.info("Job %s : désactivé (SCHEDULER_%s_ENABLED)", name, configured.prefix)
                continue
            coming = next_slot(configured.schedule, now)
            when = moment(coming.astimezone(configured.schedule.zone)) if coming else "jamais"
            words = describe(configured.schedule)
            _LOG.info("Job %s (%s) : %s ; prochain créneau : %s", name, job.title, words, when)

    def _warn(self, job: Job, missed: MissedSlots) -> None:
        slots = missed.slots
        if slots.count == 1:
            _LOG.warning(
                "Job %s : créneau manqué : %s (%s)", job.name, self._local(slots.last), missed.reason
            )
        else:
            _LOG.warning(
                "Job %s : %d créneaux manqués, du %s au %s (%s)",
                *(job.name, slots.count, self._local(slots.first), self._local(slots.last), missed.reason),
            )

    def _local(self, instant: datetime) -> str:
        return moment(instant.astimezone(self._means.settings.zone))


def means_of(settings: Settings) -> Means:
    """Return what runs are executed with on a real machine."""
    database = Database(settings.database)
    return Means(
        settings=settings,
        database=database,
        ledger=Ledger(database=database),
        clock=SystemClock(),
        threads=DaemonThreads(),
    )
