"""A system that allows few threads, and jobs that hang in threads of their own, with real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.app_database import NOW, CellarFile
from tests.support.commands import environment
from tests.support.daemons import Daemon, daemon

if not sys.platform.startswith("linux"):
    pytest.skip("threads are limited here by what Linux lets them reserve", allow_module_level=True)

BEFORE = NOW - timedelta(seconds=5)
#: Bytes that each thread reserves for its stack; a limit on memory is a limit on threads.
STACK = 256 << 20
JOBS = '''
import asyncio, time
from threading import Event
from cavecron import job

def work(run):
    """Lasts for a while."""
    for _ in range(8):
        run.check()
        Event().wait(0.05)

for number in range(100):
    globals()[f"job{number}"] = job(f"job{number}", cron="0 8 * * mon")(work)

@job("pooled", title="dans un groupe de threads")
async def pooled(run):
    """Hangs where nobody can stop it."""
    print("je dors", flush=True)
    await asyncio.to_thread(time.sleep, 600)
'''


def variables(cellar: CellarFile, **more: str) -> dict[str, str]:
    """Return the variables of a hundred jobs that share a minute."""
    jobs = cellar.path.with_name("jobs_of_mine.py")
    jobs.write_text(JOBS, encoding="utf-8")
    return {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "CAVECRON_JOBS": str(jobs),
        **{f"SCHEDULER_{name}_ENABLED": "0" for name in ("WEEKLY_REPORT", "CLEANUP", "POOLED")},
        **more,
    }


def allow_threads(number: int) -> tuple[str, ...]:
    """Return the command prefix that starts a process with about `number` threads at most."""
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit is not installed (apt-get install util-linux)")
    return ("prlimit", f"--stack={STACK}", f"--as={number * STACK + (1 << 30)}")


def states(cellar: CellarFile) -> dict[object, object]:
    """Return the number of runs in each state."""
    return dict(cellar.rows("SELECT state, count(*) FROM cavecron_run GROUP BY state"))  # type: ignore[arg-type]


def wait_until_all_have_finished(cellar: CellarFile, scheduler: Daemon) -> None:
    """Return when each of the hundred slots has a row of a finished run; fail after a time limit."""
    cellar.wait_for(
        "SELECT 1 WHERE (SELECT count(*) FROM cavecron_run WHERE state <> 'running') = 100", limit=60.0
    )
    assert scheduler.process.poll() is None
    assert not [line for line in scheduler.lines if "never retrieved" in line or "Traceback" in line], (
        "\n".join(scheduler.lines)
    )


@pytest.mark.slow
def test_a_hundred_jobs_in_a_minute_need_few_threads(cellar: CellarFile) -> None:
    """Sixteen jobs run at a time, so that the thread limit is not reached."""
    with daemon(variables(cellar), at=BEFORE, prefix=allow_threads(40)) as scheduler:
        wait_until_all_have_finished(cellar, scheduler)
        assert states(cellar) == {"succeeded": 100}
        assert scheduler.stop()[0] == 0


@pytest.mark.slow
def test_a_system_without_threads_is_reported_and_no_slot_is_lost(cellar: CellarFile) -> None:
    """Jobs without a thread fail and are retried; the scheduler goes on and can be stopped."""
    variables_of_many = variables(cellar, CAVECRON_MAX_RUNNING="100")
    with daemon(variables_of_many, at=BEFORE, prefix=allow_threads(12)) as scheduler:
        wait_until_all_have_finished(cellar, scheduler)
        counts = states(cellar)
        assert set(counts) == {"succeeded", "failed"}
        (row,) = cellar.rows("SELECT count(*) FROM cavecron_run WHERE state = 'failed' AND retry_at IS NULL")
        assert row == (0,)
        scheduler.wait_for("en échec : le système n'accorde plus de thread : relever la limite de processus")
        assert scheduler.stop()[0] == 0


def start(cellar: CellarFile, **more: str) -> "subprocess.Popen[str]":
    """Start `cavecron run pooled`; return the process when the job hangs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cavecron", "run", "pooled"],
        env=environment(**variables(cellar, **more)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    while "je dors" not in (line := process.stdout.readline()):
        assert line
    return process


def end_of(process: "subprocess.Popen[str]", within: float) -> tuple[int, str, float]:
    """Return the exit code, the output and the duration of the process; kill it after `within` seconds."""
    start_time = time.monotonic()
    try:
        out, _ = process.communicate(timeout=within)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    return process.returncode, out, time.monotonic() - start_time


def test_a_run_that_hangs_in_a_pool_ends_after_its_time_limit(cellar: CellarFile) -> None:
    """It ends after the time limit and the grace, with exit code 1, and is recorded as failed."""
    process = start(cellar, SCHEDULER_POOLED_TIMEOUT="1", CAVECRON_STOP_GRACE="1")
    code, output, _seconds = end_of(process, within=20)
    assert code == 1
    assert "Job pooled en échec : le job ignore sa durée limite" in output
    assert states(cellar) == {"failed": 1}


def test_a_run_that_hangs_in_a_pool_ends_when_it_is_stopped(cellar: CellarFile) -> None:
    """It ends within the grace and does not wait for the thread of the pool."""
    process = start(cellar, CAVECRON_STOP_GRACE="1")
    process.send_signal(signal.SIGTERM)
    code, output, seconds = end_of(process, within=20)
    assert code == 1
    assert "Job pooled interrompu : le job ignore l'arrêt" in output
    assert seconds < 6
    assert states(cellar) == {"interrupted": 1}


def has_file_open(process: int, path: Path) -> bool:
    """Return whether a process has a file open."""
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            if descriptor.readlink() == path:
                return True
    return False


def test_a_run_that_waits_for_a_locked_database_ends_when_it_is_stopped(cellar: CellarFile) -> None:
    """It ends at once and claims no run."""
    arguments = [sys.executable, "-m", "cavecron", "run", "pooled", "--json"]
    cellar.execute("BEGIN EXCLUSIVE")
    process = subprocess.Popen(
        arguments, env=environment(**variables(cellar)), stdout=subprocess.PIPE, text=True
    )
    while not has_file_open(process.pid, cellar.path.resolve()):
        time.sleep(0.02)
    time.sleep(0.2)  # and waits for the lock
    process.send_signal(signal.SIGTERM)
    code, output, seconds = end_of(process, within=20)
    cellar.execute("ROLLBACK")
    assert code == 1
    assert seconds < 3
    assert json.loads(output)["error"] == "arrêt demandé avant le début : rien n'a été fait"
    time.sleep(0.5)
    assert not cellar.rows("SELECT 1 FROM sqlite_master WHERE name = 'cavecron_run'")
