"""Modules that are loaded when they are first used. Pure.

An idle scheduler keeps its modules in memory for years, and `health` starts every five minutes: neither
should load what only a job, an error or another command needs. Such a module is declared beside the other
imports, so that type checkers and the test of the layers see it:

    if TYPE_CHECKING:
        import json
    else:
        json = lazy_module("json")

The standard library's `importlib.util.LazyLoader` is no alternative: it searches the module's file at once,
and puts the module into `sys.modules` before it is loaded.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType


class _LazyModule(ModuleType):
    """A stand-in for the module of the same name; each attribute is copied when it is first used."""

    def __init__(self, name: str, load: Callable[[str], ModuleType]) -> None:
        super().__init__(name)
        self._load = load

    def __getattr__(self, attribute: str) -> object:
        """Load the module if it is not loaded yet, and copy the attribute; called once for each."""
        value = getattr(self._load(self.__name__), attribute)
        setattr(self, attribute, value)
        return value


def lazy_module(name: str, *, load: Callable[[str], ModuleType] = import_module) -> ModuleType:
    """Return a stand-in for the module with this full name, which `load` imports on first use.

    The first use raises ImportError if the module cannot be imported.
    """
    return _LazyModule(name, load)
