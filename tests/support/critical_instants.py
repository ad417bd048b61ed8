"""Instants in Paris at which an error of a command is likely, and schedules that they affect."""

from datetime import UTC, datetime, timedelta

INSTANT = timedelta.resolution
#: The instants at which the clocks change, and the year ends, in Paris.
SPRING = datetime(2027, 3, 28, 1, tzinfo=UTC)
AUTUMN = datetime(2027, 10, 31, 1, tzinfo=UTC)
NEW_YEAR = datetime(2027, 12, 31, 23, tzinfo=UTC)
DAILY, YEARLY, HALF_HOURS = "30 2 * * *", "0 0 1 1 *", "*/30 * * * *"
