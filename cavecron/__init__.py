"""cavecron: the scheduler of Cave à Vin.

It exports what custom jobs, and programs that embed the scheduler, need. The names are resolved on first use,
so that a short command does not load modules that it does not need.
"""

#: Type checkers take it for true. `typing` is not imported: Ctrl-C meanwhile would print a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from cavecron.errors import CavecronError, TemporaryError
    from cavecron.jobs.context import Outcome, Run
    from cavecron.jobs.job import Job, job
    from cavecron.scheduler.scheduler import Scheduler

__all__ = ["CavecronError", "Job", "Outcome", "Run", "Scheduler", "TemporaryError", "__version__", "job"]

__version__ = "0.2.0"

_HOMES = {
    "CavecronError": "errors",
    "Job": "jobs.job",
    "Outcome": "jobs.context",
    "Run": "jobs.context",
    "Scheduler": "scheduler.scheduler",
    "TemporaryError": "errors",
    "job": "jobs.job",
}


def __getattr__(name: str) -> object:
    """Import what is asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cavecron' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - see TYPE_CHECKING

    return getattr(import_module(f"cavecron.{_HOMES[name]}"), name)
