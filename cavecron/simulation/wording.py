"""The outcomes of simulated slots in French. Pure."""

from collections import Counter
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from cavecron.french import duration
from cavecron.simulation.models import SlotOutcome

#: French words by outcome, singular and plural.
_KINDS = {
    "succeeded": ("à l'heure", "à l'heure"),
    "made up": ("rattrapé", "rattrapés"),
    "missed": ("manqué", "manqués"),
    "failed": ("en échec", "en échec"),
    "interrupted": ("interrompu", "interrompus"),
    "running": ("en cours à la fin", "en cours à la fin"),
    "pending": ("en suspens à la fin", "en suspens à la fin"),
}


def kind(outcome: SlotOutcome) -> str:
    """Return the outcome: a state of the ledger, 'pending', or 'made up' for a late success."""
    return "made up" if (outcome.state, outcome.trigger) == ("succeeded", "replay") else outcome.state


def word(name: str, number: int = 1) -> str:
    """Return the French word for `number` slots with an outcome."""
    return _KINDS[name][number > 1]


def outcome_words(outcome: SlotOutcome, zone: ZoneInfo) -> str:
    """Return the outcome of a slot in French; if it ran late, also when, in the local time of `zone`."""
    if kind(outcome) == "made up" and outcome.started:
        return f"rattrapé à {outcome.started.astimezone(zone):%H:%M:%S}, {duration(outcome.late)} de retard"
    return word(kind(outcome))


def totals(outcomes: Sequence[SlotOutcome]) -> str:
    """Return in French how many slots had which outcome."""
    if not outcomes:
        return "Aucun créneau dans cette période."
    kinds = Counter(map(kind, outcomes))
    counted = ", ".join(f"{number} {word(name, number)}" for name, number in kinds.items())
    return f"{len(outcomes)} {'créneaux' if len(outcomes) > 1 else 'créneau'} : {counted}"
