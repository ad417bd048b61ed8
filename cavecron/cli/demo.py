"""`cavecron demo`: a sample cellar, and both jobs run on it exactly as on a real one."""

import argparse
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from cavecron.cli import preview, run
from cavecron.clock import SystemClock
from cavecron.database.sqlite import Database
from cavecron.demo.cellar import create
from cavecron.demo.households import HOUSEHOLDS
from cavecron.errors import CavecronError, UsageError, reason

_SHOWN = HOUSEHOLDS[0].name

#: The arguments of `cavecron run JOB` without options.
_PLAIN = {"user": [], "dry_run": False, "json": False, "due": False, "resume": False}


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Create the sample cellar, run the jobs and print where the files are; exit code 0."""
    del environ  # the demonstration does not depend on the configuration
    folder = _new_folder(Path(arguments.folder))
    database, outbox, page = folder / "wine.db", folder / "courrier", folder / f"rapport-{_SHOWN}.html"
    _make_cellar(database)
    print(f"Une cave d'exemple de {len(HOUSEHOLDS)} utilisateurs est dans {database}")
    settings = {"DATABASE_URL": f"sqlite:///{database}", "CAVECRON_MAIL": f"maildir:{outbox}"}
    for job in ("weekly_reports", "cleanup"):
        print(f"\n$ cavecron run {job}", flush=True)
        code = run.main(argparse.Namespace(job=job, **_PLAIN), settings)
        if code:
            return code
    print(f"\n$ cavecron preview {_SHOWN}")
    options = {"user": _SHOWN, "output": str(page), "at": None, "all": False, "text": False, "json": False}
    preview.main(argparse.Namespace(**options), settings)
    mails = len(list((outbox / "new").iterdir()))
    print(
        f"\nLes {mails} mails sont dans {outbox}, une boîte Maildir (mutt -f, Evolution, Thunderbird…)."
        f"\nPour voir celui de {_SHOWN}, ouvrez dans un navigateur :\n  {page}"
        "\nPour votre propre cave : DATABASE_URL=sqlite:////chemin/vers/wine.db cavecron check"
    )
    return 0


def _new_folder(path: Path) -> Path:
    """Create the folder; raise UsageError if it is not empty, because its files could be valuable."""
    if "?" in str(path.absolute()):
        raise UsageError(f"{path} : une DATABASE_URL ne peut contenir de « ? », donner un autre DOSSIER")
    try:
        path.mkdir(parents=True, exist_ok=True)
        is_occupied = any(path.iterdir())
    except OSError as error:
        raise UsageError(f"{path} : impossible d'y faire un dossier ({reason(error)})") from error
    if is_occupied:
        raise UsageError(f"{path} n'est pas vide : l'effacer, ou donner un autre DOSSIER à cavecron demo")
    return path.resolve()


def _make_cellar(path: Path) -> None:
    """Create the sample database; on an error nothing is left behind."""
    try:
        create(path, SystemClock().now())
    except sqlite3.Error as error:
        path.unlink(missing_ok=True)
        raise CavecronError(f"pas de cave d'exemple : {Database(path).as_cavecron_error(error)}") from error
