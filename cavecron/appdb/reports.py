"""Reading the rows for weekly reports from the application's tables, in short transactions.

The rules are in appdb/README.md, from Statistics on. It knows neither mail nor the ledger. Rows are processed
one by one, so that memory grows with the reports, not with the tables; a transaction reads many small users
or a part of a large one. `label_image_data` and `image_url` can contain photographs: they are never selected.
"""

import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cavecron.database.sqlite import Database
from cavecron.database.timestamps import utc_text
from cavecron.report.builder import ExitRow, Period, ReportBuilder, WineRow
from cavecron.report.columns import MOST_BOTTLES, text
from cavecron.report.maturity import KEEPING
from cavecron.report.model import Quantity, Recipient, WeeklyReport

_WEEK = timedelta(hours=168)
#: Sorts before every id.
_BEFORE_ALL = -(2**63)


def _sum(column: str) -> str:
    """Return SQL for the sum of the values that `columns.quantity` accepts; others could overflow it."""
    return (
        f"sum(CASE WHEN typeof({column}) IN ('integer', 'real')"
        f" AND {column} BETWEEN -{MOST_BOTTLES} AND {MOST_BOTTLES} THEN {column} ELSE 0 END)"
    )


# wine.cellar_id has no index: one scan counts for all cellars, in slices of a number of rows, because ids may
# lie far apart.
_BOTTLES = f"""
    SELECT cellar_id, {_sum("quantity")}, max(id), count(*)
    FROM (SELECT id, cellar_id, quantity FROM wine WHERE id > :after ORDER BY id LIMIT :slice)
    GROUP BY cellar_id"""  # noqa: S608 - a constant

_CELLARS = f"""
    SELECT id, name, coalesce(
        (SELECT {_sum("capacity")} FROM cellar_floor WHERE cellar_id = cellar.id GROUP BY cellar_id),
        max(floors * bottles_per_floor, 0))
    FROM cellar WHERE user_id = :user ORDER BY id"""  # noqa: S608 - a constant

# This is the order of the index on user_id, so that nothing is sorted and reading can stop at any row.
_WINES = """
    SELECT wine.id, wine.name, extra_attributes, quantity, created_at, cellar.name, alcohol_subcategory.name
    FROM wine LEFT JOIN cellar ON cellar.id = wine.cellar_id
              LEFT JOIN alcohol_subcategory ON alcohol_subcategory.id = wine.subcategory_id
    WHERE wine.user_id = :user AND wine.id > :after ORDER BY wine.id"""

# LIKE ignores case only in ASCII, so the pattern has `_` for other letters; it skips blobs, and stops at NUL.
_PATTERNS = dict.fromkeys("".join(letter if letter.isascii() else "_" for letter in word) for word in KEEPING)
_KEEPING = " OR ".join(f"content LIKE '%{pattern}%'" for pattern in _PATTERNS)
_INSIGHTS = f"""
    SELECT wine.id, wine_insight.content
    FROM wine CROSS JOIN wine_insight ON wine_insight.wine_id = wine.id
    WHERE wine.user_id = :user AND wine.id > :after
          AND ({_KEEPING} OR typeof(content) = 'blob' OR instr(content, char(0)))
    ORDER BY wine.id, weight DESC, wine_insight.created_at DESC, wine_insight.id"""  # noqa: S608 - a constant

_EXITS = """
    SELECT id, consumed_at, quantity, comment, snapshot_name, snapshot_year, snapshot_region, snapshot_cellar
    FROM wine_consumption WHERE user_id = :user AND consumed_at >= :horizon"""

_NO_INSIGHT: tuple[object, object] = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """The size of one read transaction: writers wait for its end, and its reports are in memory.

    After `rows` or `characters` it begins no other user; after `overrun` times as many it ends within the
    rows of a user.
    """

    rows: int = 1000
    characters: int = 1_000_000
    overrun: int = 4


_LIMITS = BatchLimits()


def build_reports(
    database: Database,
    recipients: Sequence[Recipient],
    *,
    at: datetime,
    zone: ZoneInfo,
    limits: BatchLimits = _LIMITS,
) -> Iterator[WeeklyReport]:
    """Yield the report of each recipient for the week before `at` (aware), in order of id.

    The database is not open while the caller uses a report.

    Raises:
        CavecronError: the database cannot be read.

    """
    if not recipients:
        return
    start = at - _WEEK
    period = Period(
        start=start,
        end=at,
        year=at.astimezone(zone).year,
        horizon=utc_text(start - timedelta(days=1))[:10],
    )
    reader = _Reader(
        sorted(recipients, key=lambda recipient: recipient.id), period, _bottles(database, limits)
    )
    while reader.is_behind:
        with database.reading() as connection:
            batch = reader.read_batch(connection, limits)
        while batch:
            yield batch.popleft()


