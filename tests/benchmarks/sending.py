"""`run weekly_reports` to a local server, over a bare smtplib loop with the same prepared messages.

No mail starts before the ledger has recorded it on the disk, and the bare loop writes nothing: so the figure
on a disk depends on the duration of a commit there, which is printed beside it.
"""

import smtplib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from zoneinfo import ZoneInfo

from cavecron.appdb.recipients import recipients
from cavecron.appdb.reports import build_reports
from cavecron.database.sqlite import Database
from cavecron.mail.message import Sender, message_id
from cavecron.report.message import compose
from tests.benchmarks.figures import MEMORY, Figure, ratio, seconds
from tests.benchmarks.null_smtp_server import null_smtp_server
from tests.benchmarks.sample import NOW, Cellars, add_server, fill
from tests.support.commands import environment

_PARIS = ZoneInfo("Europe/Paris")


def figures(folder: Path, quick: bool) -> Iterator[Figure]:
    """Measure the whole process, with 2,000 users × 100 wines × 2 insights."""
    users, runs = (20, 1) if quick else (2000, 5)
    if MEMORY.is_dir():
        with tempfile.TemporaryDirectory(dir=MEMORY) as memory_folder:
            yield _figure(Path(memory_folder) / "wine.db", "in memory", users, runs)
    yield _figure(folder / "wine.db", "on a disk", users, runs)
    yield Figure(
        name="one commit of one row on that disk", measured=_commit(folder) * 1000, unit="ms", limit=None
    )


def _figure(path: Path, place: str, users: int, runs: int) -> Figure:
    fill(path, Cellars(users=users, wines=100))
    messages = _messages(path)
    with null_smtp_server() as port:
        add_server(path, port)
        return ratio(
            "run weekly_reports, over a bare smtplib loop that sends the same mails on one connection,"
            f" the database {place}",
            lambda: seconds(lambda: _run(path, users)),
            lambda: seconds(lambda: _send(messages, port)),
            limit=3,
            runs=runs,
        )


def _messages(path: Path) -> list[Message]:
    """Return the messages that the run will send."""
    database = Database(path)
    people = recipients(database).recipients
    mails = [
        compose(
            report,
            zone=_PARIS,
            generated=NOW,
            sender=Sender(address="cave@example.org", name="Cave à Vin"),
            message_id=message_id("benchmark", report.user.id, "example.org"),
        )
        for report in build_reports(database, people, at=NOW, zone=_PARIS)
    ]
    return [message_from_bytes(bytes(mail)) for mail in mails]


def _send(messages: list[Message], port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port) as server:
        for message in messages:
            server.send_message(message)


def _run(path: Path, users: int) -> None:
    """Run the job as a person does, and check that each user got a mail."""
    before = _sent(path)
    subprocess.run(
        [sys.executable, "-m", "cavecron", "run", "weekly_reports"],
        env=environment(DATABASE_URL=f"sqlite:///{path}"),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert _sent(path) == before + users


def _sent(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT count(*) FROM email_log WHERE status = 'sent'").fetchone()
    return int(row[0])


def _commit(folder: Path) -> float:
    """Return the seconds that a commit of one row takes here."""
    with closing(sqlite3.connect(folder / "plain.db")) as connection:
        connection.execute("CREATE TABLE plain (at TEXT)")
        durations = []
        for _ in range(50):
            connection.execute("INSERT INTO plain VALUES ('now')")
            durations.append(seconds(connection.commit))
    return statistics.median(durations)
