"""The faults of a mail server, and policies that say at which step and for whom they occur."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Literal

#: Seconds: a delay that outlasts every time limit of a test; the server ends it when it stops.
FOR_EVER = 60.0


class Step(StrEnum):
    """A step of the session; END is after the final dot, BODY in the middle of the message."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    END = "end"
    RSET = "rset"
    QUIT = "quit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What the server does instead of its normal reply; `seconds` is a delay, or the time between two bytes.

    If it is `kept`, the server accepts the message before a fault at END.
    """

    kind: Literal["delay", "reset", "close", "reply", "garbage", "endless", "dribble"]
    text: str = ""
    seconds: float = 0.0
    kept: bool = False


def delay(seconds: float = FOR_EVER, *, kept: bool = True) -> Fault:
    """Reply normally after `seconds`."""
    return Fault(kind="delay", seconds=seconds, kept=kept)


def reset(*, kept: bool = False) -> Fault:
    """Reset the connection."""
    return Fault(kind="reset", kept=kept)


def close(*, kept: bool = False) -> Fault:
    """Close the connection without a reply."""
    return Fault(kind="close", kept=kept)


def reply(text: str) -> Fault:
    """Answer with `text`, code and all; after a 421 the connection is closed."""
    return Fault(kind="reply", text=text)


def garbage(*, kept: bool = False) -> Fault:
    """Answer with bytes that are not an SMTP reply."""
    return Fault(kind="garbage", kept=kept)


def endless(*, kept: bool = False) -> Fault:
    """Answer with lines that never end."""
    return Fault(kind="endless", kept=kept)


def dribble(seconds: float = 1.0) -> Fault:
    """Give the normal reply, but only one byte every `seconds`."""
    return Fault(kind="dribble", seconds=seconds, kept=True)


#: One of each kind, for tables of tests.
FAULTS = {
    "delay": delay(),
    "reset": reset(),
    "close": close(),
    "4xx": reply("451 4.3.0 not now"),
    "5xx": reply("554 5.3.0 never"),
    "421": reply("421 4.3.2 closing"),
    "garbage": garbage(),
    "endless": endless(),
    "dribble": dribble(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One execution of a step, over the N-th connection (from 1), with a mail for `recipient`.

    The recipient is known from RCPT on, and until the next MAIL; before, it is blank.
    """

    step: Step
    connection: int
    recipient: str = ""


Policy = Callable[[Visit], Fault | None]


@dataclass(slots=True)
class FaultRule:
    """A policy with one fault at one step, optionally for one recipient or one connection only.

    The fault occurs from the `first` such visit on, `times` times (None: always).
    """

    step: Step
    fault: Fault
    recipient: str | None = None
    connection: int | None = None
    first: int = 1
    times: int | None = 1
    visits: int = 0

    def __call__(self, visit: Visit) -> Fault | None:
        """Return the fault if it occurs at this visit."""
        if visit.step is not self.step:
            return None
        if self.recipient not in (None, visit.recipient) or self.connection not in (None, visit.connection):
            return None
        self.visits += 1
        over = self.visits - self.first
        return self.fault if over >= 0 and (self.times is None or over < self.times) else None


@dataclass(slots=True)
class Greylist:
    """A policy that refuses each recipient until `seconds` after the first try."""

    seconds: float
    text: str = "451 4.7.1 Greylisted, come back later"
    since: dict[str, float] = field(default_factory=dict)

    def __call__(self, visit: Visit) -> Fault | None:
        """Return a refusal as long as it is too early."""
        if visit.step is not Step.RCPT:
            return None
        asked = self.since.setdefault(visit.recipient, monotonic())
        return reply(self.text) if monotonic() < asked + self.seconds else None
