"""Schedules: a cron expression in a time zone, and its slots. Pure."""

from cavecron.schedule.cron import ScheduleError
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
    "count_slots",
    "due_and_missed",
    "next_slot",
    "none_follows",
    "parse",
    "previous_slot",
    "slots_after",
    "slots_between",
]
