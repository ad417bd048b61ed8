"""The log: one line an event, in a format that people grep for, or as JSON for machines."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cavecron.cli import log
from cavecron.config.settings import LogFormat

PARIS = ZoneInfo("Europe/Paris")
LOGGER = logging.getLogger("cavecron.runner")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the logging of other tests as it was."""
    logger = logging.getLogger("cavecron")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], level, logger.propagate = before
    logger.setLevel(level)


def _logged(log_format: LogFormat = "text", level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    log.configure(zone=PARIS, level=level, log_format=log_format, stream=stream)
    return stream


def test_the_format_is_fixed() -> None:
    """Time in the zone of the schedules, module, level, sentence."""
    stream = _logged()
    said = {"name": LOGGER.name, "levelname": "INFO", "levelno": 20, "msg": "Démarrage du job: %s"}
    title = ("envoi des rapports hebdomadaires",)
    LOGGER.handle(logging.makeLogRecord({**said, "args": title, "created": 1705302000.9}))
    assert stream.getvalue() == (
        "2024-01-15 08:00:00 - cavecron.runner - INFO - Démarrage du job: envoi des rapports hebdomadaires\n"
    )


def test_a_line_stays_one_line() -> None:
    """Whatever is in a name; accents, no-break spaces and emoji stay as they are."""
    stream = _logged()
    LOGGER.info("%s", "a\nb\x1b[2J\u2028\u202e é\u00a0🍷")
    assert stream.getvalue().partition(" - INFO - ")[2] == "a\\nb\\x1b[2J\\u2028\\u202e é\u00a0🍷\n"


def _fail() -> None:
    try:
        int("zéro")
    except ValueError:
        LOGGER.exception("échec\nétrange")


def test_a_traceback_keeps_its_lines() -> None:
    """A developer reads it, below the line that people grep for."""
    stream = _logged()
    _fail()
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith(" - ERROR - échec\\nétrange")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1].startswith("ValueError: ")


def test_a_machine_reads_json() -> None:
    """One object a line; the time with its offset, a traceback in a field of its own."""
    stream = _logged("json")
    LOGGER.warning("%d échecs", 2)
    _fail()
    told, failed = (json.loads(line) for line in stream.getvalue().splitlines())
    time = datetime.fromisoformat(told.pop("time"))
    assert time.utcoffset() == time.astimezone(PARIS).utcoffset()
    assert told == {"logger": "cavecron.runner", "level": "WARNING", "message": "2 échecs"}
    assert failed["message"] == "échec\nétrange"
    assert "\nValueError: " in failed["traceback"]


def test_a_level_keeps_the_rest_out() -> None:
    """As configured; warnings of the configuration have a name of their own."""
    stream = _logged(level="WARNING")
    LOGGER.info("rien")
    log.warn(["Variable inconnue, ignorée : SCHEDULER_X"])
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(" - cavecron.settings - WARNING - Variable inconnue, ignorée : SCHEDULER_X")


def test_silence_ends() -> None:
    """Nothing is said meanwhile, and everything afterwards."""
    stream = _logged()
    with log.silence():
        LOGGER.error("rien")
    LOGGER.info("après")
    assert [line.partition(" - INFO - ")[2] for line in stream.getvalue().splitlines()] == ["après"]
