"""The log: one line for each event, in a format that people grep for, or as JSON for programs."""

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
def _restore_logging() -> Iterator[None]:
    """Restore the logging configuration after each test."""
    logger = logging.getLogger("cavecron")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], level, logger.propagate = before
    logger.setLevel(level)


def _configure_log(log_format: LogFormat = "text", level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    log.configure(zone=PARIS, level=level, log_format=log_format, stream=stream)
    return stream


def test_the_format_is_fixed() -> None:
    """A line has the time in the zone of the schedules, the logger, the level and the message."""
    stream = _configure_log()
    fields = {"name": LOGGER.name, "levelname": "INFO", "levelno": 20, "msg": "Démarrage du job: %s"}
    arguments = ("envoi des rapports hebdomadaires",)
    LOGGER.handle(logging.makeLogRecord({**fields, "args": arguments, "created": 1705302000.9}))
    assert stream.getvalue() == (
        "2024-01-15 08:00:00 - cavecron.runner - INFO - Démarrage du job: envoi des rapports hebdomadaires\n"
    )


def test_a_line_stays_one_line() -> None:
    """Line breaks and control characters are escaped; accents, no-break spaces and emoji are kept."""
    stream = _configure_log()
    LOGGER.info("%s", "a\nb\x1b[2J\u2028\u202e é\u00a0🍷")
    assert stream.getvalue().partition(" - INFO - ")[2] == "a\\nb\\x1b[2J\\u2028\\u202e é\u00a0🍷\n"


def _fail() -> None:
    try:
        int("zéro")
    except ValueError:
        LOGGER.exception("échec\nétrange")


def test_a_traceback_keeps_its_lines() -> None:
    """The traceback follows, line by line, the line that people grep for."""
    stream = _configure_log()
    _fail()
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith(" - ERROR - échec\\nétrange")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1].startswith("ValueError: ")


def test_a_traceback_does_not_act_on_the_terminal() -> None:
    """The error quotes what a server or a user wrote; its lines stay lines."""
    stream = _configure_log()
    LOGGER.error("échec", exc_info=ValueError("\x1b[2J\u202eune\nautre"))
    assert stream.getvalue().endswith("ValueError: \\x1b[2J\\u202eune\nautre\n")


def test_a_machine_reads_json() -> None:
    """Each line is one JSON object; the time has its offset, and a traceback has its own field."""
    stream = _configure_log("json")
    LOGGER.warning("%d échecs", 2)
    _fail()
    warning, error = (json.loads(line) for line in stream.getvalue().splitlines())
    time = datetime.fromisoformat(warning.pop("time"))
    assert time.utcoffset() == time.astimezone(PARIS).utcoffset()
    assert warning == {"logger": "cavecron.runner", "level": "WARNING", "message": "2 échecs"}
    assert error["message"] == "échec\nétrange"
    assert "\nValueError: " in error["traceback"]


def test_a_level_keeps_the_rest_out() -> None:
    """Messages below the level are dropped; warnings of the configuration have their own logger."""
    stream = _configure_log(level="WARNING")
    LOGGER.info("rien")
    log.warn(["Variable inconnue, ignorée : SCHEDULER_X"])
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(" - cavecron.settings - WARNING - Variable inconnue, ignorée : SCHEDULER_X")


def test_the_log_is_silent_only_inside_silence() -> None:
    """A message inside `silence` is dropped, and one after it is logged."""
    stream = _configure_log()
    with log.silence():
        LOGGER.error("rien")
    LOGGER.info("après")
    assert [line.partition(" - INFO - ")[2] for line in stream.getvalue().splitlines()] == ["après"]
