"""How many mails go out at a time, and how fast.

Pure: instants are seconds on a monotonic clock that the caller reads.
"""

from collections import deque
from dataclasses import dataclass

_MINUTE = 60.0
#: Seconds: the longest pause for a refusal that concerned one mail, and only may mean all of them.
_LONGEST_HINT = 5.0
#: Seconds: what noting down may seem to cost; more is a database that was locked.
_DEAREST = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What a mailing may ask of the mail server; times in seconds.

    `per_connection` mails go over one connection at most, `per_minute` in any 60 seconds over all of them
    (None: no limit). `pauses` are made in turn when the server asks to slow down, as long as nothing gets
    through; after the last one the mailing gives up. A mail that was refused for now is tried again
    `second_try` after that at the earliest. `grace` is what mails on their way get once the mailing ends.
    """

    connections: int = 2
    per_connection: int = 100
    per_minute: int | None = None
    pauses: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
    second_try: float = 10.0
    grace: float = 6.0


class Company:
    """How long a result may wait for others: noting several down costs what noting one does.

    Without this, two connections that are answered one after the other take turns for ever, each turn with
    one result.
    """

    def __init__(self) -> None:
        self._cost = 0.0
        self._since: float | None = None

    def arrived(self, now: float) -> None:
        """Tell that there is a result."""
        if self._since is None:
            self._since = now

    def noted(self, seconds: float) -> None:
        """Tell that all results were noted down, and how long that took."""
        self._since = None
        self._cost = (self._cost + min(seconds, _DEAREST)) / 2

    def wait(self, now: float) -> float:
        """Return the seconds that a result may still wait."""
        return 0.0 if self._since is None else max(0.0, self._since + self._cost - now)


class Brake:
    """When the next mail may go out."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._answered: deque[float] = deque()
        self._until = 0.0
        self._pauses_made = 0

    def ease(self) -> None:
        """Note that a mail got through: the server is content."""
        self._pauses_made = 0

    def slow_down(self, now: float) -> float | None:
        """Return the seconds of pause that begin now, 0 in the middle of one; None where patience is out."""
        if now < self._until:  # asked over two connections at once
            return 0.0
        if self._pauses_made >= len(self._pace.pauses):
            return None
        pause = self._pace.pauses[self._pauses_made]
        self._pauses_made += 1
        self._until = now + pause
        return pause

    def take_hint(self, now: float) -> None:
        """Make a short pause, longer each time; this patience is endless, for each mail costs it once."""
        if now >= self._until and self._pace.pauses:
            pause = self._pace.pauses[min(self._pauses_made, len(self._pace.pauses) - 1)]
            self._until = now + min(pause, _LONGEST_HINT)
            self._pauses_made = min(self._pauses_made + 1, len(self._pace.pauses) - 1)

    def count(self, now: float) -> None:
        """Count a mail whose answer came now: from here on, it is the server that counts its minute."""
        if self._pace.per_minute is not None:
            self._answered.append(now)

    def wait(self, now: float, under_way: int) -> float:
        """Return the seconds until the next mail may start, with so many on their way."""
        pause = max(0.0, self._until - now)
        if self._pace.per_minute is None:
            return pause
        while self._answered and self._answered[0] <= now - _MINUTE:
            self._answered.popleft()
        if len(self._answered) + under_way < self._pace.per_minute:
            return pause
        oldest = self._answered[0] if self._answered else now
        return max(pause, oldest + _MINUTE - now)
