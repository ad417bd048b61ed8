"""The local times in the log, in the zone of the schedules, also around clock changes."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from zoneinfo import ZoneInfo

import pytest

from cavecron.cli import log
from cavecron.config.settings import LogFormat
from tests.support.clocks import wall_clock
from tests.support.in_process import same_log

LOGGER = logging.getLogger("cavecron.runner")
MILLISECOND = timedelta(milliseconds=1)
SPRING = datetime(2027, 3, 28, 1, tzinfo=UTC)
AUTUMN = datetime(2027, 10, 31, 1, tzinfo=UTC)
NEW_YEAR = datetime(2027, 12, 31, 23, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Restore the logging configuration after each test."""
    with same_log():
        yield


def line_at(at: datetime, log_format: LogFormat, zone: str = "Europe/Paris") -> str:
    """Return the line that a thread logs at `at`; a thread, because jobs run in threads."""
    stream = io.StringIO()
    log.configure(zone=ZoneInfo(zone), level="INFO", log_format=log_format, stream=stream)
    with wall_clock(at):
        worker = Thread(target=LOGGER.info, args=("Démarrage",))
        worker.start()
        worker.join(10)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("at", "text", "offset"),
    [
        pytest.param(SPRING - MILLISECOND, "2027-03-28 01:59:59", "+01:00", id="the last of winter time"),
        pytest.param(SPRING, "2027-03-28 03:00:00", "+02:00", id="the first of summer time"),
        pytest.param(AUTUMN - MILLISECOND, "2027-10-31 02:59:59", "+02:00", id="the last of summer time"),
        pytest.param(AUTUMN, "2027-10-31 02:00:00", "+01:00", id="the first of winter time"),
        pytest.param(AUTUMN - timedelta(minutes=30), "2027-10-31 02:30:00", "+02:00", id="the first 02:30"),
        pytest.param(AUTUMN + timedelta(minutes=30), "2027-10-31 02:30:00", "+01:00", id="the second 02:30"),
        pytest.param(NEW_YEAR - MILLISECOND, "2027-12-31 23:59:59", "+01:00", id="the old year"),
        pytest.param(NEW_YEAR, "2028-01-01 00:00:00", "+01:00", id="the new year"),
    ],
)
def test_a_line_bears_the_local_time(at: datetime, text: str, offset: str) -> None:
    """Text has the local time without an offset; JSON has the offset, so that the instant is unambiguous."""
    assert line_at(at, "text") == f"{text} - cavecron.runner - INFO - Démarrage\n"
    time = json.loads(line_at(at, "json"))["time"]
    assert (time[:19], time[-6:]) == (text.replace(" ", "T"), offset)
    assert abs(datetime.fromisoformat(time) - at) <= MILLISECOND


@pytest.mark.parametrize(
    ("zone", "text"),
    [("UTC", "2027-10-31 01:30:00"), ("Asia/Kolkata", "2027-10-31 07:00:00")],
)
def test_the_zone_is_that_of_the_schedules(zone: str, text: str) -> None:
    """The zone of the machine does not matter."""
    assert line_at(AUTUMN + timedelta(minutes=30), "text", zone).startswith(text)
