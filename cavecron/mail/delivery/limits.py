"""Limits of a delivery: its connections, its rate, and its pauses.

Pure: instants are seconds on a monotonic clock that the caller reads.
"""

from collections import deque
from dataclasses import dataclass

_MINUTE = 60.0
#: Seconds of the longest pause after the server refused one mail because it is busy.
_LONGEST_BUSY_PAUSE = 5.0
#: Seconds: the longest time to wait for other workers, and the shortest that is worth it.
_LONGEST_WINDOW, _SHORTEST_WINDOW = 0.1, 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """The limits of a delivery; times in seconds.

    At most `max_per_connection` mails go over one connection, and `max_per_minute` in any 60 seconds over all
    of them (None: no limit). `pauses` are made one after the other when the server asks to slow down, until a
    mail is accepted; after the last one the delivery ends. A mail that was refused for now is tried again
    after `retry_after` at the earliest. Mails that are being sent when the delivery ends get `grace`.
    """

    connections: int = 2
    max_per_connection: int = 100
    max_per_minute: int | None = None
    pauses: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
    retry_after: float = 10.0
    grace: float = 6.0


class RateLimiter:
    """Decides when the next mail may be sent."""

    def __init__(self, policy: DeliveryPolicy) -> None:
        self._policy = policy
        self._answered: deque[float] = deque()
        self._paused_until = 0.0
        self._pauses_made = 0

    def reset_pauses(self) -> None:
        """Begin again with the first pause, because the server has accepted a mail."""
        self._pauses_made = 0

    def pause(self, now: float) -> float | None:
        """Begin a pause and return its seconds; 0 during a pause, None if all pauses were made."""
        if now < self._paused_until:  # the server asked over two connections at once
            return 0.0
        if self._pauses_made >= len(self._policy.pauses):
            return None
        seconds = self._policy.pauses[self._pauses_made]
        self._pauses_made += 1
        self._paused_until = now + seconds
        return seconds

    def slow_down(self, now: float) -> None:
        """Begin a short pause at `now` (monotonic seconds), longer each time.

        Their number is not limited, because each mail causes at most one.
        """
        if now >= self._paused_until and self._policy.pauses:
            pause = self._policy.pauses[min(self._pauses_made, len(self._policy.pauses) - 1)]
            self._paused_until = now + min(pause, _LONGEST_BUSY_PAUSE)
            self._pauses_made = min(self._pauses_made + 1, len(self._policy.pauses) - 1)

    def add_answer(self, now: float) -> None:
        """Count a mail that was answered at `now` (monotonic seconds) against `max_per_minute` for 60 s."""
        if self._policy.max_per_minute is not None:
            self._answered.append(now)

    def seconds_until_next(self, now: float, in_flight: int) -> float:
        """Return the seconds until the next mail may start, while `in_flight` mails are being sent."""
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
    """The number of connections and its limit: 1 until the first has worked, less after refusals."""

    def __init__(self, policy: DeliveryPolicy) -> None:
        self.count, self.maximum = 0, policy.connections
        self.has_connected = False

    @property
    def is_exceeded(self) -> bool:
        """Return whether there are too many connections."""
        return self.count > self.maximum

    def add(self, mails: int) -> bool:
        """Return whether one more connection should be opened for `mails`; if so, it is counted."""
        is_wanted = self.count < min(self.maximum if self.has_connected else 1, mails)
        self.count += is_wanted
        return is_wanted

    def remove(self) -> int:
        """Lower the number of connections, and its limit, by one; return the new number."""
        self.count -= 1
        self.maximum = min(self.maximum, max(1, self.count))
        return self.count


class BatchWindow:
    """How long a worker waits for others to record with it: as long as recording takes, on average."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @property
    def is_worth_it(self) -> bool:
        """Return whether recording takes longer than waiting for other workers."""
        return self.seconds > _SHORTEST_WINDOW

    def add_duration(self, seconds: float) -> None:
        """Update the average with the duration of one recording.

        More than 0.1 s counts as 0.1 s, because the database was locked.
        """
        self.seconds = (self.seconds + min(seconds, _LONGEST_WINDOW)) / 2
