"""The contents of one user's weekly report as plain values, and their JSON form.

Pure: it knows neither SQL nor mail; `builder` makes it, `wording` turns it into French.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

#: A number of bottles or places; the application writes integers, but the column can contain a fraction.
Quantity = int | float
#: A year if it can be read, else the stored words, because "NV" and "vers 2010" are useful too.
Vintage = int | str
#: The reason for which a wine was chosen: its peak, a keeping note, or its age alone.
Basis = Literal["peak", "note", "age"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A user who gets a report: an account without parent, with the address as stored."""

    id: int
    username: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cellar:
    """One cellar; `fill_rate` is in percent, with one decimal."""

    name: str
    bottles: Quantity
    capacity: Quantity
    fill_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The owner's number of bottles and of references, and the owner's cellars."""

    bottles: Quantity
    references: int
    cellars: tuple[Cellar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Bottles that came in or went out; `at` is aware, in UTC."""

    name: str
    vintage: Vintage | None
    region: str | None
    quantity: Quantity
    cellar: str | None
    at: datetime
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Bottles that came in and went out in the period, newest first."""

    entries: tuple[Movement, ...]
    exits: tuple[Movement, ...]

    @property
    def bottles_in(self) -> Quantity:
        """Return the number of bottles that came in."""
        return sum(movement.quantity for movement in self.entries)

    @property
    def bottles_out(self) -> Quantity:
        """Return the number of bottles that went out."""
        return sum(movement.quantity for movement in self.exits)

    @property
    def net(self) -> Quantity:
        """Return the net change in bottles: positive if more came in than went out."""
        return self.bottles_in - self.bottles_out


@dataclass(frozen=True, slots=True, kw_only=True)
class WineToDrink:
    """A wine that should be drunk: `score` is 30 to 100, `urgency` urgent, optimal or bientôt."""

    id: int
    name: str
    vintage: Vintage | None
    peak: int | None
    score: int
    urgency: str
    basis: Basis
    quantity: Quantity
    cellar: str | None
    subcategory: str | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UrgencyCounts:
    """How many of the owner's wines should be drunk, by urgency."""

    urgent: int = 0
    optimal: int = 0
    soon: int = 0

    @property
    def total(self) -> int:
        """Return how many wines there are to drink."""
        return self.urgent + self.optimal + self.soon


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyReport:
    """The contents of one mail; `start` and `end` are aware instants in UTC.

    `wines` are the ten most urgent of the wines that `urgencies` counts. `unassessed` counts wines without a
    vintage, a peak and a keeping note, which get no score.
    """

    user: Recipient
    start: datetime
    end: datetime
    statistics: Statistics
    activity: Activity
    wines: tuple[WineToDrink, ...]
    urgencies: UrgencyCounts
    unassessed: int


def as_json(report: WeeklyReport) -> dict[str, object]:
    """Return the report as `cavecron preview --json` prints it; instants are ISO 8601 with offset."""
    activity = report.activity
    return {
        "user": {"id": report.user.id, "username": report.user.username},
        "period": {"start": report.start.isoformat(), "end": report.end.isoformat()},
        "statistics": asdict(report.statistics),
        "activity": {
            "bottles_in": activity.bottles_in,
            "bottles_out": activity.bottles_out,
            "net": activity.net,
            "entries": [_movement(entry) for entry in activity.entries],
            "exits": [_movement(exit_) | {"comment": exit_.comment} for exit_ in activity.exits],
        },
        "wines_to_drink": [asdict(wine) for wine in report.wines],
        "urgencies": asdict(report.urgencies),
        "unassessed": report.unassessed,
    }


def _movement(movement: Movement) -> dict[str, object]:
    return {
        "name": movement.name,
        "vintage": movement.vintage,
        "region": movement.region,
        "quantity": movement.quantity,
        "cellar": movement.cellar,
        "at": movement.at.isoformat(),
    }
