"""A good guest: what an idle scheduler does not do, and does not hold."""

from tests.cellars import CellarFile
from tests.daemons import daemon

#: What a job, another command or a mistake needs, and an idle scheduler would hold in memory for years.
NOT_NEEDED = {
    *("argparse", "cryptography", "difflib", "email.message", "http.client", "json", "secrets", "smtplib"),
    *("cavecron.jobs.cleanup", "cavecron.jobs.weekly_reports", "cavecron.mail", "cavecron.notify"),
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
    """It is there for a year, and its jobs for some seconds."""
    jobs = cellar.path.with_name("jobs_of_mine.py")
    jobs.write_text(JOBS, encoding="utf-8")
    variables = {"DATABASE_URL": f"sqlite:///{cellar.path}", "CAVECRON_JOBS": str(jobs)}
    # coverage imports much itself
    with daemon({**variables, "COVERAGE_PROCESS_START": ""}) as running:
        cellar.wait_for("SELECT 1 FROM cavecron_job")
        assert running.stop()[0] == 0
        imported = set(running.wait_for("^modules:").split())
    assert {"cavecron.daemon", "cavecron.ledger.looking"} <= imported
    assert not NOT_NEEDED & imported
