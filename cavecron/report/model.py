"""What a weekly report says of one user: plain values, and their JSON form.

Pure: it knows neither SQL nor mail; `builder` fills it in, `wording` words it.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

#: Of bottles or places: whole as the application writes it, but its column can hold a fraction.
Quantity = int | float
#: A year where one can be read, else the words that are stored: "NV" and "vers 2010" say something too.
Vintage = int | str
#: On what the choice of a wine to drink is based: its peak, a keeping note, or its age alone.
Basis = Literal["peak", "note", "age"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A user who gets a report: no parent account, and an address as the application stored it."""

    id: int
    username: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cellar:
    """How full one cellar is; `fill_rate` in percent, one decimal."""

    name: str
    bottles: Quantity
    capacity: Quantity
    fill_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Bottles and references of the owner, and each of the owner's cellars."""

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
    """The ins and outs of the period, newest first, with their totals in bottles."""

    entries: tuple[Movement, ...]
    exits: tuple[Movement, ...]

    @property
    def bottles_in(self) -> Quantity:
        """Return the bottles that came in."""
        return sum(movement.quantity for movement in self.entries)

    @property
    def bottles_out(self) -> Quantity:
        """Return the bottles that went out."""
        return sum(movement.quantity for movement in self.exits)

    @property
    def net(self) -> Quantity:
        """Return the change: positive when more came in than went out."""
        return self.bottles_in - self.bottles_out


@dataclass(frozen=True, slots=True, kw_only=True)
class WineToDrink:
    """A bottle whose peak is reached or passed: score 30 to 100; urgency urgent, optimal or bientôt."""

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
    """How many of the owner's wines ought to be drunk, by urgency."""

    urgent: int = 0
    optimal: int = 0
    soon: int = 0

    @property
    def total(self) -> int:
        """Return how many wines there are to drink."""
        return self.urgent + self.optimal + self.soon


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyReport:
    """Everything that one mail says; `start` and `end` are aware instants in UTC.

    `wines` holds the ten most urgent of the wines that `urgencies` counts. Of `unassessed` wines in the
    cellar neither vintage, peak nor keeping note is known, so that they cannot be scored.
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
            "exits": [_movement(gone) | {"comment": gone.comment} for gone in activity.exits],
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
