"""Schedules: a cron expression in a time zone, its slots, and its description in French. Pure."""

from cavecron.schedule.cron import ScheduleError
from cavecron.schedule.describe import clock_note, describe
from cavecron.schedule.slots import (
    GRACE,
    DueAndMissed,
    Schedule,
    SlotRange,
    count_slots,
    due_and_missed,
    next_slot,
    none_follows,
    parse,
    previous_slot,
    slots_after,
    slots_between,
)

__all__ = [
    "GRACE",
    "DueAndMissed",
    "Schedule",
    "ScheduleError",
    "SlotRange",
    "clock_note",
    "count_slots",
    "describe",
    "due_and_missed",
    "next_slot",
    "none_follows",
    "parse",
    "previous_slot",
    "slots_after",
    "slots_between",
]
