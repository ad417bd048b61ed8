"""Whole numbers of something, each with a limit beyond which a number is a slip of the finger. Pure."""

from cavecron.config import parsing

#: A century of days, and a day of seconds.
_MOST_DAYS = 36_500
_MOST_SECONDS = 86_400
_MOST_CONNECTIONS, _MOST_MESSAGES, _MOST_RUNNING, _MOST_COPIES = 20, 100_000, 1_000, 10_000


def days(text: str) -> int:
    """Return a number of days."""
    return parsing.whole_number(text, "jours", most=_MOST_DAYS)


def seconds(text: str) -> int:
    """Return a number of seconds."""
    return parsing.whole_number(text, "secondes", most=_MOST_SECONDS)


def connections(text: str) -> int:
    """Return a number of connections."""
    return parsing.whole_number(text, "connexions", most=_MOST_CONNECTIONS)


def jobs(text: str) -> int:
    """Return a number of jobs."""
    return parsing.whole_number(text, "jobs", most=_MOST_RUNNING)


def messages(text: str) -> int:
    """Return a number of messages."""
    return parsing.whole_number(text, "messages", most=_MOST_MESSAGES)


def copies(text: str) -> int:
    """Return a number of copies."""
    return parsing.whole_number(text, "copies", most=_MOST_COPIES)


def optional_messages(text: str) -> int | None:
    """Return a number of messages, None for a blank."""
    return messages(text) if text else None
