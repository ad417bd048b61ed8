"""The footprint of an idle scheduler: what it does not do, and does not keep open or in memory."""

import os
import socket
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.app_database import CellarFile
from tests.support.daemons import daemon
from tests.support.processes import Counters, counters, network_sockets, open_files

if not sys.platform.startswith("linux"):
    pytest.skip("only Linux tells in /proc what a process does", allow_module_level=True)

#: Modules for jobs, other commands or errors, which an idle scheduler would keep in memory for years.
NOT_NEEDED = {
    *("argparse", "cryptography", "difflib", "email.message", "http.client", "json", "secrets", "smtplib"),
    *(
        "cavecron.jobs.cleanup",
        "cavecron.jobs.weekly_reports",
        "cavecron.mail.delivery",
        "cavecron.mail.message",
        "cavecron.mail.smtp.client",
        "cavecron.status",
        "cavecron.status.files",
        "cavecron.scheduler.notifications",
    ),
}
JOBS = '''
import atexit, sys
from cavecron import job

atexit.register(lambda: print("modules:", *sys.modules))

@job("once", title="une fois", cron="0 0 1 1 *")
def once(run):
    """Says at the end what the process has imported."""
'''


def test_an_idle_scheduler_has_imported_nothing_that_only_a_job_needs(cellar: CellarFile) -> None:
    """The scheduler runs for years, its jobs for seconds, so it does not keep their modules in memory."""
    jobs = cellar.path.with_name("jobs_of_mine.py")
    jobs.write_text(JOBS, encoding="utf-8")
    variables = {"DATABASE_URL": f"sqlite:///{cellar.path}", "CAVECRON_JOBS": str(jobs)}
    # without coverage, which imports many modules
    with daemon({**variables, "COVERAGE_PROCESS_START": ""}) as scheduler:
        scheduler.wait_for("prochain créneau")
        assert scheduler.stop()[0] == 0
        imported = set(scheduler.wait_for("^modules:").split())
    assert {"cavecron.scheduler.scheduler", "cavecron.ledger.catch_up"} <= imported
    assert not NOT_NEEDED & imported


@pytest.mark.slow
def test_an_idle_scheduler_lets_the_disks_sleep(cellar: CellarFile) -> None:
    """In 35 seconds it wakes up once or twice, reads and writes nothing, and has no port open."""
    with daemon({"DATABASE_URL": f"sqlite:///{cellar.path}", "TZ": "UTC"}) as scheduler:
        scheduler.wait_for("Job cleanup .* prochain créneau")
        process = scheduler.process.pid
        before = _stable_counters(process)
        time.sleep(35)
        after = counters(process)
        assert after.characters == before.characters
        assert after.stored == before.stored
        assert 1 <= after.wakeups - before.wakeups <= 2
        assert not [name for name in open_files(process) if name.startswith(str(cellar.path))]
        assert not network_sockets(process)
        assert scheduler.stop()[0] == 0


def _stable_counters(process: int) -> Counters:
    """Return the counters when they have not changed for half a second; fail if they always change."""
    before = counters(process)
    for _ in range(40):
        time.sleep(0.5)
        now = counters(process)
        if now == before:
            return now
        before = now
    pytest.fail("the counters never stopped changing")


def test_the_measurement_notices_an_active_process(tmp_path: Path) -> None:
    """The measurement notices a process that reads, writes, listens and keeps a database open."""
    before = counters(os.getpid())
    with closing(sqlite3.connect(tmp_path / "wine.db")) as connection, socket.socket() as listener:
        connection.execute("CREATE TABLE wine (name)")
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        time.sleep(0.01)
        after = counters(os.getpid())
        assert after.characters > before.characters
        assert after.wakeups > before.wakeups
        assert str(tmp_path / "wine.db") in open_files(os.getpid())
        assert len(network_sockets(os.getpid())) == 1
