"""One run, from its claim to its outcome: by the scheduler or by hand, it is this path.

The job works in a thread of its own; meanwhile its lease is renewed and its time is watched. It decides
nothing that a job decides. The fixed sentences of the log are in `run_log` and `jobs.weekly_reports`.
"""

import asyncio
import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from types import ModuleType
from typing import TypeVar

from cavecron.clock import Clock
from cavecron.config.settings import Settings
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError, LeaseLostError, StoppedError, TemporaryError, TimeLimitError
from cavecron.jobs.invoke import JobCrashedError, call
from cavecron.jobs.job import Job, Outcome, Run
from cavecron.ledger.deliveries import Deliveries
from cavecron.ledger.models import Claim, RunResult
from cavecron.ledger.runs import RunMissingError, finish, renew
from cavecron.ledger.store import Ledger
from cavecron.schedule import GRACE
from cavecron.scheduler.retry import ended_by, ended_with
from cavecron.scheduler.run_log import say_end, say_start
from cavecron.scheduler.threads import Threads

_LOG = logging.getLogger("cavecron.runner")
_T = TypeVar("_T")

#: Renewals in the time of one lease.
_RENEWALS = 4
#: Seconds that the ledger gets to record an end while the process is being stopped.
_LAST_WRITE = 1.0
#: Seconds that it gets otherwise where somebody waits for it: more than a lock is waited for.
_LONGEST_WRITE = 60.0
#: Seconds that a dead-man service and an alert get.
_LAST_WORD = 60.0
#: Seconds between two tries to record an end: fewer than others have patience with a lease that has run out.
_PAUSE = 10.0


class HungError(CavecronError):
    """The job's time is up and it does not stop by itself; `work` is the thread that was left behind."""

    def __init__(self, message: str, work: "asyncio.Future[Outcome]") -> None:
        self.work = work
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What runs are executed with."""

    settings: Settings
    database: Database
    ledger: Ledger
    clock: Clock
    threads: Threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be asked of a run: by a person, or by a scheduler that is `patient` with a full disk."""

    dry_run: bool = False
    users: tuple[str, ...] = ()
    patient: bool = False
    progress: Callable[[int, int], None] = lambda _done, _total: None


@dataclass(slots=True, kw_only=True)
class Control:
    """What makes a running job stop at its next safe point; `wake` is set whenever something changes."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: Event = field(default_factory=Event)
    #: Why the run is not this process's any more.
    loss: CavecronError | None = None

    def stop(self) -> None:
        """Ask the job to stop; called in the thread of the loop."""
        self._stop.set()
        self.wake.set()

    def lose(self, error: CavecronError) -> None:
        """Say why the run is not this process's any more."""
        self.loss = error

    @property
    def stopping(self) -> bool:
        """Return whether the job was asked to stop."""
        return self._stop.is_set()


async def carry_out(claim: Claim, job: Job, means: Means, *, control: Control, options: Options) -> Outcome:
    """Execute a claimed run and record how it ended.

    Raises:
        CavecronError: the job failed, was stopped or hung; the log has said why.

    """
    attempt = _Attempt(claim=claim, job=job, means=means, control=control, options=options)
    say_start(claim, job, means.settings.zone, means.clock.now())
    attempt.tell_start()
    try:
        outcome = await attempt.work()
    except LeaseLostError as error:  # whoever has the run tells of its end
        _LOG.warning("Job %s : %s", job.name, error)
        raise
    except CavecronError as error:
        await attempt.end(ended_by(error, claim, means.clock.now()))
        raise
    except Exception as error:  # no thread to be had, for one: the scheduler has to outlive it
        _LOG.exception("Job %s : erreur interne", job.name)
        crash = JobCrashedError(f"{type(error).__name__} : {error}")
        await attempt.end(ended_by(crash, claim, means.clock.now()))
        raise crash from error
    await attempt.end(ended_with(outcome, claim, means.clock.now()))
    return outcome


def _notify() -> ModuleType:
    """Return `notifications`: only a run that somebody is to be told of pays for its modules."""
    return importlib.import_module("cavecron.scheduler.notifications")


