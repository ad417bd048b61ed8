"""The text format of instants in the application's file: naive UTC, six digits. Pure."""

from datetime import UTC, datetime


def utc_text(instant: datetime) -> str:
    """Return an aware instant as the application stores it: naive UTC, six digits."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def read_utc(stored: object) -> datetime | None:
    """Return an instant that the application stored (aware, in UTC), None if it cannot be read."""
    if not isinstance(stored, str):
        return None
    try:
        instant = datetime.fromisoformat(stored.strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):  # an offset can lead out of the calendar
        return None
