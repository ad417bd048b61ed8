"""Building one user's report from the rows of the application.

Pure: it knows no SQL. The application's columns can contain any value, so each one is checked here; an
unreadable value affects its row at most, never the report.
"""

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from operator import attrgetter, itemgetter
from typing import NamedTuple

from cavecron.database.timestamps import read_utc
from cavecron.report.columns import attributes, optional_text, quantity, region, text, vintage
from cavecron.report.maturity import Maturity, assess
from cavecron.report.model import (
    Activity,
    Cellar,
    Movement,
    Quantity,
    Recipient,
    Statistics,
    UrgencyCounts,
    WeeklyReport,
    WineToDrink,
)

#: The most wines to drink in a report.
_WINES_KEPT = 10


class WineRow(NamedTuple):
    """A row of `wine`, with the names of its cellar and subcategory, as stored."""

    id: int
    name: object
    extra_attributes: object
    quantity: object
    created_at: object
    cellar: object
    subcategory: object


class ExitRow(NamedTuple):
    """A row of `wine_consumption`, as stored."""

    id: int
    consumed_at: object
    quantity: object
    comment: object
    name: object
    vintage: object
    region: object
    cellar: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start` to `end` (aware), and the calendar `year` for which the maturity of wines is assessed.

    `horizon` is a date as text that sorts before every stored instant of the period.
    """

    start: datetime
    end: datetime
    year: int
    horizon: str

    def contains(self, stored: object) -> datetime | None:
        """Return the stored instant if it can be read and is in the period, else None."""
        if not isinstance(stored, str) or stored < self.horizon:  # most rows are old, and need not be parsed
            return None
        instant = read_utc(stored)
        return instant if instant is not None and self.start <= instant <= self.end else None


@dataclass(slots=True, kw_only=True)
class ReportBuilder:
    """Builds one recipient's report from rows, of which it keeps only what the report contains."""

    user: Recipient
    period: Period
    _bottles: Quantity = 0
    _references: int = 0
    _cellars: list[Cellar] = field(default_factory=list)
    _entries: list[tuple[int, Movement]] = field(default_factory=list)
    _exits: list[tuple[int, Movement]] = field(default_factory=list)
    _urgencies: Counter[str] = field(default_factory=Counter)
    _unassessed: int = 0
    _best: list[tuple[int, int, WineRow, Quantity, Maturity]] = field(default_factory=list)

    def add_cellar(self, name: object, bottles: object, capacity: object) -> None:
        """Add one of the user's cellars."""
        self._cellars.append(_cellar(text(name).strip(), quantity(bottles), quantity(capacity)))

    def add_wine(self, row: WineRow, insights: Sequence[str]) -> None:
        """Add one of the user's wines; `insights` are ordered by weight, then date, both descending."""
        count = quantity(row.quantity)
        self._bottles += count
        if at := self.period.contains(row.created_at):
            self._entries.append((row.id, _entry(row, count, at)))
        if count > 0:
            self._references += 1
            self._rank(row, count, insights)

    def add_exit(self, row: ExitRow) -> None:
        """Add bottles that the user drank or gave away."""
        if (at := self.period.contains(row.consumed_at)) is None:
            return
        movement = Movement(
            name=text(row.name).strip(),
            vintage=vintage(row.vintage),
            region=optional_text(row.region),
            quantity=quantity(row.quantity),
            cellar=optional_text(row.cellar),
            at=at,
            comment=optional_text(row.comment),
        )
        self._exits.append((row.id, movement))

    def report(self) -> WeeklyReport:
        """Return the report of all rows that were added."""
        ranked = sorted(self._best, reverse=True)
        return WeeklyReport(
            user=self.user,
            start=self.period.start,
            end=self.period.end,
            statistics=Statistics(
                bottles=self._bottles, references=self._references, cellars=tuple(self._cellars)
            ),
            activity=Activity(entries=_newest_first(self._entries), exits=_newest_first(self._exits)),
            wines=tuple(_wine(row, count, maturity) for _score, _id, row, count, maturity in ranked),
            urgencies=UrgencyCounts(
                urgent=self._urgencies["urgent"],
                optimal=self._urgencies["optimal"],
                soon=self._urgencies["bientôt"],
            ),
            unassessed=self._unassessed,
        )

    def _rank(self, row: WineRow, count: Quantity, insights: Sequence[str]) -> None:
        """Count the wine, and keep it if it is among the most urgent: by score, then by lower id."""
        maturity = assess(row.extra_attributes, insights, self.period.year)
        urgency = maturity.urgency
        if urgency is None:
            self._unassessed += not maturity.is_assessed
            return
        self._urgencies[urgency] += 1
        ranked = (maturity.score, -row.id, row, count, maturity)
        if len(self._best) < _WINES_KEPT:
            heapq.heappush(self._best, ranked)
        else:
            heapq.heappushpop(self._best, ranked)


def _newest_first(movements: Sequence[tuple[int, Movement]]) -> tuple[Movement, ...]:
    """Return the movements, newest first; at the same instant, the lower id comes first."""
    by_id = (movement for _id, movement in sorted(movements, key=itemgetter(0)))
    return tuple(sorted(by_id, key=attrgetter("at"), reverse=True))  # sorting is stable, also in reverse


def _cellar(name: str, bottles: Quantity, capacity: Quantity) -> Cellar:
    rate = round(bottles / capacity * 100, 1) if capacity > 0 else 0.0
    # A capacity near zero is an error, and JSON has no infinity.
    return Cellar(name=name, bottles=bottles, capacity=capacity, fill_rate=rate if isfinite(rate) else 0.0)


def _entry(row: WineRow, count: Quantity, at: datetime) -> Movement:
    details = attributes(row.extra_attributes)
    return Movement(
        name=text(row.name).strip(),
        vintage=vintage(details.get("year")),
        region=region(details.get("region")),
        quantity=count,
        cellar=optional_text(row.cellar),
        at=at,
    )


def _wine(row: WineRow, count: Quantity, maturity: Maturity) -> WineToDrink:
    return WineToDrink(
        id=row.id,
        name=text(row.name).strip(),
        vintage=maturity.vintage,
        peak=maturity.peak,
        score=maturity.score,
        urgency=maturity.urgency or "",
        basis=maturity.basis or "age",
        quantity=count,
        cellar=optional_text(row.cellar),
        subcategory=optional_text(row.subcategory),
        note=optional_text(maturity.note),
    )
