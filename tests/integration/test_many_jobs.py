"""Many jobs that share a minute: none is missed, and a stop right after them loses no result."""

import asyncio
from datetime import timedelta

import pytest

from cavecron import Run, Scheduler, job
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import wall_clock


@pytest.mark.parametrize(
    ("number", "before"),
    [
        pytest.param(1_000, timedelta(seconds=2), id="a thousand, a hundred at once", marks=pytest.mark.slow),
        pytest.param(10_000, timedelta(seconds=20), id="ten thousand", marks=pytest.mark.slow),
    ],
)
def test_jobs_that_share_a_minute_all_run_in_it(cellar: CellarFile, number: int, before: timedelta) -> None:
    """Each job has its row although the scheduler is stopped when the last of them starts."""
    job_names: list[str] = []

    def work(run: Run) -> None:
        job_names.append(run.job.name)

    jobs = [job(f"job_{n}", cron=f"{n * 10 // number * 5} * * * *")(work) for n in range(number)]
    scheduler = Scheduler(jobs, {"DATABASE_URL": f"sqlite:///{cellar.path}"})
    with wall_clock(NOW - before, tick=True):
        asyncio.run(_run_until(scheduler, job_names, number // 10))
    assert sorted(job_names) == sorted(job.name for job in jobs[: number // 10])
    states = "SELECT state, trigger, attempt, count(*) FROM cavecron_run GROUP BY state, trigger, attempt"
    assert cellar.rows(states) == [("succeeded", "slot", 1, number // 10)]


async def _run_until(scheduler: Scheduler, job_names: list[str], number: int) -> None:
    """Run the scheduler until `number` jobs have started; fail after a minute."""
    running = asyncio.create_task(scheduler.run())
    async with asyncio.timeout(60):
        while len(job_names) < number:
            await asyncio.sleep(0.01)
        scheduler.stop()
        await running