def rehearse(job: Job, means: Means, options: Options) -> Outcome:
    """Execute a job that only says what it would do; nothing is claimed or recorded."""
    now = means.clock.now()
    claim = Claim(job=job.name, slot=now, trigger="manual")
    attempt = _Attempt(claim=claim, job=job, means=means, control=Control(), options=options)
    return call(attempt.run())


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One attempt at a run."""

    claim: Claim
    job: Job
    means: Means
    control: Control
    options: Options
    _ping: "asyncio.Future[None] | None" = None
    _renewed: float = 0.0
    _renewal: "asyncio.Future[None] | None" = None

    def run(self) -> Run:
        """Return what the job's function is given."""
        means, limit = self.means, self.means.settings.jobs[self.job.name].time_limit
        deadline = means.clock.monotonic() + limit
        return Run(
            job=self.job,
            claim=self.claim,
            settings=means.settings,
            database=means.database,
            deliveries=Deliveries(ledger=means.ledger, run=self.claim.run),
            clock=means.clock,
            deadline=deadline,
            halt=lambda: self._halted(deadline),
            progress=self.options.progress,
            dry_run=self.options.dry_run,
            users=self.options.users or self.claim.users,
        )

    def _halted(self, deadline: float) -> CavecronError | None:
        """Return why the job has to stop; called in its thread."""
        if self.control.loss:
            return self.control.loss
        if self.control.stopping:
            return StoppedError("arrêt demandé, le job s'est interrompu")
        if self.means.clock.monotonic() > deadline:
            configured = self.means.settings.jobs[self.job.name]
            variable = f"SCHEDULER_{configured.prefix}_TIMEOUT"
            return TimeLimitError(f"durée limite de {configured.time_limit} s dépassée ({variable})")
        return None

    async def work(self) -> Outcome:
        """Return the job's outcome, or raise what ended it."""
        clock = self.means.clock
        run = self.run()
        work = self._start(self.job.name, lambda: call(run))
        self._renewed = clock.monotonic()
        end = run.deadline + self.means.settings.stop_grace
        while not work.done():
            now = clock.monotonic()
            if self.control.stopping:
                end = min(end, now + self.means.settings.stop_grace)
            if now >= end:
                raise self._given_up(work)
            pause = min(end - now, self._keep_lease(now))
            await clock.wait(self.control.wake, clock.now() + timedelta(seconds=pause))
            self.control.wake.clear()
        return work.result()

    def _given_up(self, work: "asyncio.Future[Outcome]") -> CavecronError:
        if self.control.stopping:
            return StoppedError("le job ignore l'arrêt (il n'appelle pas run.check()) : abandonné")
        return HungError("le job ignore sa durée limite (il n'appelle pas run.check()) : abandonné", work)

    def tell_start(self) -> None:
        """Tell the job's dead-man service, if it has one, that a run began."""
        if url := self.means.settings.jobs[self.job.name].ping_url:
            self._ping = self._start("ping", lambda: _notify().ping(url, "start"))

    async def end(self, ending: RunResult) -> None:
        """Log and record how the attempt ended, and tell who asked to be told."""
        say_end(self.job, ending, self.means.settings.zone)
        if not await self._record(ending):
            return
        settings = self.means.settings
        asked = settings.jobs[self.job.name].ping_url or settings.alert_to
        if not asked or ending.state == "interrupted" or ending.retry_at:
            return
        if self._ping is not None:
            await self._patiently(self._ping, _LAST_WORD)
        known = {"job": self.job, "settings": settings, "clock": self.means.clock}
        telling = self._start("notify", lambda: _notify().ended(self.claim, ending, **known))
        await self._patiently(telling, _LAST_WORD)

    async def _patiently(self, future: "asyncio.Future[_T]", patience: float) -> None:
        """Wait so many seconds for a call, for one at most once the process is being stopped."""
        clock, wake = self.means.clock, self.control.wake
        limit = clock.monotonic() + patience
        while not future.done():
            if self.control.stopping:
                limit = min(limit, clock.monotonic() + _LAST_WRITE)
            left = limit - clock.monotonic()
            if left <= 0:
                return
            await clock.wait(wake, clock.now() + timedelta(seconds=left))
            wake.clear()

    async def _record(self, ending: RunResult) -> bool:
        """Write the ending into the ledger; return whether that was possible.

        A run that came to its end must not be taken for one that was cut off: a scheduler waits for whatever
        keeps the database from being written as long as the slot could run again, but not while stopping.
        Who runs a job by hand is kept waiting for a lock only, and not for long.
        """
        means, told, patient = self.means, "", self.options.patient
        limit = means.clock.monotonic() + (GRACE.total_seconds() if patient else _LONGEST_WRITE)
        while True:
            writing = self._start("end", lambda: finish(means.ledger, self.claim, ending, means.clock.now()))
            await self._patiently(writing, limit - means.clock.monotonic())
            trouble = writing.exception() if writing.done() else TemporaryError("la base ne répond pas")
            if trouble is None:
                return True
            over = self.control.stopping or means.clock.monotonic() >= limit
            passing = isinstance(trouble, CavecronError) and (patient or trouble.temporary)
            if over or not passing or isinstance(trouble, LeaseLostError):
                _LOG.error("Job %s : sa fin n'a pu être notée, %s", self.job.name, trouble)
                return False
            if str(trouble) != told:
                _LOG.warning("Job %s : sa fin n'est pas encore notée, %s", self.job.name, trouble)
            told = str(trouble)
            nothing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            await self._patiently(nothing, _PAUSE)

    def _keep_lease(self, now: float) -> float:
        """Renew the lease when it is time; return the seconds until the next look at it."""
        term = self.means.ledger.lease.total_seconds() / _RENEWALS
        if self._renewal is not None and self._renewal.done():
            self._finish_renewal(self._renewal)
            self._renewal = None
        if self._renewal is None and now - self._renewed >= term:
            self._renewed = now
            ledger, clock = self.means.ledger, self.means.clock
            self._renewal = self._start("lease", lambda: renew(ledger, self.claim.run, clock.now()))
        return max(0.01, self._renewed + term - now)

    def _finish_renewal(self, renewal: "asyncio.Future[None]") -> None:
        try:
            renewal.result()
        except (LeaseLostError, RunMissingError) as error:
            self.control.lose(error)
        except CavecronError as error:
            _LOG.warning("Job %s : bail non renouvelé, %s", self.job.name, error)

    def _start(self, name: str, call: Callable[[], _T]) -> "asyncio.Future[_T]":
        future = self.means.threads.start(name, call)
        future.add_done_callback(self._woken)
        return future

    def _woken(self, future: "asyncio.Future[_T]") -> None:
        future.exception()  # looked at here, so that one left behind is no surprise to the loop
        self.control.wake.set()
