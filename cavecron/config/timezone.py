"""The zone of all schedules: SCHEDULER_TIMEZONE, else TZ, else Europe/Paris.

Pure: a function that returns a zone by its name is an argument. TZ is the system's variable, so a value that
is meant for other programs causes a warning only.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cavecron.config.parsing import EnvReader, InvalidValueError, Variable

#: Returns the zone of an IANA name; raises InvalidValueError with the reason, or the errors of ZoneInfo.
ZoneOf = Callable[[str], ZoneInfo]

_DEFAULT = "Europe/Paris"
_IANA = "un fuseau IANA est attendu, comme Europe/Paris ou America/Montreal"
#: The smallest file of RFC 8536: one local time type, no transitions. It needs no zone data.
_UTC_FILE = b"TZif".ljust(20, b"\0") + b"".join(n.to_bytes(4, "big") for n in (0, 0, 0, 0, 1, 4)) + bytes(6)
#: UTC, on a machine without zone data too.
UTC = ZoneInfo.from_file(BytesIO(_UTC_FILE + b"UTC\0"), key="UTC")
#: Folders in which zic(8) puts copies of all zones, and names that are another zone on each machine.
_COPIES = {
    "right": "les fuseaux right/… comptent les secondes intercalaires, 27 s d'écart avec l'horloge",
    "posix": "les noms posix/… ne sont pas des noms IANA",
}
_LOCAL_NAMES = ("localtime", "posixrules")
#: A zone in the format of POSIX.1-2017, 8.3, TZ: a name and an offset, perhaps followed by rules.
_POSIX = re.compile(r"([A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?\d{1,3}(:\d{1,2}){0,2}(\D.*)?")
#: The folder of zones in a file system, and those of zic(8)'s copies.
_PREFIXES = re.compile(r"^(/.*/zoneinfo/)?((right|posix)/)?")


def zone(text: str, zone_of: ZoneOf) -> ZoneInfo:
    """Return an IANA zone; a colon before the name, as POSIX allows it, is ignored.

    Raises:
        InvalidValueError: there is no such zone, or its file cannot be used.

    """
    name = text.removeprefix(":")
    copy, _, original = name.partition("/")
    if copy in _COPIES:
        raise InvalidValueError(f"{_COPIES[copy]} ; {original or _DEFAULT} est attendu")
    if name in _LOCAL_NAMES:
        raise InvalidValueError(_IANA)
    try:
        return zone_of(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidValueError(_IANA) from None


#: Declared for the list of variables; `read_zone` reads it, with another function for zones.
SCHEDULER_TIMEZONE = Variable(
    name="SCHEDULER_TIMEZONE", default=_DEFAULT, parse=partial(zone, zone_of=ZoneInfo)
)


def read_zone(reader: EnvReader, zone_of: ZoneOf) -> tuple[ZoneInfo, tuple[str, ...]]:
    """Return the zone of all schedules, and warnings; UTC after adding a problem to the reader."""
    variable, warning = SCHEDULER_TIMEZONE, ""
    text = reader.text(variable)
    if not reader.has(variable.name):
        system = replace(variable, name="TZ")
        text, warning = _name_in_tz(reader.text(system), zone_of)
        variable = system if text else variable
    text = text or _DEFAULT
    try:
        return zone(text, zone_of), (warning,) if warning else ()
    except InvalidValueError as problem:
        reader.add_problem(variable, text, str(problem))
    return UTC, ()


def _name_in_tz(text: str, zone_of: ZoneOf) -> tuple[str, str]:
    """Return the zone name in TZ, '' for the default, and a warning or ''.

    A misspelt zone name is returned as it is, so that it becomes an error: it was meant for cavecron too.
    """
    plain = text.removeprefix(":")
    name = _PREFIXES.sub("", plain)
    is_of_the_system = plain.startswith("/") or plain in ("", *_LOCAL_NAMES) or _POSIX.fullmatch(plain)
    if not text or (name == plain and not is_of_the_system):
        return text, ""
    try:
        zone(name, zone_of)
    except InvalidValueError:
        name = ""
    if name and name == plain:
        return name, ""
    used = f"{name or _DEFAULT} est utilisé ; SCHEDULER_TIMEZONE choisit le fuseau"
    return name, f"TZ={text[:200]!r} n'est pas le nom d'un fuseau IANA : {used}"
