"""Loading the settings, the built-in jobs and those of `CAVECRON_JOBS`.

A problem in a job's file is reported with its line, together with all other problems of the configuration.
It runs no job.
"""

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from cavecron.config import settings as config
from cavecron.config.settings import Settings
from cavecron.errors import reason
from cavecron.jobs import zone_files
from cavecron.jobs.builtin import BUILT_IN_JOBS
from cavecron.jobs.files import read_text
from cavecron.jobs.job import Job, JobError
from cavecron.lazy import lazy_module

if TYPE_CHECKING:
    from urllib import parse
else:
    parse = lazy_module("urllib.parse")  # only for a path with a percent sign


def load(environ: Mapping[str, str]) -> tuple[Settings, tuple[Job, ...]]:
    """Return the settings, and all jobs: the built-in ones and those of `CAVECRON_JOBS`.

    Raises:
        ConfigurationError: it lists all problems of both.

    """
    folder = working_directory()  # before a file of jobs is executed, which may change it
    sources = config.job_sources(environ, partial(_read_in, folder))
    jobs, problems = load_jobs(sources, folder)
    return load_for(jobs, environ, problems, folder=folder), jobs


def load_for(
    jobs: Sequence[Job],
    environ: Mapping[str, str],
    problems: Sequence[str] = (),
    *,
    folder: Path | None = None,
) -> Settings:
    """Return the settings for these jobs; all paths in them are absolute.

    Relative ones are resolved from `folder`, by default the working directory.

    Raises:
        ConfigurationError: it lists all problems, `problems` included.

    """
    folder = folder or working_directory()
    defaults = [job.defaults for job in jobs]
    zone_of = zone_files.installed().zone
    read_file = partial(_read_in, folder)
    settings = config.load(environ, read_file, defaults, problems, zone_of=zone_of, folder=folder)
    database = _decoded(settings.database)
    backup = replace(settings.backup, folder=database.parent / settings.backup.folder)
    return replace(settings, database=database, backup=backup)


def _decoded(database: Path) -> Path:
    """Return the path of the database, percent escapes decoded if there is no file otherwise.

    SQLAlchemy decodes them from 2.1 on, and did not before.
    """
    if "%" not in str(database) or os.path.lexists(database):
        return database
    return Path(parse.unquote(str(database)))


def working_directory() -> Path:
    """Return the working directory; an empty path if it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path()


def _read_in(folder: Path, path: str) -> str:
    """Return the text of a file; raises the errors of `read_text`."""
    return read_text(str(folder / path))


def load_jobs(sources: Sequence[str], folder: Path = Path()) -> tuple[tuple[Job, ...], tuple[str, ...]]:
    """Return the built-in jobs and those that `sources` declare, and the problems of the sources.

    A source is a path that ends in `.py`, relative to `folder`, or the name of an importable module.
    """
    jobs = list(BUILT_IN_JOBS)
    # Both the name and the prefix of the variables have to be unique.
    job_by_name = {word: job for job in jobs for word in (job.name, job.defaults.prefix)}
    problems: list[str] = []
    for source in sources:
        declared = _declared(str(folder / source) if source.endswith(".py") else source)
        if isinstance(declared, str):
            problems.append(f"CAVECRON_JOBS : {declared}")
            continue
        for job in declared:
            if other := job_by_name.get(job.name) or job_by_name.get(job.defaults.prefix):
                problems.append(
                    f"CAVECRON_JOBS : {_place(job)} : le nom {job.name!r} est déjà pris par {_place(other)}"
                )
            else:
                jobs.append(job)
                job_by_name |= {job.name: job, job.defaults.prefix: job}
    return tuple(jobs), tuple(problems)


def _declared(source: str) -> list[Job] | str:
    """Return the jobs of one source, or its problem in French."""
    try:
        module = _imported(source)
    except (Exception, SystemExit) as error:  # anything that a user's file can raise, except Ctrl-C
        return f"{_location(source, error)} : {_message(source, error)}"
    jobs = [value for value in vars(module).values() if isinstance(value, Job) and value not in BUILT_IN_JOBS]
    unique = list({id(job): job for job in jobs}.values())
    return unique or f"{source} : aucun job n'y est déclaré ; @job(…) devant une fonction en fait un"


def _imported(source: str) -> ModuleType:
    if not source.endswith(".py"):
        return importlib.import_module(source)
    path = Path(source)
    if path.exists() and not path.is_file():
        raise ImportError(f"{source} n'est pas un fichier ordinaire")
    name = f"cavecron_jobs_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} n'est pas un fichier Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle need it there
    spec.loader.exec_module(module)
    return module


def _location(source: str, error: BaseException) -> str:
    """Return file and line of an error: the last line of the traceback that belongs to the source."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, ligne {error.lineno}"
    name = Path(source).name if source.endswith(".py") else source.rpartition(".")[2]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name in (name, f"{name}.py")
    ]
    return f"{frames[-1].filename}, ligne {frames[-1].lineno}" if frames else source


def _message(source: str, error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "fichier introuvable ; est-il monté dans le conteneur ?"
    if isinstance(error, OSError) and error.filename == source:
        who = f"l'utilisateur n° {os.geteuid()}"
        return f"fichier illisible ({reason(error)}) ; {who} peut-il le lire, et ouvrir son dossier ?"
    if isinstance(error, JobError):
        return str(error)
    text = str(error.msg if isinstance(error, SyntaxError) else error)
    return f"{text} ({type(error).__name__})" if text else type(error).__name__


def _place(job: Job) -> str:
    code = getattr(job.function, "__code__", None)
    if job in BUILT_IN_JOBS or code is None:
        return "un job de cavecron"
    return f"{code.co_filename}, ligne {code.co_firstlineno}"
