"""Finding the jobs of one's own: the files and modules that `CAVECRON_JOBS` names.

What is wrong with one is told with its file and line, together with every other problem of the
configuration. It runs no job.
"""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from cavecron.jobs.job import BUILT_IN_JOBS, Job, JobError


def load_jobs(sources: Sequence[str]) -> tuple[tuple[Job, ...], tuple[str, ...]]:
    """Return the built-in jobs and those that `sources` declare, and what is wrong with the sources.

    A source is a path that ends in `.py`, or the name of an importable module.
    """
    jobs = list(BUILT_IN_JOBS)
    # Neither a name nor the prefix of the variables can be shared.
    taken = {word: job for job in jobs for word in (job.name, job.defaults.prefix)}
    problems: list[str] = []
    for source in sources:
        found = _declared(source)
        if isinstance(found, str):
            problems.append(f"CAVECRON_JOBS : {found}")
            continue
        for job in found:
            if twin := taken.get(job.name) or taken.get(job.defaults.prefix):
                problems.append(
                    f"CAVECRON_JOBS : {_place(job)} : le nom {job.name!r} est déjà pris par {_place(twin)}"
                )
            else:
                jobs.append(job)
                taken |= {job.name: job, job.defaults.prefix: job}
    return tuple(jobs), tuple(problems)


def _declared(source: str) -> list[Job] | str:
    """Return the jobs of one source, or what is wrong with it."""
    try:
        module = _imported(source)
    except (
        Exception,
        SystemExit,
        KeyboardInterrupt,
    ) as error:  # whatever somebody's file does when it is run
        return f"{_blame(source, error)} : {_said(error)}"
    jobs = [value for value in vars(module).values() if isinstance(value, Job) and value not in BUILT_IN_JOBS]
    unique = list({id(job): job for job in jobs}.values())
    return unique or f"{source} : aucun job n'y est déclaré ; @job(…) devant une fonction en fait un"


def _imported(source: str) -> ModuleType:
    if not source.endswith(".py"):
        return importlib.import_module(source)
    path = Path(source)
    name = f"cavecron_jobs_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source} n'est pas un fichier Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up there
    spec.loader.exec_module(module)
    return module


def _blame(source: str, error: BaseException) -> str:
    """Return the file and line that is to blame: the last one of the source's own in the traceback."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, ligne {error.lineno}"
    name = Path(source).name if source.endswith(".py") else source.rpartition(".")[2]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name in (name, f"{name}.py")
    ]
    return f"{frames[-1].filename}, ligne {frames[-1].lineno}" if frames else source


def _said(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "fichier introuvable ; est-il monté dans le conteneur ?"
    if isinstance(error, JobError):
        return str(error)
    text = str(error.msg if isinstance(error, SyntaxError) else error)
    return f"{text} ({type(error).__name__})" if text else type(error).__name__


def _place(job: Job) -> str:
    code = getattr(job.function, "__code__", None)
    if job in BUILT_IN_JOBS or code is None:
        return "un job de cavecron"
    return f"{code.co_filename}, ligne {code.co_firstlineno}"
