"""Past slots and runs of a job as facts. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import cast

from cavecron.ledger.models import HistoryEntry
from cavecron.ledger.states import State
from cavecron.schedule import Schedule, previous_slot
from cavecron.status.facts import MailCounts, RunFacts, SlotFacts
from cavecron.text import without_addresses, without_people


def for_display(text: str | None, *, names: bool) -> str | None:
    """Return a summary or an error of a run without addresses; only with `names` it names people."""
    if text is None:
        return None
    return without_addresses(text) if names else without_people(text)


def run_facts(entry: HistoryEntry, *, mails: MailCounts, names: bool) -> RunFacts:
    """Return the facts of one run; with `names` its texts may name people."""
    late = duration = None
    if entry.started:
        late = None if entry.trigger == "manual" else max(entry.started - entry.slot, timedelta())
        duration = max(entry.finished - entry.started, timedelta()) if entry.finished else None
    return RunFacts(
        slot=entry.slot,
        trigger=entry.trigger,
        state=cast(State, entry.state),
        started=entry.started,
        finished=entry.finished,
        lateness=late,
        duration=duration,
        attempt=entry.attempt,
        retry_at=entry.retry_at,
        summary=for_display(entry.summary, names=names),
        reason=for_display(entry.reason, names=names),
        partial=entry.partial,
        mails=mails,
    )


def recent_slots(
    entries: Sequence[HistoryEntry], schedule: Schedule, *, most: int, names: bool
) -> tuple[SlotFacts, ...]:
    """Return the last `most` slots, oldest first; slots that share a row of the ledger are listed singly."""
    slots: list[SlotFacts] = []
    for entry in entries:
        reason = for_display(entry.reason, names=names)
        state = cast(State, entry.state)
        if entry.state == "missed":
            slots += [
                SlotFacts(slot=slot, state=state, reason=reason) for slot in _missed(entry, schedule, most)
            ]
        else:
            slots.append(SlotFacts(slot=entry.slot, state=state, reason=reason, retry_at=entry.retry_at))
    return tuple(sorted(slots, key=lambda slot: slot.slot)[-most:])


def _missed(entry: HistoryEntry, schedule: Schedule, most: int) -> Iterator[datetime]:
    """Yield the last `most` slots of a row of missed ones.

    After a change of the schedule it may name fewer; the first slot of the row then stands for the others.
    """
    remaining = min(entry.slots, most)
    slot = previous_slot(schedule, entry.last_slot)
    while remaining and slot is not None and slot >= entry.slot:
        yield slot
        remaining -= 1
        slot = previous_slot(schedule, slot - timedelta.resolution)
    yield from [entry.slot] * remaining
