"""What a job is, the decorator that declares one, and finding a job by its name.

It knows no particular job, and not how one is run: commands that only list jobs load no more than this.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cavecron.config.settings import JobDefaults, Settings, check_defaults
from cavecron.errors import UsageError
from cavecron.text import nearest, suggestion

Option = Literal["dry_run", "users"]
#: It takes a `jobs.context.Run` and returns an `Outcome`, a French summary or None. It can be a coroutine
#: function.
Function = Callable[[Any], Any]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A function and when it runs by default; `options` are those of `cavecron run` that it understands.

    `on_given_up` is called with a run that was killed and will not be resumed automatically any more.
    """

    name: str
    title: str
    function: Function
    defaults: JobDefaults
    options: frozenset[Option] = frozenset()
    on_given_up: Function | None = None

    def __call__(self, run: Any) -> Any:
        """Call the function, so that the tests of a custom job can call it by its decorated name."""
        return self.function(run)


def named_job(jobs: Sequence[Job], name: str) -> Job:
    """Return the job called `name`.

    Raises:
        UsageError: there is none; the message suggests the most similar name.

    """
    by_name = {job.name: job for job in jobs}
    if name not in by_name:
        raise UsageError(f"job inconnu : {name!r}{suggestion(nearest(name, by_name, cutoff=0))}")
    return by_name[name]


def expected_jobs(jobs: Sequence[Job], settings: Settings) -> Sequence[Job]:
    """Return the jobs without those that are disabled by default and that nobody has enabled."""
    return [job for job in jobs if job.defaults.enabled or settings.jobs[job.name].enabled]


class JobError(ValueError):
    """The declaration of a job is wrong; the text says why in French."""


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

    `title` is its name in the log. `day`, `hour` and `minute`, or `cron`, are the default schedule, which
    `SCHEDULER_<NAME>_…` variables can change; without them it runs every day at midnight.

    Raises:
        JobError: the name, the schedule or the function is not valid.

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
            f"job {name!r} : un nom en minuscules, chiffres et _ est attendu, comme 'alerte_stock', de 50"
            " caractères au plus"
        )


def _check_signature(function: object) -> None:
    if not callable(function):
        raise JobError(f"@job attend une fonction, pas {function!r}")
    try:
        inspect.signature(function).bind(object())
    except (TypeError, ValueError) as error:
        name = getattr(function, "__name__", repr(function))
        raise JobError(f"{name}() doit accepter un seul argument, le Run : def {name}(run)") from error
