"""Modules that are loaded when they are first used.

A scheduler is idle for a year, and `health` is called every five minutes: neither should pay for what only a
job, a mistake or another command needs. Whoever uses such a module says so beside the other imports, where
type checkers and the test of the layers read it:

    if TYPE_CHECKING:
        import json
    else:
        json = lazy_module("json")

The standard library's `importlib.util.LazyLoader` does not serve here: it looks for the module's file at
once, and puts the module into `sys.modules` before it is loaded.
"""

from importlib import import_module
from types import ModuleType


class _LazyModule(ModuleType):
    """Stands for the module of its name, whose attributes it takes over one by one."""

    def __getattr__(self, attribute: str) -> object:
        """Load the module if need be; called only for what was not asked for before."""
        value = getattr(import_module(self.__name__), attribute)
        setattr(self, attribute, value)
        return value


def lazy_module(name: str) -> ModuleType:
    """Return what stands for a module, given by its full name, and loads it on first use.

    Using it raises the ImportError that importing it would have raised.
    """
    return _LazyModule(name)
