"""The facts as one JSON object with the field names of `facts`; durations are in seconds. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cavecron.status.facts import Facts


def document(facts: Facts) -> Mapping[str, object]:
    """Return the facts as values that `json` can write.

    Instants are ISO 8601 with an offset; the name of a duration ends in `_seconds`.
    """
    return {"healthy": facts.healthy, **_object(facts)}


def _object(facts: Any) -> dict[str, object]:
    members = {}
    for field in fields(facts):
        name = f"{field.name}_seconds" if "timedelta" in str(field.type) else field.name
        members[name] = _value(getattr(facts, field.name))
    return members


def _value(value: object) -> object:
    if is_dataclass(value):
        return _object(value)
    return next((write(value) for kind, write in _WRITERS.items() if isinstance(value, kind)), value)


_WRITERS: Mapping[type[Any], Callable[[Any], object]] = {
    date: lambda instant: instant.isoformat(),
    timedelta: timedelta.total_seconds,
    ZoneInfo: lambda zone: zone.key,
    tuple: lambda values: [_value(one) for one in values],
    Mapping: lambda values: {str(name): _value(one) for name, one in values.items()},
}
