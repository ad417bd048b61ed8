"""A restore while a scheduler runs: it continues with the restored file, and mails nobody twice."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.app_database import NOW, CellarFile
from tests.support.commands import cavecron
from tests.support.daemons import daemon
from tests.support.run_with_clock import program

#: The factor by which the scheduler's clock is faster: a minute lasts a second.
_SPEED = 60.0
_TICK = """
from cavecron import Run, job


@job("tick", cron="* * * * *")
def tick(run: Run) -> str:
    return "tick"
"""


@pytest.mark.slow
def test_a_running_scheduler_goes_on_with_the_restored_file(cellar: CellarFile) -> None:
    """The copy was made before the reports were sent; after its restore the next slot of another job runs."""
    for name in ("marie", "paul"):
        user = cellar.user(name)
        cellar.wine(user, cellar.cellar(user))
    outbox, tick = cellar.path.with_name("outbox"), cellar.path.with_name("tick.py")
    tick.write_text(_TICK)
    variables = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "CAVECRON_MAIL": f"maildir:{outbox}",
        "CAVECRON_JOBS": str(tick),
    }
    copy = cellar.path.with_name("copy.sqlite")
    with closing(sqlite3.connect(copy)) as target, closing(sqlite3.connect(cellar.path)) as source:
        source.backup(target)
    clock = program(NOW - timedelta(minutes=8), since=datetime.now(UTC), speed=_SPEED)
    with daemon(variables, program=clock) as scheduler:
        scheduler.wait_for("Rapports hebdomadaires: 2 envoyés")
        scheduler.wait_for("Job weekly_reports exécuté avec succès")
        user = cellar.user("later")
        cellar.wait_for("SELECT 1 FROM cavecron_run WHERE state = 'succeeded' AND job = 'weekly_reports'")
        for _ in range(20):  # a job may be running
            result = cavecron(
                "restore", str(copy), "--yes", cwd=None, prefix=(), encoding="utf-8", **variables
            )
            if result.code != 3:
                break
        assert (result.code, result.err) == (0, "")
        assert not cellar.rows(f'SELECT 1 FROM "user" WHERE id = {user}')
        count = len([line for line in scheduler.lines if "Job tick exécuté" in line])
        scheduler.wait_for("Job tick exécuté avec succès", times=count + 2)
        assert scheduler.stop()[0] == 0
    assert len(list((outbox / "new").iterdir())) == 2
    assert not [line for line in scheduler.lines if "manqué" in line or "ERROR" in line]
    states = cellar.rows("SELECT state FROM cavecron_run WHERE job = 'weekly_reports'")
    assert states == [("succeeded",)]
