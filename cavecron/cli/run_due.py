"""`cavecron run --due`: it runs what the scheduler would run now, for another scheduler to call.

A job is scanned only when it can start at once, so that no claimed run has to wait.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from cavecron.cli.streams import say
from cavecron.errors import AlreadyRunningError
from cavecron.french import local_moment
from cavecron.jobs.job import Job
from cavecron.ledger.catch_up import scan, scan_once
from cavecron.ledger.history import history
from cavecron.ledger.models import Claim, HistoryEntry, JobCursor, ScanResult
from cavecron.schedule import GRACE, next_slot
from cavecron.scheduler.context import RunContext, StopSignal, call_unless_stopped
from cavecron.scheduler.finish import NOTIFICATION_LIMIT, start_loss_notice
from cavecron.scheduler.given_up import settle_given_up
from cavecron.scheduler.run_log import log_scan, resume_hint
from cavecron.text import to_json

#: A slot within this time is waited for, because other schedulers may call a little early.
_SOON = timedelta(seconds=30)
#: How many entries of the history are searched for the latest run of a job.
_SEARCHED_ENTRIES = 20


class DueRuns:
    """The runs that are due at one moment; `execute` executes a claimed run and returns its exit code."""

    def __init__(
        self,
        context: RunContext,
        stop: StopSignal,
        execute: Callable[[Claim, Job], Awaitable[int]],
        *,
        as_json: bool,
    ) -> None:
        self._context, self._stop, self._execute, self._as_json = context, stop, execute, as_json
        self._capacity = asyncio.Semaphore(context.settings.max_running)
        self._busy: list[str] = []
        self._pending: list[asyncio.Future[None]] = []

    async def run(self, jobs: Sequence[Job]) -> int:
        """Run those of `jobs` that are due; return the exit code, 0 if none is.

        Raises:
            AlreadyRunningError: a job that is due is running in another process.
            CavecronError: the ledger cannot be read or written.

        """
        # Each job runs to its end, even if another one fails.
        ends = await asyncio.gather(*map(self._run_one, jobs), return_exceptions=True)
        for future in self._pending:
            await self._stop.wait_for(future, seconds=NOTIFICATION_LIMIT)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        exit_codes = [code for code in ends if isinstance(code, int)]
        if exit_codes:
            return max(exit_codes)
        if self._busy:
            raise AlreadyRunningError(f"{', '.join(self._busy)} : déjà en cours dans un autre processus")
        self._say_nothing_is_due(jobs)
        return 0

    async def _run_one(self, job: Job) -> int | None:
        """Run a job if it is due now or very soon; return its exit code, None if it is not due."""
        async with self._capacity:
            scanned_at = self._context.clock.now()
            result = await self._scan(job, self._scan_first)
            wait = self._time_to_slot(job)
            if not (result.claim or result.busy) and wait and wait <= _SOON:
                await self._stop.sleep(wait.total_seconds())
                waiting = self._cursor(job).after(result, scanned_at)
                result = await self._scan(job, lambda _job: self._scan_again(waiting))
            if result.claim:
                return await self._execute(result.claim, job)
        if result.busy:
            self._busy.append(job.name)
            return None
        return await self._code_of_failure(job)

    async def _scan(self, job: Job, scan: Callable[[Job], ScanResult]) -> ScanResult:
        """Return the result of a scan of the job, and log and notify what was missed."""
        result = await call_unless_stopped(self._stop, self._context, lambda: scan(job))
        log_scan(job.name, result, self._context.settings.zone)
        if notice := start_loss_notice(job, result, self._context):
            self._pending.append(notice)
        if task := settle_given_up(result, job, self._context, self._stop):
            self._pending.append(task)
        return result

    def _scan_first(self, job: Job) -> ScanResult:
        """Return the result of a scan; that of a disabled job is empty."""
        context = self._context
        schedules = {job.name: context.settings.schedules[job.name]}
        results = scan_once(context.ledger, schedules, context.clock.now())
        return results.get(job.name, ScanResult())

    def _scan_again(self, cursor: JobCursor) -> ScanResult:
        """Scan a job whose slot was waited for."""
        return scan(self._context.ledger, [cursor], self._context.clock.now(), eager=True)[0]

    def _cursor(self, job: Job) -> JobCursor:
        return JobCursor(job=job.name, schedule=self._context.settings.jobs[job.name].schedule)

    def _time_to_slot(self, job: Job) -> timedelta | None:
        """Return the time to the next slot of an enabled job."""
        configured, now = self._context.settings.jobs[job.name], self._context.clock.now()
        slot = next_slot(configured.schedule, now) if configured.enabled else None
        return slot - now if slot else None

    async def _code_of_failure(self, job: Job) -> int | None:
        """Print that the run of the current slot has failed permanently and return 1; None if it has not.

        A scheduler that calls again after a failure must not take "nothing is due" for a success.
        """
        if not self._context.settings.jobs[job.name].enabled:
            return None
        entry = await self._context.threads.start("history", lambda: self._latest_run(job))
        now = self._context.clock.now()
        if entry is None or now - entry.slot >= GRACE or not (entry.state == "failed" and entry.needs_resume):
            return None
        slot = local_moment(entry.slot, self._context.settings.zone)
        say(f"{job.name} : le créneau du {slot} a échoué : {entry.reason}", sys.stderr)
        say(resume_hint(job), sys.stderr)
        if self._as_json:
            print_json(job.name, ok=False, error=entry.reason)
        return 1

    def _latest_run(self, job: Job) -> HistoryEntry | None:
        """Return the latest run of the job for all users, for a slot or by hand."""
        entries = history(self._context.ledger, job=job.name, most=_SEARCHED_ENTRIES)
        return next((entry for entry in entries if entry.state != "missed" and not entry.partial), None)

    def _say_nothing_is_due(self, jobs: Sequence[Job]) -> None:
        settings, now = self._context.settings, self._context.clock.now()
        schedules = map(settings.enabled_schedules.get, (job.name for job in jobs))
        slots = [slot for schedule in schedules if schedule and (slot := next_slot(schedule, now))]
        coming: datetime | None = min(slots, default=None)
        when = local_moment(coming, settings.zone) if coming else "aucun"
        say(f"Rien à exécuter maintenant ; prochain créneau : {when}", sys.stderr)
        if self._as_json:
            name = jobs[0].name if len(jobs) == 1 else None
            following = coming.astimezone(settings.zone).isoformat() if coming else None
            print_json(name, ok=True, due=False, next=following)


def print_json(job: str | None, **result: object) -> None:
    """Print the result of a job, or of none, as one JSON object on one line."""
    say(to_json({"job": job, **result}))
