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

#: Seconds that one write transaction may take, its commit included. SQLite's busy handler looks again
#: after 1, 2, 5, 10, 15, 20, 25, 25 ms, the last time at 78 ms, and then at 103 ms: whoever comes while
#: a bite of less than 78 ms begins looks at least once in the turn that follows it.
_BITE = 0.055
#: Seconds between two bites: a little more than the longest of those pauses.
_TURN = 0.026
#: Seconds for one statement: of a bite, which ends after one of them, and of a look for old rows.
_STEP, _LOOK = 0.006, 0.010
_FEWEST_ROWS, _MOST_ROWS = 100, 50_000
#: KiB of pages in memory: a bite must not spill into the file before its end, which keeps readers out too.
_CACHE = 8_000


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
    limit: str

    @property
    def condition(self) -> str:
        """Return the SQL condition; it takes `limit` as its parameter."""
        # Names are constants of this module. Text before `limit` is not always an older instant
        # ('', '12/05/2024', numbers): SQLite has to read the same date and time that it shows. '+0 days'
        # makes it see through the 30th of February; it rounds .9995 up, which the second half mends.
        # No Python date has a year 0, and '0001' without the hyphen would be the number 1.
        column, shown = self.column, f"substr({self.column}, 1, 19)"
        return (
            f"{column} < :limit AND {column} >= '0001-' AND (datetime({column}, '+0 days') = {shown}"
            f" OR datetime({shown}, '+0 days') = {shown} AND substr({column}, 20) NOT GLOB '*[^.0-9]*')"
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


def count_old(
    database: Database, retention: Retention, *, now: datetime, check: Callable[[], None]
) -> dict[str, int]:
    """Return how many rows of each table `prune` would delete at `now` (aware).

    `check` is called between two looks at a table and may raise.
    """
    counts = {}
    with database.session() as connection:
        for old in _old_rows(retention, now):
            walk = _Walk(connection, old, time.monotonic)
            counts[old.table] = 0
            while look := walk.look():
                counts[old.table] += look.old
                walk.after = look.last
                check()
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
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
        for old in _old_rows(retention, now):
            counts[old.table] = 0
            for deleted in _bites(_Walk(connection, old, monotonic)):
                counts[old.table] += deleted
                check()
                if deleted:
                    sleep(_TURN)
    return counts


def _old_rows(retention: Retention, now: datetime) -> tuple[_OldRows, ...]:
    kept = (
        ("email_log", "created_at", retention.email_log_days),
        ("activity_log", "created_at", retention.activity_log_days),
        ("api_token_usage", "timestamp", retention.api_usage_days),
    )
    return tuple(
        _OldRows(table=table, column=column, limit=_limit(now, days)) for table, column, days in kept
    )


def _limit(now: datetime, days: int) -> str:
    """Return the text that exactly the instants older than `days` sort before.

    Without the zeros at its end, '12:00:00' (an old row without a fraction) and '12:00:00.000000'
    are the same instant to a comparison of texts: neither sorts before '12:00:00'.
    """
    return utc_text(now - timedelta(days=days)).rstrip("0").rstrip(".")


def _bites(walk: "_Walk") -> Iterator[int]:
    """Walk a table once; yield after each look and each bite how many rows are gone."""
    while look := walk.look():
        more = look.old > 0
        walk.after = look.first_old - 1 if more else look.last
        yield 0
        while more:
            deleted, more = walk.bite()
            yield deleted


@dataclass(frozen=True, slots=True)
class _Look:
    """The last id of some rows, how many of them are old, and the id of the first that is."""

    last: int
    old: int
    first_old: int


@dataclass(slots=True)
class _Stride:
    """How many rows a statement goes through, so that it takes about so many seconds."""

    seconds: float
    rows: int = _FEWEST_ROWS

    def took(self, seconds: float) -> None:
        """Learn from the last statement."""
        factor = min(2.0, max(0.5, self.seconds / max(seconds, 1e-6)))
        self.rows = int(min(_MOST_ROWS, max(_FEWEST_ROWS, self.rows * factor)))


class _Walk:
    """The way along a table's primary key; `after` is the last id that is done with."""

    def __init__(self, connection: sqlite3.Connection, old: _OldRows, monotonic: Callable[[], float]) -> None:
        self.after = -(2**63)
        self._connection = connection
        self._old = old
        self._monotonic = monotonic
        self._indexed = _is_indexed(connection, old)
        self._look, self._step = _Stride(_LOOK), _Stride(_STEP)
        self._commit = 0.0

    def look(self) -> _Look | None:
        """Return what the next rows are; None where there is nothing left to look for."""
        if self._indexed and not self._anything_left():
            return None
        started = self._monotonic()
        table, condition = self._old.table, self._old.condition
        found = self._connection.execute(
            "SELECT max(id), count(old), coalesce(min(old), 0) FROM"  # noqa: S608 - constants
            f" (SELECT id, CASE WHEN {condition} THEN id END AS old FROM {table}"
            " WHERE id > :after ORDER BY id LIMIT :rows)",
            {"limit": self._old.limit, "after": self.after, "rows": self._look.rows},
        )
        last, old, first_old = found.fetchone()
        self._look.took(self._monotonic() - started)
        return None if last is None else _Look(last, old, first_old)

    def bite(self) -> tuple[int, bool]:
        """Delete in one transaction what time allows; return how many rows, and whether more may follow."""
        deleted, more = 0, True
        with transaction(self._connection):
            now = started = self._monotonic()  # waiting for the lock keeps nobody else waiting
            while more and now - started + self._commit + (_STEP if deleted else 0) <= _BITE:
                gone = self._delete()
                more = gone > 0
                deleted += gone
                earlier, now = now, self._monotonic()
                self._step.took(now - earlier)
        # What a commit costs is known from the last ones; a reader who was waited for is no reason to starve.
        self._commit = min(_BITE / 2, (self._commit + self._monotonic() - now) / 2)
        return deleted, more

    def _anything_left(self) -> bool:
        """Return whether the index knows an old row: that spares reading the young part of a table."""
        table, column = self._old.table, self._old.column
        left = f"SELECT 1 FROM {table} WHERE {column} < ? AND {column} >= '0001-' LIMIT 1"  # noqa: S608
        return self._connection.execute(left, (self._old.limit,)).fetchone() is not None

    def _delete(self) -> int:
        """Delete the old ones of the next rows; return how many."""
        table, rows = self._old.table, self._step.rows
        end = f"SELECT id FROM {table} WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?"  # noqa: S608
        found = self._connection.execute(end, (self.after, rows - 1)).fetchone()
        last = found[0] if found else 2**63 - 1
        gone = self._connection.execute(
            # NOT INDEXED: by the primary key, or each step would read the whole old part of the other index.
            f"DELETE FROM {table} NOT INDEXED WHERE id > :after AND id <= :last AND {self._old.condition}",  # noqa: S608
            {"after": self.after, "last": last, "limit": self._old.limit},
        )
        self.after = last
        return gone.rowcount


def _is_indexed(connection: sqlite3.Connection, old: _OldRows) -> bool:
    """Return whether the table has an index that begins with the date."""
    found = connection.execute(
        "SELECT 1 FROM pragma_index_list(?) AS list, pragma_index_info(list.name) AS part"
        " WHERE part.seqno = 0 AND part.name = ? AND NOT list.partial",
        (old.table, old.column),
    )
    return found.fetchone() is not None
