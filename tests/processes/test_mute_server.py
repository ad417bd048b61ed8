"""The scheduler is stopped while a mail of a custom job waits for a server that does not answer."""

from datetime import timedelta

import pytest

from tests.support.app_database import NOW, CellarFile
from tests.support.daemons import daemon
from tests.support.fake_smtp.faults import FaultRule, Step, delay
from tests.support.fake_smtp.server import FakeSmtpServer

JOB = '''
from cavecron import job

@job("mailer", title="un mail", cron="0 8 * * mon")
def mailer(run):
    """Send one mail."""
    run.send("marie@example.org", "Stock bas", "Il reste 2 bouteilles.")
'''


@pytest.mark.slow
def test_a_stop_leaves_a_mail_without_an_answer_in_doubt(cellar: CellarFile) -> None:
    """It stops within the grace; the next scheduler sends the mail again with the same Message-ID."""
    path = cellar.path.with_name("mine.py")
    path.write_text(JOB, encoding="utf-8")
    variables = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "CAVECRON_JOBS": str(path),
        "SCHEDULER_WEEKLY_REPORT_ENABLED": "0",
        "SCHEDULER_CLEANUP_ENABLED": "0",
    }
    with FakeSmtpServer(FaultRule(Step.END, delay(), times=None)) as server:
        cellar.smtp(server.port, timeout=60)
        with daemon(variables, at=NOW - timedelta(seconds=3)) as scheduler:
            cellar.wait_for("SELECT 1 FROM cavecron_delivery WHERE state = 'sending'")
            server.wait_until(lambda state: state.visits[Step.END] > 0)
            code, seconds = scheduler.stop()
        assert (code, seconds < 8.0) == (0, True)
        assert cellar.rows("SELECT state, reason FROM cavecron_run") == [
            ("interrupted", "arrêt demandé, le job s'est interrompu")
        ]
        server.policies.clear()
        with daemon(variables, at=NOW + timedelta(minutes=2)) as scheduler:
            scheduler.wait_for("Job mailer exécuté avec succès")
            scheduler.stop()
        assert len(server.accepted) == 2
        assert len({mail.message_id for mail in server.accepted}) == 1
    assert cellar.rows("SELECT state, repeats FROM cavecron_delivery") == [("sent", 1)]
