"""The application's log tables: rows of sent mails in, old rows out in small bites.

It knows neither what a mail says nor when a cleanup is due. The application's web workers write all
the time, and with a rollback journal only one writer gets in: so each transaction of a cleanup is
sized by its time, and between two a waiting writer gets its turn.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cavecron.cellar.database import Database, transaction, utc_text
from cavecron.settings import Retention

#: Seconds that one write transaction may take: a writer waits for one at most.
_BITE = 0.035
#: Seconds between two: SQLite's busy handler looks again after 1, 2, 5, 10, 15, 20, 25, 25, 25 ms, so
#: whoever has waited for less than 100 ms looks at least once in this time.
_TURN = 0.026
_FIRST_ROWS, _FEWEST_ROWS, _MOST_ROWS = 1_000, 200, 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailLogRow:
    """One mail as the application's admin pages show it: sent at `at` (aware), or failed with an error."""

    smtp_config_id: int | None
    recipient_email: str
    recipient_user_id: int | None
    subject: str
    template_name: str
    error_message: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _OldRows:
    """The rows of one table whose `column` says an instant before `limit`.

    Rows without a readable instant are nobody's to delete: they are never old.
    """

    table: str
    column: str
    indexed: bool
    limit: str

    @property
    def condition(self) -> str:
        """Return the SQL condition; it takes `limit` as its parameter."""
        # Names are constants of this module. Text before `limit` is not always an older instant
        # ('', '12/05/2024', numbers), hence the reading of the date and of what follows the seconds.
        column = self.column
        return (
            f"{column} < :limit AND datetime(substr({column}, 1, 19)) = substr({column}, 1, 19)"
            f" AND substr({column}, 20) NOT GLOB '*[^.0-9]*' AND {column} >= '0001'"
        )


def record_mail(connection: sqlite3.Connection, mail: int | None, sent: EmailLogRow) -> int:
    """Write `sent` into `email_log`, within the caller's transaction; return the id of its row.

    `mail` is the row that an earlier try has left, None where this is the first: a mail has one row.
    """
    at = utc_text(sent.at)
    failed = sent.error_message is not None
    values = {
        "mail": mail,
        "config": sent.smtp_config_id,
        "email": sent.recipient_email,
        "user": sent.recipient_user_id,
        "subject": sent.subject,
        "template": sent.template_name,
        "status": "failed" if failed else "sent",
        "error": sent.error_message,
        "sent": None if failed else at,
        "created": at,
    }
    if mail is not None:
        rewritten = connection.execute(
            "UPDATE email_log SET smtp_config_id = :config, recipient_email = :email, status = :status,"
            " error_message = :error, sent_at = :sent WHERE id = :mail AND template_name = :template",
            values,
        )
        if rewritten.rowcount:
            return mail
    inserted = connection.execute(
        "INSERT INTO email_log (smtp_config_id, recipient_email, recipient_user_id, subject, template_name,"
        " status, error_message, sent_at, created_at) VALUES (:config, :email, :user, :subject, :template,"
        " :status, :error, :sent, :created)",
        values,
    )
    return inserted.lastrowid or 0


def count_old(database: Database, retention: Retention, *, now: datetime) -> dict[str, int]:
    """Return how many rows of each table `prune` would delete at `now` (aware)."""
    counts = {}
    for old in _old_rows(retention, now):
        with database.reading() as connection:
            found = connection.execute(
                f"SELECT count(*) FROM {old.table} WHERE {old.condition}",  # noqa: S608 - constants
                {"limit": old.limit},
            )
            counts[old.table] = int(found.fetchone()[0])
    return counts


def prune(
    database: Database,
    retention: Retention,
    *,
    now: datetime,
    check: Callable[[], None],
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, int]:
    """Delete the rows older than their retention at `now` (aware); return how many of each table.

    `check` is called between two transactions and may raise; what is deleted by then stays deleted.
    `monotonic` returns seconds, `sleep` waits for some.
    """
    counts = {}
    with database.session() as connection:
        for old in _old_rows(retention, now):
            counts[old.table] = 0
            for deleted in _bites(connection, old, monotonic):
                counts[old.table] += deleted
                check()
                if deleted:
                    sleep(_TURN)
    return counts


def _old_rows(retention: Retention, now: datetime) -> tuple[_OldRows, ...]:
    return (
        _OldRows(
            table="email_log",
            column="created_at",
            indexed=False,
            limit=_limit(now, retention.email_log_days),
        ),
        _OldRows(
            table="activity_log",
            column="created_at",
            indexed=True,
            limit=_limit(now, retention.activity_log_days),
        ),
        _OldRows(
            table="api_token_usage",
            column="timestamp",
            indexed=True,
            limit=_limit(now, retention.api_usage_days),
        ),
    )


def _limit(now: datetime, days: int) -> str:
    """Return the text that exactly the instants older than `days` sort before.

    Without the zeros at its end, '12:00:00' (an old row without a fraction) and '12:00:00.000000'
    are the same instant to a comparison of texts: neither sorts before '12:00:00'.
    """
    return utc_text(now - timedelta(days=days)).rstrip("0").rstrip(".")


def _bites(connection: sqlite3.Connection, old: _OldRows, monotonic: Callable[[], float]) -> Iterator[int]:
    """Walk the primary key once; delete window by window, and yield how many rows each one lost."""
    after, rows = -(2**63), _FIRST_ROWS
    while last := _window(connection, old, after, rows):
        started = monotonic()
        deleted = 0
        if last.has_old:
            with transaction(connection):
                started = monotonic()  # waiting for the lock keeps nobody else waiting
                deleted = _delete(connection, old, after, last.id)
        rows = _resized(rows, monotonic() - started) if deleted else rows
        after = last.id
        yield deleted


@dataclass(frozen=True, slots=True)
class _Window:
    """The last id of some rows, and whether one of them may be old."""

    id: int
    has_old: bool


def _window(connection: sqlite3.Connection, old: _OldRows, after: int, rows: int) -> _Window | None:
    """Return the next window of `rows` rows; None where there is nothing left to look for."""
    if old.indexed:
        # One look into the index spares reading a table of which nothing (more) is old.
        left = f"SELECT 1 FROM {old.table} WHERE {old.column} < ? AND {old.column} >= '0001' LIMIT 1"  # noqa: S608
        if connection.execute(left, (old.limit,)).fetchone() is None:
            return None
    found = connection.execute(
        f"SELECT max(id), max(stamp < ?) FROM (SELECT id, {old.column} AS stamp FROM {old.table}"  # noqa: S608
        " WHERE id > ? ORDER BY id LIMIT ?)",
        (old.limit, after, rows),
    )
    last, has_old = found.fetchone()
    return None if last is None else _Window(last, bool(has_old))


def _delete(connection: sqlite3.Connection, old: _OldRows, after: int, last: int) -> int:
    cursor = connection.execute(
        # NOT INDEXED: by the primary key, or each window would read the whole old part of the other index.
        f"DELETE FROM {old.table} NOT INDEXED WHERE id > :after AND id <= :last AND {old.condition}",  # noqa: S608
        {"after": after, "last": last, "limit": old.limit},
    )
    return cursor.rowcount


def _resized(rows: int, seconds: float) -> int:
    """Return how many rows the next bite has, so that it lasts about `_BITE` seconds."""
    factor = min(2.0, max(0.5, _BITE / max(seconds, 1e-6)))
    return int(min(_MOST_ROWS, max(_FEWEST_ROWS, rows * factor)))
