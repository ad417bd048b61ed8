"""cavecron: the scheduler of Cave à Vin.

What a job of one's own needs, and a program that embeds the scheduler, is imported from here; it is
resolved on first use, so that a short command does not pay for what it never touches.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cavecron.errors import CavecronError, TemporaryError
    from cavecron.jobs.context import Outcome, Run
    from cavecron.jobs.job import Job, job
    from cavecron.scheduler.scheduler import Scheduler

__all__ = ["CavecronError", "Job", "Outcome", "Run", "Scheduler", "TemporaryError", "__version__", "job"]

__version__ = "0.1.0"

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
    return getattr(import_module(f"cavecron.{_HOMES[name]}"), name)
