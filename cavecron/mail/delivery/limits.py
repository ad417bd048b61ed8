"""How many mails go out at a time, and how fast.

Pure: instants are seconds on a monotonic clock that the caller reads.
"""

from collections import deque
from dataclasses import dataclass

_MINUTE = 60.0
#: Seconds: the longest pause after a refusal of one mail that may concern all of them.
_LONGEST_HINT = 5.0
#: Seconds: what recording may seem to take.
_LONGEST_WINDOW, _SHORTEST_WINDOW = 0.1, 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """What a delivery may ask of the mail server; times in seconds.

    `max_per_connection` mails go over one connection at most, `max_per_minute` in any 60 seconds over all
    of them (None: no limit). `pauses` are made in turn when the server asks to slow down, as long as nothing
    gets through; after the last one the delivery gives up. A mail that was refused for now is tried again
    `retry_after` that at the earliest. `grace` is what mails on their way get once the delivery ends.
    """

    connections: int = 2
    max_per_connection: int = 100
    max_per_minute: int | None = None
    pauses: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
    retry_after: float = 10.0
    grace: float = 6.0


class RateLimiter:
    """When the next mail may go out."""

    def __init__(self, policy: DeliveryPolicy) -> None:
        self._policy = policy
        self._answered: deque[float] = deque()
        self._paused_until = 0.0
        self._pauses_made = 0

    def reset_pauses(self) -> None:
        """Note that a mail got through: the server is content."""
        self._pauses_made = 0

    def pause(self, now: float) -> float | None:
        """Return the seconds of pause that begin now, 0 in the middle of one; None where all were made."""
        if now < self._paused_until:  # asked over two connections at once
            return 0.0
        if self._pauses_made >= len(self._policy.pauses):
            return None
        seconds = self._policy.pauses[self._pauses_made]
        self._pauses_made += 1
        self._paused_until = now + seconds
        return seconds

    def slow_down(self, now: float) -> None:
        """Make a short pause, longer each time; they never end, for each mail costs one of them."""
        if now >= self._paused_until and self._policy.pauses:
            pause = self._policy.pauses[min(self._pauses_made, len(self._policy.pauses) - 1)]
            self._paused_until = now + min(pause, _LONGEST_HINT)
            self._pauses_made = min(self._pauses_made + 1, len(self._policy.pauses) - 1)

    def count(self, now: float) -> None:
        """Count a mail whose answer came now: from here on, it is the server that counts its minute."""
        if self._policy.max_per_minute is not None:
            self._answered.append(now)

    def wait(self, now: float, in_flight: int) -> float:
        """Return the seconds until the next mail may start, with so many on their way."""
        pause = max(0.0, self._paused_until - now)
        if self._policy.max_per_minute is None:
            return pause
        while self._answered and self._answered[0] <= now - _MINUTE:
            self._answered.popleft()
        if len(self._answered) + in_flight < self._policy.max_per_minute:
            return pause
        oldest = self._answered[0] if self._answered else now
        return max(pause, oldest + _MINUTE - now)


class ConnectionLimit:
    """How many connections there are, and may be: one until it has worked, fewer where there is trouble."""

    def __init__(self, policy: DeliveryPolicy) -> None:
        self.open, self.most = 0, policy.connections
        self.is_proven = False

    @property
    def is_exceeded(self) -> bool:
        """Return whether there are too many."""
        return self.open > self.most

    def add(self, mails: int) -> bool:
        """Return whether one more is wanted for so many mails, which is counted then."""
        is_wanted = self.open < min(self.most if self.is_proven else 1, mails)
        self.open += is_wanted
        return is_wanted

    def remove(self) -> int:
        """Do with one fewer, from now on; return how many are left."""
        self.open -= 1
        self.most = min(self.most, max(1, self.open))
        return self.open


class BatchWindow:
    """How long what is to be recorded may wait for other things to be recorded with it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @property
    def is_worth_it(self) -> bool:
        """Return whether recording takes longer than waiting for each other does."""
        return self.seconds > _SHORTEST_WINDOW

    def recorded(self, seconds: float) -> None:
        """Learn how long recording took; more than a tenth of a second is a database that was locked."""
        self.seconds = (self.seconds + min(seconds, _LONGEST_WINDOW)) / 2
