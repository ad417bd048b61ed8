"""The scheduler: it sleeps until a slot, has it claimed and executed, and stops on request.

It decides nothing: `ledger.catch_up` decides which slots have passed and what runs, `runner` executes a run.
While idle it reads and writes no file, and wakes up only to read the clock.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from cavecron.errors import CavecronError
from cavecron.jobs.job import Job
from cavecron.jobs.loader import load_for
from cavecron.ledger.models import Claim, JobCursor, RunResult, ScanResult
from cavecron.ledger.runs import RunMissingError
from cavecron.ledger.tables import LedgerError
from cavecron.schedule import next_slot
from cavecron.scheduler.context import Options, RunContext, StopSignal, system_context
from cavecron.scheduler.database_calls import RETRY_PAUSE, DatabaseCalls
from cavecron.scheduler.finish import start_loss_notice
from cavecron.scheduler.given_up import settle_given_up
from cavecron.scheduler.registration import Registration
from cavecron.scheduler.run_log import log_next_slots, log_scan
from cavecron.scheduler.runner import JobHungError, execute_run
from cavecron.scheduler.scan_queue import ClockWatch, JobState, ScanQueue, trusted_first
from cavecron.scheduler.status_files import StatusFiles

_LOG = logging.getLogger("cavecron.daemon")

#: The most jobs that one transaction scans, so that it stays short even if many are due at once.
_MOST_SCANNED = 100
#: Seconds to wait for the last writes at a stop, and at least if a job took its whole grace.
_LAST_WRITE, _LEAST_WRITE = 2.0, 0.5


class Scheduler:
    """Runs jobs at their slots, in a program of yours or as the process `cavecron`.

    `environ` has the variables of the environment (`DATABASE_URL`, `SCHEDULER_…`); it is read once. `ready`
    raises a CavecronError as long as the database is not ready. `exclusive` says that no other scheduler has
    other jobs in the same database, so that jobs unknown here no longer exist. `stop` is to be called in the
    loop's thread.

    Raises:
        ConfigurationError: `environ` is wrong; the message lists every problem.

    """

    def __init__(
        self,
        jobs: Sequence[Job],
        environ: Mapping[str, str] | None = None,
        *,
        context: RunContext | None = None,
        ready: Callable[[], None] = lambda: None,
        exclusive: bool = False,
    ) -> None:
        self._context = context or system_context(load_for(jobs, environ or {}))
        settings = self._context.settings
        self._jobs = jobs
        self._queue = ScanQueue(
            JobState(job=job, cursor=JobCursor(job=job.name, schedule=settings.jobs[job.name].schedule))
            for job in jobs
            if settings.jobs[job.name].enabled
        )
        self._registration = Registration(
            self._context, followed=self._cursors, ready=ready, exclusive=exclusive
        )
        self._status_files = StatusFiles(self._context, jobs)
        self._running: dict[asyncio.Task[None], StopSignal] = {}
        self._given_up_tasks: set[asyncio.Task[None]] = set()
        self._wakeup = asyncio.Event()
        self._stop = StopSignal()
        self._database = DatabaseCalls(self._context, self._stop, changed=self._status_files.update)

    def stop(self) -> None:
        """Start no further runs, and stop running jobs at their next safe point; then `run` returns."""
        self._stop.stop()
        self._wakeup.set()
        if self._running:
            grace = self._context.settings.stop_grace
            _LOG.info("Arrêt demandé : les jobs en cours ont %d s pour s'interrompre", grace)
        for signal in self._running.values():
            signal.stop()

    async def run(self) -> None:
        """Run the jobs at their slots until `stop` is called.

        Raises:
            LedgerError: the ledger is of a later version, or its tables were modified.

        """
        try:
            await self._begin()
            await self._follow()
        except asyncio.CancelledError:
            for task in (*self._running, *self._given_up_tasks):
                task.cancel()
            raise
        except LedgerError:
            self.stop()
            await self._wait_for_runs()
            raise
        await self._end()

    async def _end(self) -> None:
        """Wait for the running jobs to stop, and record that this scheduler has stopped."""
        clock, grace = self._context.clock, self._context.settings.stop_grace
        latest = clock.monotonic() + grace
        recording = self._context.threads.start("stop", self._registration.record_stop)
        await self._wait_for_runs()
        seconds = min(_LAST_WRITE, max(_LEAST_WRITE, latest - clock.monotonic()))
        await self._status_files.finish(recording, seconds)

    async def _wait_for_runs(self) -> None:
        if self._running:
            await asyncio.wait(self._running)
        if self._given_up_tasks:
            await asyncio.wait(self._given_up_tasks, timeout=_LAST_WRITE)

    async def _begin(self) -> None:
        """Register the jobs, and wait for the database as long as necessary (promise 10)."""
        settings, clock = self._context.settings, self._context.clock
        while not self._stop.stopping:
            if await self._database.make("register", self._registration.register):
                for state in self._queue.states:
                    self._queue.add(state, clock.now())
                _LOG.info("cavecron démarré : %s, fuseau %s", settings.database, settings.zone.key)
                log_next_slots(self._jobs, settings, clock.now())
                self._status_files.update()
                return
            await clock.wait(self._wakeup, clock.now() + RETRY_PAUSE)

    async def _follow(self) -> None:
        clock = self._context.clock
        watch = ClockWatch(clock.now(), clock.monotonic())
        while not self._stop.stopping:
            await clock.wait(self._wakeup, self._next_wakeup)
            self._wakeup.clear()
            now, unsure_since = clock.now(), watch.monotonic
            if watch.was_set_back(now, clock.monotonic()):
                self._queue.scan_all(now, clock_unsure_since=unsure_since)
            due = self._queue.take_due(now, min(self._free_capacity, _MOST_SCANNED))
            for states in trusted_first(due, now, unsure_since):
                await self._scan(states)
            if not due:
                self._check_file()

    def _check_file(self) -> None:
        """Detect that the database was replaced, even if no slot comes for a week."""
        loop = asyncio.get_running_loop()

        def replaced() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._scan_one)

        self._context.threads.detach(lambda: self._registration.check_file(replaced))

    def _scan_one(self) -> None:
        """Scan one job now: if the file was replaced, this registers all jobs in it."""
        for state in self._queue.states:
            if state.due:
                self._queue.add(state, self._context.clock.now())
                self._wakeup.set()
                return

    def _cursors(self) -> list[JobCursor]:
        return [state.cursor for state in self._queue.states]

    @property
    def _free_capacity(self) -> int:
        """Return how many further jobs may run at the same time."""
        return self._context.settings.max_running - len(self._running)

    @property
    def _next_wakeup(self) -> datetime | None:
        """Return when to wake up (aware): for the next scan, or to read the clock if no job may start."""
        if self._free_capacity <= 0:
            return self._context.clock.now() + RETRY_PAUSE
        return self._queue.first

    async def _scan(self, states: Sequence[JobState]) -> None:
        """Scan some jobs in one transaction, and start the runs that were claimed."""
        clock = self._context.clock
        now, monotonic = clock.now(), clock.monotonic()
        since = min(
            (state.clock_unsure_since for state in states if state.clock_unsure_since is not None),
            default=monotonic,
        )
        unseen = timedelta(seconds=monotonic - since)
        cursors = [state.cursor for state in states]
        results: list[ScanResult] = []

        def scan() -> None:
            results.extend(self._registration.scan(cursors, now, unseen))

        if self._stop.stopping or not await self._database.make("scan", scan):
            for state in states:
                self._queue.add(state, now + RETRY_PAUSE)
            return
        for state, result in zip(states, results, strict=True):
            if not result.busy:  # otherwise the next scan decides about the slots since then
                state.clock_unsure_since = None
            self._apply(state, result, now)

    def _apply(self, state: JobState, result: ScanResult, now: datetime) -> None:
        """Handle the result of a scan: log, notify, start the run, and plan the next scan."""
        state.cursor = state.cursor.after(result, now)
        log_scan(state.job.name, result, self._context.settings.zone)
        start_loss_notice(state.job, result, self._context)
        if task := settle_given_up(result, state.job, self._context, self._stop):
            self._given_up_tasks.add(task)
            task.add_done_callback(self._given_up_tasks.discard)
        if result.missed or result.given_up:
            self._status_files.update()
        if result.busy:
            self._queue.add(state, result.next_scan or now + RETRY_PAUSE)
        elif result.claim:
            self._start(state, result.claim)
        else:
            slot = next_slot(state.cursor.schedule, now)
            candidates = [instant for instant in (slot, result.next_scan) if instant]
            if candidates:
                self._queue.add(state, min(candidates))

    def _start(self, state: JobState, claim: Claim) -> None:
        """Start to execute a claimed run; the job is planned again when it ends."""
        stop = StopSignal()
        if self._stop.stopping:
            stop.stop()
        task = asyncio.get_running_loop().create_task(self._execute(state, claim, stop))
        self._running[task] = stop
        task.add_done_callback(self._finish)

    async def _execute(self, state: JobState, claim: Claim, stop: StopSignal) -> None:
        ends: list[RunResult] = []
        options = Options(wait_for_database=True, recorded=ends.append)
        try:
            await execute_run(claim, state.job, self._context, stop=stop, options=options)
        except JobHungError as error:  # two runs of a job never overlap, even if one ignores its stop
            await stop.wait_for(error.thread_end)
        except RunMissingError:
            self._registration.forget()
        except CavecronError:
            pass  # logged and in the ledger
        except Exception:  # an unknown error must not end the scheduling of the job
            _LOG.exception("Job %s : erreur interne", claim.job)
        self._plan_after_run(state, succeeded=any(end.state == "succeeded" for end in ends))

    def _plan_after_run(self, state: JobState, *, succeeded: bool) -> None:
        """Plan the scan for the next slot; at once if that has passed or the run did not succeed."""
        now, accounted_until = self._context.clock.now(), state.cursor.accounted_until
        if succeeded and accounted_until and accounted_until <= now and state.clock_unsure_since is None:
            slot = next_slot(state.cursor.schedule, accounted_until)
            if slot is None:
                return
            if slot > now:
                self._queue.add(state, slot)
                return
        state.cursor = state.cursor.after_run()
        self._queue.add(state, now)

    def _finish(self, task: "asyncio.Task[None]") -> None:
        del self._running[task]
        self._status_files.update()
        self._wakeup.set()
