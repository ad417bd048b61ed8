"""Declaring settings together with their variables, and warning about variables that are not declared. Pure.

The fields of `settings`' dataclasses are the list of variables: one is added there, in one line.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field, fields
from typing import Any, TypeVar

from cavecron.config.parsing import BYTE_ORDER_MARKS, Variable, hidden, visible
from cavecron.text import nearest, suggestion

_T = TypeVar("_T")

_OURS = ("SCHEDULER_", "CAVECRON_")
#: Another program with our prefix can have thousands of variables.
_MOST_WARNINGS = 10
#: Variables that Kubernetes sets in every pod for a service called `cavecron…` or `scheduler…`
#: (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
_OF_A_SERVICE = re.compile(
    r"[A-Z0-9_]+?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_PORT_OF_A_SERVICE = re.compile(r"(tcp|udp|sctp)://.+")


def setting(
    name: str, default: str, parse: Callable[[str], _T], *, display: Callable[[str], str] = visible
) -> _T:
    """Return a dataclass field with the Variable that it is read from as its metadata.

    A field whose value is hidden is left out of the repr.
    """
    variable = Variable(name=name, default=default, parse=parse, display=display)
    declaration: _T = field(
        default=parse(default), metadata={"variable": variable}, repr=display is not hidden
    )
    return declaration


def declared(settings: type[Any]) -> Mapping[str, Variable[Any]]:
    """Return the variables of a dataclass by the names of their fields."""
    return {one.name: one.metadata["variable"] for one in fields(settings) if "variable" in one.metadata}


def misspelt(environ: Mapping[str, str], names: Collection[str]) -> Iterator[str]:
    """Yield a warning for each name in `environ` with our prefix that is not among the declared `names`.

    After `_MOST_WARNINGS` of them, one warning gives the number of the others.
    """
    ignored = [name for name in sorted(environ) if _is_ignored(name, environ[name], names)]
    for name in ignored[:_MOST_WARNINGS]:
        bare = _without_mark(name)
        if bare != name:
            yield (
                f"Variable ignorée : le nom de {bare} commence par une marque d'ordre des octets (BOM) ;"
                " enregistrer le fichier en UTF-8 sans BOM"
            )
        else:
            similar = nearest(name, sorted(names), cutoff=0.75)
            yield f"Variable inconnue, ignorée : {name}{suggestion(similar)}"
    others = len(ignored) - _MOST_WARNINGS
    if others > 0:
        yield f"Variables ignorées : et {others} autre{'s' if others > 1 else ''}"


def _is_ignored(name: str, value: str, names: Collection[str]) -> bool:
    bare = _without_mark(name)
    if bare != name:
        return bare.startswith(_OURS) or bare in names
    return _is_unknown(name, names) and not _is_of_a_service(name, value)


def _without_mark(name: str) -> str:
    for mark in BYTE_ORDER_MARKS:
        name = name.removeprefix(mark)
    return name


def _is_unknown(name: str, names: Collection[str]) -> bool:
    return name.startswith(_OURS) and name.removesuffix("_FILE") not in names


def _is_of_a_service(name: str, value: str) -> bool:
    if name.endswith("_PORT") and _PORT_OF_A_SERVICE.fullmatch(value):
        return True
    return _OF_A_SERVICE.fullmatch(name) is not None
