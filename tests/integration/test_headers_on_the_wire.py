"""Texts of users in headers, as they arrive at a mail server: none adds a header."""

from collections.abc import Mapping
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from tests.support.app_database import CellarFile
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.headers import displayed, header_lines, mailbox
from tests.support.in_process import command

FORGED = "=?utf-8?q?X=0D=0AReply-To:_evil=40x.test=0D=0A=0D=0ABody?="
COMMON = [
    *("Subject", "From", "Date", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version"),
    *("Content-Language", "To", "Message-ID"),
]
PLAIN, REPORT = ["Content-Type", "Content-Transfer-Encoding"], ["List-Unsubscribe", "Content-Type"]

JOB = """
import sqlite3
from cavecron import job

@job("low_stock", title="alerte {wine}", day="*", hour=9, minute=0)
def low_stock(run):
    run.send("marie@example.org", "Plus de {wine}", "Il n'y en a plus.")
    raise RuntimeError("{wine}")
"""


def _run(variables: Mapping[str, str], *arguments: str) -> int:
    return command(*arguments, at=None, **variables).code


def _check(octets: bytes, names: list[str], subject: str, sender: str) -> None:
    """Check with the test's own parser and with `email` that exactly these headers arrived."""
    lines = header_lines(octets)
    assert [name for name, _value in lines] == names
    assert displayed(lines[0][1]) == subject
    assert mailbox(lines[1][1]) == (sender, "cave@example.org")
    parsed = message_from_bytes(octets, policy=default)
    assert parsed.keys() == names
    assert [origin.addr_spec for origin in parsed["From"].addresses] == ["cave@example.org"]
    assert parsed["Reply-To"] is None
    assert b"\r\nBody" not in octets


@pytest.mark.parametrize(
    "sender",
    [FORGED, "Cave de la maison de campagne, batiment principal (escalier B) <autre@example.net>, au fond"],
    ids=["forged", "long"],
)
def test_no_text_becomes_a_header(cellar: CellarFile, tmp_path: Path, sender: str) -> None:
    """A sender's name, the subject of a custom job, an alert and a test message add no header."""
    file = tmp_path / "jobs.py"
    file.write_text(JOB.format(wine=FORGED))
    user = cellar.user("marie")
    cellar.execute('UPDATE "user" SET username = ?', (FORGED,))
    cellar.wine(user, cellar.cellar(user), FORGED)
    with FakeSmtpServer() as server:
        cellar.smtp(server.port, sender_name=sender)
        variables = {
            "DATABASE_URL": f"sqlite:///{cellar.path}",
            "CAVECRON_JOBS": str(file),
            "CAVECRON_ALERT_TO": "chef@example.org",
        }
        assert _run(variables, "run", "weekly_reports") == 0
        assert _run(variables, "run", "low_stock") == 1
        _run(variables, "check", "--send-to", "marie@example.org")
        report, custom, alert, trial = [mail.content for mail in server.accepted]
    _check(report, COMMON + REPORT, "🍷 Votre rapport hebdomadaire - Cave à Vin", sender)
    _check(custom, COMMON + PLAIN, f"Plus de {FORGED}", sender)
    _check(alert, COMMON + PLAIN, "Cave à Vin : échec du job low_stock", sender)
    _check(trial, COMMON + PLAIN, "Essai - Cave à Vin", sender)
