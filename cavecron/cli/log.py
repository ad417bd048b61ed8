"""The log: one line for each event, on standard output, with local times in the zone of the schedules.

The text format is a contract, because people grep for it; `json` has the same for programs.
"""

import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from cavecron.config.settings import LogFormat
from cavecron.text import HARMFUL, harmless, to_json

#: Characters that end a line, act on a terminal or disguise text; names and servers' replies may have them.
_CONTROL = re.compile(f"[{HARMFUL}\t\n\ud800-\udfff]")


def configure(*, zone: ZoneInfo, level: str, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Write the log of cavecron to `stream`, by default standard output."""
    handler = _Handler(stream or sys.stdout)
    handler.setFormatter(_JsonLines(zone) if log_format == "json" else _Lines(zone))
    logger = logging.getLogger("cavecron")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False


@contextmanager
def silence() -> Iterator[None]:
    """Suppress the log of cavecron within the block."""
    logger = logging.getLogger("cavecron")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Ignore the error: the log's reader has ended, or its disk is full."""


class _Lines(logging.Formatter):
    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__("%(asctime)s - %(name)s - %(levelname)s - %(message)s")
        self._zone = zone

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        return f"{datetime.fromtimestamp(record.created, self._zone):%Y-%m-%d %H:%M:%S}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return the traceback; the text of the error can be somebody else's, too."""
        return harmless(super().formatException(ei))


class _JsonLines(logging.Formatter):
    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": datetime.fromtimestamp(record.created, self._zone).isoformat(timespec="milliseconds"),
            "logger": record.name,
            "level": record.levelname,
            "message": record.getMessage(),
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return to_json(event)


def one_line(text: str) -> str:
    """Return `text` with an escape for each control character, so that no name can forge a line."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def warn(messages: Iterable[str]) -> None:
    """Log each message as a warning about the configuration."""
    for message in messages:
        logging.getLogger("cavecron.settings").warning("%s", message)
