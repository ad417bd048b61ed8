"""What a job is, and the decorator that declares one; jobs are looked up by name here.

It knows no particular job and nothing about running one: commands that only list jobs load no more than this.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cavecron.config.settings import JobDefaults, Settings, check_defaults
from cavecron.errors import UsageError
from cavecron.text import nearest

Option = Literal["dry_run", "users"]
#: It takes a `jobs.context.Run`. A job of one's own returns its summary, or nothing; it may be a coroutine
#: function.
Function = Callable[[Any], Any]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A function and when it runs by default; `options` are those of `cavecron run` that it understands.

    `on_given_up` is called with a run that was killed and that nobody takes up any more by himself. Calling a
    Job calls its function.
    """

    name: str
    title: str
    function: Function
    defaults: JobDefaults
    options: frozenset[Option] = frozenset()
    on_given_up: Function | None = None

    def __call__(self, run: Any) -> Any:
        """Do the job's work, as a test of a job of one's own does it."""
        return self.function(run)


def named_job(jobs: Sequence[Job], name: str) -> Job:
    """Return the job called `name`.

    Raises:
        UsageError: there is none; the nearest one is offered.

    """
    by_name = {job.name: job for job in jobs}
    if name not in by_name:
        raise UsageError(f"job inconnu : {name!r} (vouliez-vous dire {nearest(name, by_name, cutoff=0)} ?)")
    return by_name[name]


def expected_jobs(jobs: Sequence[Job], settings: Settings) -> Sequence[Job]:
    """Return the jobs but those that are off until somebody asks for them, and nobody has."""
    return [job for job in jobs if job.defaults.enabled or settings.jobs[job.name].enabled]


class JobError(ValueError):
    """A declaration makes no sense; the text says why in French."""


def job(
    name: str,
    *,
    title: str = "",
    day: str = "*",
    hour: int = 0,
    minute: int = 0,
    cron: str = "",
) -> Callable[[Function], Job]:
    """Declare a job: `@job("low_stock", title="alerte de stock bas", day="mon", hour=9, minute=0)`.

    `title` is what the log calls it. `day`, `hour` and `minute`, or `cron`, say when it runs where the
    environment (`SCHEDULER_<NAME>_…`) says nothing; by default every day at midnight.

    Raises:
        JobError: the name, the schedule or the function makes no sense.

    """

    def declare(function: Function) -> Job:
        _check_name(name)
        _check_signature(function)
        defaults = JobDefaults(name=name, prefix=name.upper(), day=day, hour=hour, minute=minute, cron=cron)
        try:
            check_defaults(defaults)
        except ValueError as error:
            raise JobError(f"job {name!r} : {error}") from error
        return Job(name=name, title=title or name, function=function, defaults=defaults)

    return declare


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise JobError(
            f"job {name!r} : un nom en minuscules, chiffres et _ est attendu, comme 'alerte_stock'"
        )


def _check_signature(function: object) -> None:
    if not callable(function):
        raise JobError(f"@job attend une fonction, pas {function!r}")
    try:
        inspect.signature(function).bind(object())
    except (TypeError, ValueError) as error:
        name = getattr(function, "__name__", repr(function))
        raise JobError(f"{name}() doit accepter un seul argument, le Run : def {name}(run)") from error
