"""One user's report while the rows come in: what is stored becomes what is told.

Pure: it knows no SQL. The application's columns can hold anything, so each value is made sure of here;
what cannot be read costs that row at most its part, never the report.
"""

import heapq
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import NamedTuple

from cavecron.database.timestamps import read_utc
from cavecron.report.maturity import Maturity, assess
from cavecron.report.model import (
    Activity,
    Cellar,
    Movement,
    Quantity,
    Recipient,
    Statistics,
    WeeklyReport,
    WineToDrink,
)

#: A report keeps this many wines to drink.
_WINES_KEPT = 10
#: Numbers beyond this are slips: they count as no bottle at all, and no sum of them overflows.
_MOST_BOTTLES = 10**12


class WineRow(NamedTuple):
    """A row of `wine` with the names that it refers to, as stored."""

    user_id: int
    id: int
    name: object
    extra_attributes: object
    quantity: object
    created_at: object
    cellar: object
    subcategory: object


class ExitRow(NamedTuple):
    """A row of `wine_consumption`, as stored."""

    user_id: int
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
    """From `start` to `end` (aware), and the calendar `year` in which bottles are judged.

    `horizon` is a date as text that sorts before every stored instant of the period.
    """

    start: datetime
    end: datetime
    year: int
    horizon: str

    def contains(self, stored: object) -> datetime | None:
        """Return the stored instant where it can be read and falls in the period."""
        if not isinstance(stored, str) or stored < self.horizon:  # most rows are old: no need to parse them
            return None
        instant = read_utc(stored)
        return instant if instant is not None and self.start <= instant <= self.end else None


@dataclass(slots=True, kw_only=True)
class Draft:
    """What is known so far of one recipient's report."""

    user: Recipient
    period: Period
    bottles: Quantity = 0
    references: int = 0
    cellars: list[Cellar] = field(default_factory=list)
    entries: list[tuple[datetime, int, Movement]] = field(default_factory=list)
    exits: list[tuple[datetime, int, Movement]] = field(default_factory=list)
    wines_total: int = 0
    _best: list[tuple[int, int, WineRow, Quantity, Maturity]] = field(default_factory=list)

    def add_cellar(self, name: object, bottles: object, capacity: object) -> None:
        """Take one of the user's cellars."""
        self.cellars.append(_cellar(text(name), quantity(bottles), quantity(capacity)))

    def add_wine(self, row: WineRow, insights: Sequence[str]) -> None:
        """Take one of the user's wines; `insights` come by weight, then age, both descending."""
        count = quantity(row.quantity)
        self.bottles += count
        if at := self.period.contains(row.created_at):
            self.entries.append((at, row.id, _entry(row, count, at)))
        if count > 0:
            self.references += 1
            self._judge(row, count, insights)

    def add_exit(self, row: ExitRow) -> None:
        """Take bottles that the user drank or gave away."""
        if (at := self.period.contains(row.consumed_at)) is None:
            return
        vintage = quantity(row.vintage)
        movement = Movement(
            name=text(row.name),
            vintage=int(vintage) or None,
            region=_optional(row.region),
            quantity=quantity(row.quantity),
            cellar=_optional(row.cellar),
            at=at,
            comment=_optional(row.comment),
        )
        self.exits.append((at, row.id, movement))

    def report(self) -> WeeklyReport:
        """Return the report of all that was taken."""
        ranked = sorted(self._best, reverse=True)
        return WeeklyReport(
            user=self.user,
            start=self.period.start,
            end=self.period.end,
            statistics=Statistics(
                bottles=self.bottles, references=self.references, cellars=tuple(self.cellars)
            ),
            activity=Activity(entries=_newest_first(self.entries), exits=_newest_first(self.exits)),
            wines=tuple(_wine(row, count, maturity) for _score, _id, row, count, maturity in ranked),
            wines_total=self.wines_total,
        )

    def _judge(self, row: WineRow, count: Quantity, insights: Sequence[str]) -> None:
        """Keep the wine if it is among the most urgent: by score, then by the lower id."""
        maturity = assess(row.extra_attributes, insights, self.period.year)
        if maturity.urgency is None:
            return
        self.wines_total += 1
        ranked = (maturity.score, -row.id, row, count, maturity)
        if len(self._best) < _WINES_KEPT:
            heapq.heappush(self._best, ranked)
        else:
            heapq.heappushpop(self._best, ranked)


def quantity(stored: object) -> Quantity:
    """Return a stored number, whole where it is; whatever is no number of things counts as 0."""
    if type(stored) is int and 0 <= stored <= _MOST_BOTTLES:  # nearly all of them
        return stored
    if not isinstance(stored, int | float) or not isfinite(stored) or abs(stored) > _MOST_BOTTLES:
        return 0
    return int(stored) if stored == int(stored) else stored


def text(stored: object) -> str:
    """Return what is stored as text; what SQLite hands out as text can be encoded."""
    if type(stored) is str:  # nearly all of it
        return stored
    if isinstance(stored, bytes):
        return stored.decode("utf-8", "replace")
    return "" if stored is None else str(stored)


def _optional(stored: object) -> str | None:
    return text(stored).strip() or None


def _newest_first(movements: Sequence[tuple[datetime, int, Movement]]) -> tuple[Movement, ...]:
    ordered = sorted(movements, key=lambda movement: movement[:2], reverse=True)
    return tuple(movement for _at, _id, movement in ordered)


def _cellar(name: str, bottles: Quantity, capacity: Quantity) -> Cellar:
    rate = round(bottles / capacity * 100, 1) if capacity > 0 else 0.0
    return Cellar(name=name, bottles=bottles, capacity=capacity, fill_rate=rate)


def _entry(row: WineRow, count: Quantity, at: datetime) -> Movement:
    return Movement(
        name=text(row.name),
        vintage=assess(row.extra_attributes, (), at.year).vintage,
        region=_region(row.extra_attributes),
        quantity=count,
        cellar=_optional(row.cellar),
        at=at,
    )


def _region(extra_attributes: object) -> str | None:
    try:
        attributes = json.loads(text(extra_attributes))
    except (ValueError, RecursionError):
        return None
    region = attributes.get("region") if isinstance(attributes, dict) else None
    # JSON can spell half a character ("\ud83c"), which cannot be encoded.
    return _optional(region.encode("utf-8", "replace").decode()) if isinstance(region, str) else None


def _wine(row: WineRow, count: Quantity, maturity: Maturity) -> WineToDrink:
    return WineToDrink(
        id=row.id,
        name=text(row.name),
        vintage=maturity.vintage,
        peak=maturity.peak,
        score=maturity.score,
        urgency=maturity.urgency or "",
        quantity=count,
        cellar=_optional(row.cellar),
        subcategory=_optional(row.subcategory),
        note=_optional(maturity.note),
    )
