"""Schedules: a cron expression and a zone, the slots they name, and French words for them. Pure."""

from cavecron.schedule.cron import ScheduleError
from cavecron.schedule.describe import clock_note, describe
from cavecron.schedule.slots import (
    GRACE,
    Gap,
    Passed,
    Schedule,
    count_slots,
    gap,
    last_slot,
    next_slot,
    parse,
    passed,
)

__all__ = [
    "GRACE",
    "Gap",
    "Passed",
    "Schedule",
    "ScheduleError",
    "clock_note",
    "count_slots",
    "describe",
    "gap",
    "last_slot",
    "next_slot",
    "parse",
    "passed",
]
