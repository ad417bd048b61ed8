"""`cavecron run JOB`: a job, now, in the foreground."""

import argparse
import difflib
import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cavecron import log, settings
from cavecron.cellar.database import Database
from cavecron.clock import Clock, SystemClock
from cavecron.errors import CavecronError, UsageError
from cavecron.jobs.cleanup import CLEANUP
from cavecron.jobs.registry import Job, Outcome, Run
from cavecron.jobs.weekly_reports import WEEKLY_REPORTS
from cavecron.runner import execute

_JOBS = {job.name: job for job in (WEEKLY_REPORTS, CLEANUP)}
#: Seconds after which a run on a terminal says how far it is.
_PROGRESS_AFTER = 2.0


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run the job; exit code 0, or 1 where it failed wholly or for some recipients."""
    job = _job(arguments.job, arguments.user)
    configured = load_settings(environ)
    log.configure(
        zone=configured.zone,
        level=configured.log_level,
        log_format=configured.log_format,
        stream=sys.stderr if arguments.json else sys.stdout,
    )
    log.warn(configured.warnings)
    with _stop_on_signal() as stopping:
        clock = SystemClock()
        run = Run(
            job=job,
            planned=clock.now(),
            settings=configured,
            database=Database(configured.database),
            clock=clock,
            deadline=clock.monotonic() + configured.time_limits[job.name],
            stopping=stopping,
            progress=_progress(clock),
            dry_run=arguments.dry_run,
            users=tuple(arguments.user),
        )
        try:
            outcome = execute(run)
        except CavecronError as error:  # the log has said why
            if arguments.json:
                _print_json(run, ok=False, error=str(error))
            return error.exit_code
    _show(outcome, run, as_json=arguments.json)
    return 1 if outcome.failures else 0


def load_settings(environ: Mapping[str, str]) -> settings.Settings:
    """Return the settings of this process; `…_FILE` variables are read from disk."""
    return settings.load(environ, lambda path: Path(path).read_text(encoding="utf-8"))


def _job(name: str, users: Sequence[str]) -> Job:
    job = _JOBS.get(name)
    if job is None:
        nearest = difflib.get_close_matches(name, _JOBS, n=1, cutoff=0)
        raise UsageError(f"job inconnu : {name!r} (vouliez-vous dire {nearest[0]} ?)")
    if users and "users" not in job.options:
        raise UsageError(f"{job.name} ne connaît pas --user : il ne s'adresse à personne")
    return job


def _show(outcome: Outcome, run: Run, *, as_json: bool) -> None:
    if as_json:
        ok = not outcome.failures
        _print_json(run, ok=ok, dry_run=run.dry_run, summary=outcome.summary, **outcome.details)
    elif run.dry_run:
        print(outcome.summary, *outcome.lines, sep="\n  ")
    elif outcome.failures:
        print("Rapports non remis :", *outcome.failures, sep="\n  ")


def _print_json(run: Run, **result: object) -> None:
    print(json.dumps({"job": run.job.name, **result}, ensure_ascii=False))


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Yield a question, answered yes after SIGTERM or SIGINT; a second signal ends the process at once."""
    asked: list[int] = []

    def ask(number: int, _frame: object) -> None:
        asked.append(number)
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress(clock: Clock) -> Callable[[int, int], None]:
    """Return what tells a person at a terminal how far the run is, and nobody else."""
    if not sys.stderr.isatty():
        return lambda _done, _total: None
    started = clock.monotonic()

    def tell(done: int, total: int) -> None:
        if clock.monotonic() - started > _PROGRESS_AFTER:
            print(f"\r{done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return tell
