"""`cavecron health`: the health check of a container. It writes nothing."""

import argparse
import sys
from collections.abc import Mapping, Sequence

from cavecron.appdb.tables import require
from cavecron.clock import SystemClock
from cavecron.database.sqlite import Database
from cavecron.errors import CavecronError
from cavecron.jobs.loader import load
from cavecron.ledger.overdue import overdue
from cavecron.ledger.store import Ledger

#: Seconds to wait for a lock, because a health check has a time limit of its own.
_BUSY_TIMEOUT = 5.0


def main(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Return 0 if the database can be read and no slot is overdue, else print the reason and return 1."""
    del arguments
    try:
        problems = _problems(environ)
    except CavecronError as error:
        problems = [str(error)]
    if problems:
        print("cavecron :", " ; ".join(problems), file=sys.stderr)
        return 1
    print("En bonne santé : aucun créneau en souffrance")
    return 0


def _problems(environ: Mapping[str, str]) -> Sequence[str]:
    settings, _jobs = load(environ)
    database = Database(settings.database, busy_timeout=_BUSY_TIMEOUT)
    require(database)
    late = overdue(Ledger(database=database), settings.enabled_schedules, SystemClock().now())
    return [problem.sentence for problem in late]
