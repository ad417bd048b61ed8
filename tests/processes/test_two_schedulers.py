"""Two schedulers on one database file, with more than a hundred slots of real processes."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.app_database import NOW, CellarFile
from tests.support.daemons import daemon
from tests.support.run_with_clock import program

#: A minute of the schedulers lasts two seconds; so does a lease, longer than a busy machine delays them.
SPEED = 30
SLOTS = 100
MINUTE = timedelta(minutes=1)
RUNS = "SELECT state, attempt, count(*) FROM cavecron_run"
JOBS = '''
import os
from cavecron import job

def work(run):
    """Leave a line that the ledger knows nothing of."""
    with open(os.environ["RAN"], "a") as ran:
        ran.write(f"{run.job.name} {run.slot.isoformat()} {os.getpid()}\\n")

for name in ("do", "re", "mi", "fa"):
    globals()[name] = job(name, cron="* * * * *")(work)
'''


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_of_a_hundred_slots_runs_in_one_of_two_schedulers(cellar: CellarFile) -> None:
    """Each slot runs exactly once, and each of the schedulers runs some of them."""
    jobs, record = cellar.path.with_name("jobs_of_mine.py"), cellar.path.with_name("ran")
    jobs.write_text(JOBS, encoding="utf-8")
    variables = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "CAVECRON_JOBS": str(jobs),
        "SCHEDULER_WEEKLY_REPORT_ENABLED": "0",
        "RAN": str(record),
    }
    clock = program(NOW, since=datetime.now(UTC) + timedelta(seconds=8), speed=SPEED)
    with daemon(variables, program=clock) as one, daemon(variables, program=clock) as two:
        cellar.wait_for(
            f"{RUNS} WHERE state = 'succeeded' GROUP BY state HAVING count(*) >= {SLOTS}", limit=200
        )
        assert [running.stop()[0] for running in (one, two)] == [0, 0]
        log_lines = one.lines + two.lines
    lines = [line.split() for line in record.read_text().splitlines()]
    assert {int(process) for *_, process in lines} == {one.process.pid, two.process.pid}
    times = Counter((job, datetime.fromisoformat(slot)) for job, slot, _process in lines)
    first = min(slot for _job, slot in times)
    last = max(slot for _job, slot in times)
    minutes = (last - first) // MINUTE + 1
    assert minutes >= SLOTS // 4
    assert times == Counter(
        (job, first + n * MINUTE) for job in ("do", "re", "mi", "fa") for n in range(minutes)
    )
    assert cellar.rows(f"{RUNS} GROUP BY state, attempt") == [("succeeded", 1, 4 * minutes)]
    assert not [line for line in log_lines if "WARNING" in line or "ERROR" in line]
