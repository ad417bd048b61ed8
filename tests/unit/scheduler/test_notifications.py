"""Notifications of a run: pings to a monitoring service over a socket, and mails to the operator."""

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cavecron.clock import SystemClock
from cavecron.jobs.loader import load_for
from cavecron.scheduler.notifications import mail_absence
from tests.support.app_database import NOW, CellarFile
from tests.support.clocks import FastClock
from tests.support.commands import Result
from tests.support.fake_smtp.faults import FaultRule, Step, delay
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.in_process import command

JOBS = """
from cavecron import TemporaryError, job

@job("fine", title="tout va bien")
def fine(run):
    return "douze bouteilles"

@job("broken", title="tout va mal")
def broken(run):
    raise ValueError("la cave est vide")

@job("busy", title="plus tard")
def busy(run):
    raise TemporaryError("serveur occupé")
"""


class Service(ThreadingHTTPServer):
    """A monitoring service that keeps the pings it gets and answers with `status`."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.pings: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """Return the address for pings."""
        return f"http://127.0.0.1:{self.server_address[1]}/secret-uuid"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.pings.append((self.path, body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Log nothing."""


@contextmanager
def service(status: int = 200) -> Iterator[Service]:
    """Yield a monitoring service that listens on a port."""
    with Service(status) as monitor:
        Thread(target=monitor.serve_forever, daemon=True).start()
        yield monitor
        monitor.shutdown()


def run(cellar: CellarFile, job: str, **variables: str) -> Result:
    """Run one of the jobs by hand, with a folder for mails."""
    path = cellar.path.with_name("mine.py")
    path.write_text(JOBS, encoding="utf-8")
    defaults = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "CAVECRON_MAIL": f"maildir:{cellar.path.with_name('box')}",
        "CAVECRON_JOBS": str(path),
    }
    return command("run", job, at=None, **{**defaults, **variables})


def mails(cellar: CellarFile) -> list[EmailMessage]:
    """Return the mails in the folder."""
    box: Path = cellar.path.with_name("box") / "new"
    messages = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in box.iterdir()
    ]
    return [mail for mail in messages if isinstance(mail, EmailMessage)]


@pytest.mark.parametrize(
    ("job", "end", "body"),
    [
        ("fine", "/secret-uuid", "douze bouteilles"),
        ("broken", "/secret-uuid/fail", "ValueError : la cave est vide"),
    ],
)
def test_a_dead_mans_service_hears_of_both_ends(cellar: CellarFile, job: str, end: str, body: str) -> None:
    """The service gets a ping at the start and one at the end, with the summary or the reason."""
    with service() as monitor:
        run(cellar, job, **{f"SCHEDULER_{job.upper()}_PING_URL": monitor.url})
        assert monitor.pings == [("/secret-uuid/start", ""), (end, body)]


def test_a_query_stays_behind_the_path(cellar: CellarFile) -> None:
    """The suffix of a ping comes before the query, where some services expect a key."""
    with service() as monitor:
        run(cellar, "fine", SCHEDULER_FINE_PING_URL=f"{monitor.url}?key=1")
        assert [path for path, _ in monitor.pings] == ["/secret-uuid/start?key=1", "/secret-uuid?key=1"]


@pytest.mark.parametrize("status", [404, 500, None], ids=["unknown", "broken", "nobody listens"])
def test_a_ping_that_fails_is_a_warning_and_nothing_more(cellar: CellarFile, status: int | None) -> None:
    """The run succeeds with a warning, and no line of the log shows the URL, which is secret."""
    with service(status or 200) as monitor:
        url = monitor.url if status else "http://127.0.0.1:1/secret-uuid"
        result = run(cellar, "fine", SCHEDULER_FINE_PING_URL=url)
    assert result.code == 0
    assert result.out.count("WARNING - Le service de surveillance (PING_URL) n'a pas reçu") == 2
    assert "secret-uuid" not in result.out + result.err


def test_the_operator_gets_a_mail_after_a_failure(cellar: CellarFile) -> None:
    """A failure causes one mail with the reason and what to do; a success causes none."""
    run(cellar, "fine", CAVECRON_ALERT_TO="chef@example.org")
    assert not cellar.path.with_name("box").exists()
    run(cellar, "broken", CAVECRON_ALERT_TO="chef@example.org")
    (mail,) = mails(cellar)
    assert (mail["To"], mail["Subject"]) == ("chef@example.org", "Cave à Vin : échec du job broken")
    text = mail.get_content()
    assert "ValueError : la cave est vide" in text
    assert "cavecron history broken" in text


def test_an_alert_that_cannot_go_out_is_a_warning(cellar: CellarFile) -> None:
    """Without a mail server, the run still ends with its own result."""
    result = run(cellar, "broken", CAVECRON_ALERT_TO="chef@example.org", CAVECRON_MAIL="smtp")
    assert result.code == 1
    assert "WARNING - L'alerte à CAVECRON_ALERT_TO n'est pas partie : aucune configuration SMTP" in result.out


@pytest.mark.parametrize("step", [pytest.param(Step.EHLO, marks=pytest.mark.slow), Step.END])
def test_an_alert_waits_a_minute_at_most_for_a_server(
    cellar: CellarFile, caplog: pytest.LogCaptureFixture, step: Step
) -> None:
    """An alert does not wait ten minutes for a reply, and counts as sent if it may have arrived."""
    variables = {"DATABASE_URL": f"sqlite:///{cellar.path}", "CAVECRON_ALERT_TO": "chef@example.org"}
    clock = FastClock(NOW, since=SystemClock().now(), speed=20.0)
    with FakeSmtpServer(FaultRule(step, delay(), times=None)) as server:
        cellar.smtp(server.port, timeout=300)
        began = clock.monotonic()
        is_done = mail_absence("base introuvable", load_for([], variables), clock)
        assert clock.monotonic() - began < 60.0
    assert is_done == (step is Step.END)
    expected = "est peut-être partie" if is_done else "n'est pas partie"
    assert f"L'alerte à CAVECRON_ALERT_TO {expected}" in caplog.text
