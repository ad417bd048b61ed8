"""The cleanup: old rows of the application's three log tables go.

It knows no SQL: which rows, and how gently, is `appdb.cleanup`'s affair.
"""

import logging
from collections.abc import Mapping

from cavecron.appdb.cleanup import count_old, prune
from cavecron.appdb.tables import LOGS, require
from cavecron.jobs.job import Outcome, Run

_LOG = logging.getLogger(__name__)


def cleanup(run: Run) -> Outcome:
    """Delete the rows that are older than their retention; with `run.dry_run` only count them."""
    require(run.database, LOGS)
    if run.dry_run:
        counts = count_old(run.database, run.settings.retention, now=run.planned, check=run.check)
        return _outcome("Essai à blanc, lignes à supprimer", counts)
    counts = prune(run.database, run.settings.retention, now=run.planned, check=run.check)
    outcome = _outcome("Nettoyage, lignes supprimées", counts)
    for table, count in counts.items():
        plural = "s" if count > 1 else ""
        _LOG.info("Nettoyage: %s %d ligne%s supprimée%s", table, count, plural, plural)
    _LOG.info("%s", outcome.summary)
    return outcome


def _outcome(words: str, counts: Mapping[str, int]) -> Outcome:
    listed = ", ".join(f"{table} {count}" for table, count in counts.items())
    return Outcome(summary=f"{words}: {listed}", details={"tables": dict(counts)})
