"""The environment of this process: its jobs and settings, files that variables name included."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cavecron.config import settings
from cavecron.config.settings import Settings
from cavecron.jobs.job import Job
from cavecron.jobs.loader import load_jobs

#: Characters of a file that a variable names: keys, lists and certificates are far shorter.
_LONGEST = 1_000_000


def load(environ: Mapping[str, str]) -> tuple[Settings, tuple[Job, ...]]:
    """Return the settings, and all jobs: the built-in ones and those of `CAVECRON_JOBS`.

    Raises:
        ConfigurationError: with every problem of both.

    """
    jobs, problems = load_jobs(settings.job_sources(environ, _read))
    return settings.load(environ, _read, [job.defaults for job in jobs], problems), jobs


def load_for(jobs: Sequence[Job], environ: Mapping[str, str]) -> Settings:
    """Return the settings of jobs that are given as objects.

    Raises:
        ConfigurationError: with every problem.

    """
    return settings.load(environ, _read, [job.defaults for job in jobs])


def _read(path: str) -> str:
    """Return the text of a file; whatever has no end, or is no value of a variable, is no text."""
    with Path(path).open(encoding="utf-8") as file:
        text = file.read(_LONGEST + 1)
    if len(text) > _LONGEST or "\0" in text:
        raise ValueError(path)
    return text
