"""What a weekly report says of one user: plain values, and their JSON form.

Pure: it knows neither SQL nor mail; `reader` fills it in, `mail.message` words it.
"""

from dataclasses import dataclass
from datetime import datetime


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
    bottles: int
    capacity: int
    fill_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Bottles and references of the owner, and each of the owner's cellars."""

    bottles: int
    references: int
    cellars: tuple[Cellar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Bottles that came in or went out; `at` is aware, in UTC."""

    name: str
    vintage: int | None
    region: str | None
    quantity: int
    cellar: str | None
    at: datetime
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The ins and outs of the period, newest first, with their totals in bottles."""

    entries: tuple[Movement, ...]
    exits: tuple[Movement, ...]

    @property
    def bottles_in(self) -> int:
        """Return the bottles that came in."""
        return sum(movement.quantity for movement in self.entries)

    @property
    def bottles_out(self) -> int:
        """Return the bottles that went out."""
        return sum(movement.quantity for movement in self.exits)

    @property
    def net(self) -> int:
        """Return the change: positive when more came in than went out."""
        return self.bottles_in - self.bottles_out


@dataclass(frozen=True, slots=True, kw_only=True)
class WineToDrink:
    """A bottle whose peak is reached or passed: score 30 to 100; urgency urgent, optimal or bientôt."""

    id: int
    name: str
    vintage: int | None
    peak: int | None
    score: int
    urgency: str
    quantity: int
    cellar: str | None
    subcategory: str | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyReport:
    """Everything that one mail says; `start` and `end` are aware instants in UTC.

    `wines` holds the ten most urgent of the `wines_total` bottles that ought to be drunk.
    """

    user: Recipient
    start: datetime
    end: datetime
    statistics: Statistics
    activity: Activity
    wines: tuple[WineToDrink, ...]
    wines_total: int
