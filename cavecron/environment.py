"""The environment of this process: its jobs and settings, files that variables name included."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cavecron import settings
from cavecron.jobs.loading import load_jobs
from cavecron.jobs.registry import Job
from cavecron.settings import Settings


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
    return Path(path).read_text(encoding="utf-8")