def _bottles(database: Database, limits: BatchLimits) -> dict[object, Quantity]:
    """Return the number of bottles by cellar id, read in slices."""
    bottles: dict[object, Quantity] = {}
    after, width = _BEFORE_ALL, 10 * limits.rows
    with database.session() as connection:
        while True:
            groups = connection.execute(_BOTTLES, {"after": after, "slice": width}).fetchall()
            for cellar, count, _last, _rows in groups:
                bottles[cellar] = bottles.get(cellar, 0) + count
            if sum(rows for *_, rows in groups) < width:
                return bottles
            after = max(last for *_, last, _rows in groups)


class _Reader:
    """Reads the reports of several users, one transaction at a time; `_waiting` are those still to be read.

    Of the first of them, the wines up to the id `_after` are already in the builder, if there is one.
    """

    def __init__(
        self, recipients: Sequence[Recipient], period: Period, bottles: Mapping[object, Quantity]
    ) -> None:
        self._waiting = deque(recipients)
        self._period = period
        self._bottles = bottles
        self._builder: ReportBuilder | None = None
        self._after = _BEFORE_ALL

    @property
    def is_behind(self) -> bool:
        """Return whether a report is still to be read."""
        return bool(self._waiting)

    def read_batch(self, connection: sqlite3.Connection, limits: BatchLimits) -> deque[WeeklyReport]:
        """Read until the limits of a transaction are reached; return the reports that are complete."""
        batch: deque[WeeklyReport] = deque()
        size = _BatchSize(limits)
        while self._waiting and not size.is_full:
            try:
                builder = self._read_user(connection, size)
            except sqlite3.OperationalError as error:
                if "decode" not in str(error) or connection.text_factory is text:
                    raise
                # Invalid UTF-8 loses only its unreadable letters. Decoding each text in Python is slow, so
                # this begins only after SQLite's own decoding has failed.
                connection.text_factory = text
                continue
            if builder is None:
                break
            batch.append(builder.report())
            self._waiting.popleft()
            self._builder, self._after = None, _BEFORE_ALL
        return batch

    def _read_user(self, connection: sqlite3.Connection, size: "_BatchSize") -> ReportBuilder | None:
        """Return the builder with all rows of the first user, None if the batch ends before."""
        user = self._waiting[0]
        if self._builder is None:
            self._builder = self._new_builder(connection, user, size)
        values = {"user": user.id, "after": self._after}
        insights = iter(connection.execute(_INSIGHTS, values))
        wine_id, content = next(insights, _NO_INSIGHT)
        for stored in connection.execute(_WINES, values):
            row = WineRow._make(stored)
            contents = []
            while wine_id == row.id:
                contents.append(text(content))
                wine_id, content = next(insights, _NO_INSIGHT)
            self._builder.add_wine(row, contents)
            self._after = row.id
            if size.add_wine(row, contents):
                return None
        return self._builder

    def _new_builder(
        self, connection: sqlite3.Connection, user: Recipient, size: "_BatchSize"
    ) -> ReportBuilder:
        """Return a builder with all rows of the user except the wines."""
        values = {"user": user.id, "horizon": self._period.horizon}
        cellars = connection.execute(_CELLARS, values).fetchall()
        exits = [ExitRow._make(row) for row in connection.execute(_EXITS, values)]
        builder = ReportBuilder(user=user, period=self._period)
        for cellar_id, name, capacity in cellars:
            builder.add_cellar(name, self._bottles.get(cellar_id), capacity)
        for row in exits:
            builder.add_exit(row)
        size.add_rows(1 + len(cellars) + len(exits), sum(_length(row.comment) for row in exits))
        return builder


class _BatchSize:
    """Counts the rows and characters that a transaction has read."""

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._rows = self._characters = 0
        self._most_rows = limits.rows * limits.overrun
        self._most_characters = limits.characters * limits.overrun

    @property
    def is_full(self) -> bool:
        """Return whether the transaction should begin no other user."""
        return self._rows >= self._limits.rows or self._characters >= self._limits.characters

    def add_rows(self, rows: int, characters: int) -> None:
        """Count rows of a user other than wines."""
        self._rows += rows
        self._characters += characters

    def add_wine(self, row: WineRow, insights: Sequence[str]) -> bool:
        """Count a wine; return whether the transaction has to end, even within a user."""
        self._rows += 1 + len(insights)
        self._characters += _length(row.extra_attributes)
        for insight in insights:
            self._characters += len(insight)
        return self._rows >= self._most_rows or self._characters >= self._most_characters


def _length(stored: object) -> int:
    return len(stored) if isinstance(stored, str | bytes) else 0
