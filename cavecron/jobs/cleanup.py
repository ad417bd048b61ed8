"""The cleanup job: it deletes old rows of the application's three log tables, and cavecron's old runs.

It knows no SQL: `appdb.cleanup` and `ledger.retention` choose the rows and keep the transactions short.
"""

import logging
from collections.abc import Mapping

from cavecron.appdb.cleanup import count_old, prune
from cavecron.appdb.last_written import last_written
from cavecron.appdb.tables import LOGS, require
from cavecron.jobs.clock_guard import require_plausible_clock
from cavecron.jobs.context import Outcome, Run
from cavecron.ledger import retention
from cavecron.ledger.history import history

_LOG = logging.getLogger(__name__)
_OWN_TABLE = "cavecron_run"

#: How many past runs of this job are searched for one that succeeded.
_PAST_RUNS = 100


def cleanup(run: Run) -> Outcome:
    """Delete the rows that are older than their retention; with `run.dry_run` only count them.

    Raises:
        CavecronError: the clock of a scheduler is implausible, the database cannot be written, or the run has
            to stop; what was deleted until then stays deleted.

    """
    require(run.database, LOGS)
    ledger, days = run.ledger, run.settings.retention.ledger_days
    if run.dry_run:
        counts = count_old(run.database, run.settings.retention, now=run.planned, check=run.check)
        own = retention.count_old(ledger, days=days, now=run.planned)
        counts |= {_OWN_TABLE: own} if own else {}
        return _outcome("Essai à blanc, lignes à supprimer", counts)
    _check_clock(run)
    # A slot claimed under a clock that was ahead is still ahead when the run is resumed under the right
    # clock.
    now = min(run.planned, run.clock.now())
    counts = prune(run.database, run.settings.retention, now=now, check=run.check)
    own = retention.prune(ledger, days=days, now=now, check=run.check)
    counts |= {_OWN_TABLE: own} if own else {}
    outcome = _outcome("Nettoyage, lignes supprimées", counts)
    for table, count in counts.items():
        plural = "s" if count > 1 else ""
        _LOG.info("Nettoyage: %s %d ligne%s supprimée%s", table, count, plural, plural)
    _LOG.info("%s", outcome.summary)
    return outcome


def _check_clock(run: Run) -> None:
    """Raise an error if a scheduler's clock is implausible; a person who runs a cleanup is trusted."""
    if run.slot is None or run.claim.retry_permanent_failures:
        return
    now = run.clock.now()
    # Of the runs in the ledger only cleanups count: other jobs run without a check of the clock.
    past = history(run.ledger, job=run.job.name, most=_PAST_RUNS)
    successes = [entry.finished for entry in past if entry.state == "succeeded"]
    require_plausible_clock(now, (*successes, last_written(run.database, now=now)), run.settings.zone)


def _outcome(words: str, counts: Mapping[str, int]) -> Outcome:
    listed = ", ".join(f"{table} {count}" for table, count in counts.items())
    return Outcome(summary=f"{words}: {listed}", details={"tables": dict(counts)})
