"""`cavecron export ENGINE`: the enabled jobs as definitions for another scheduler that calls cavecron."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cavecron import __version__
from cavecron.atomic_file import PUBLIC, write_file
from cavecron.clock import SystemClock
from cavecron.config.database_url import database_path
from cavecron.config.settings import Settings, variables
from cavecron.errors import CavecronError, UsageError, reason
from cavecron.export import crontab, kubernetes, systemd
from cavecron.export.plan import Plan, plan
from cavecron.jobs.loader import load, working_directory

#: Where a person would install the program.
_USUAL_PROGRAM = Path("/usr/local/bin/cavecron")
_ENGINES: Mapping[str, Callable[[Plan], str]] = {
    "kubernetes": kubernetes.render,
    "systemd": systemd.render,
    "crontab": crontab.render,
}


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print the definition of all enabled jobs, or write systemd's units into a folder; exit code 0."""
    if arguments.engine not in _ENGINES:
        raise UsageError(f"moteur inconnu : {arguments.engine!r} ; {', '.join(_ENGINES)} sont connus")
    folder = working_directory()
    settings, jobs = load(environ)
    planned = plan(
        settings,
        _rooted(environ, settings, folder),
        titles={job.name: job.title for job in jobs},
        variables=variables([job.defaults for job in jobs]),
        now=SystemClock().now(),
        program=_program(folder),
        version=__version__,
    )
    if not planned.calls:
        raise CavecronError("aucun job n'est activé : rien à exporter (SCHEDULER_…_ENABLED)")
    if arguments.output is None:
        print(_ENGINES[arguments.engine](planned), end="")
        return 0
    if arguments.engine != "systemd":
        raise UsageError("-o écrit les unités de systemd ; ailleurs, rediriger la sortie vers un fichier")
    _write(folder / arguments.output, systemd.units(planned))
    return 0


def _program(folder: Path) -> Path:
    """Return the path of the program that is running, or the usual one for `python -m cavecron`.

    A relative path is resolved from `folder`.
    """
    # For a program of PyInstaller the first argument can be a mere name.
    path = folder / (sys.executable if getattr(sys, "frozen", False) else sys.argv[0])
    return path if path.name == "cavecron" and os.access(path, os.X_OK) else _USUAL_PROGRAM


def _rooted(environ: Mapping[str, str], settings: Settings, folder: Path) -> Mapping[str, str]:
    """Return the variables with absolute paths, because an engine has another working directory.

    Relative paths are resolved from `folder`.
    """
    rooted = {
        name: str(folder / value.strip()) if name.endswith("_FILE") and value.strip() else value
        for name, value in environ.items()
    }
    url = environ.get("DATABASE_URL", "").strip()
    if url and not database_path(url).is_absolute():
        rooted["DATABASE_URL"] = f"sqlite:///{settings.database}"
    if environ.get("CAVECRON_MAIL", "").strip() and settings.maildir:
        rooted["CAVECRON_MAIL"] = f"maildir:{settings.maildir}"
    if environ.get("CAVECRON_JOBS", "").strip():
        sources = [str(folder / one) if one.endswith(".py") else one for one in settings.job_sources]
        rooted["CAVECRON_JOBS"] = ",".join(sources)
    return rooted


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        try:
            folder.mkdir(exist_ok=True)
            write_file(path, text.encode(), mode=PUBLIC)
        except OSError as error:
            raise CavecronError(
                f"{path} : impossible d'écrire ({reason(error)}) ; choisir un autre -o"
            ) from error
    for name in files:  # only now, because the reader of the output may leave
        print(folder / name)
