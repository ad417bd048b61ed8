"""The coming slots of a job. Pure."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from cavecron.config.settings import JobSettings
from cavecron.schedule import slots_after
from cavecron.schedule.describe import clock_note


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingSlot:
    """A coming slot in UTC and in local time; `note` says in French what a clock change does to it."""

    at: datetime
    local: datetime
    note: str = ""


def coming_slots(job: JobSettings, after: datetime, most: int) -> tuple[ComingSlot, ...]:
    """Return the first `most` slots strictly after an instant (aware); none if the job is disabled."""
    schedule = job.schedule
    slots = islice(slots_after(schedule, after), most) if job.enabled else ()
    return tuple(
        ComingSlot(at=slot, local=slot.astimezone(schedule.zone), note=clock_note(schedule, slot))
        for slot in slots
    )
