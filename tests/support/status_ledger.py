"""A ledger with past runs of the weekly reports and their mails, for tests of `status`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from cavecron.config.settings import Settings
from cavecron.jobs.job import Job
from cavecron.jobs.loader import load
from cavecron.ledger.catch_up import register_jobs, scan
from cavecron.ledger.deliveries import Deliveries, DeliveryUpdate
from cavecron.ledger.models import JobCursor, RunResult
from cavecron.ledger.runs import record_end
from cavecron.ledger.store import Ledger
from tests.support.app_database import CellarFile
from tests.support.ledgers import HOUR, WAITING

REPORTS = "weekly_reports"
SENT = DeliveryUpdate(state="sent")
SUCCEEDED = RunResult(state="succeeded", summary="Rapports hebdomadaires: 3 envoyés, 0 échecs")
FAILED = RunResult(
    state="failed",
    summary="Rapports hebdomadaires: 2 envoyés, 1 échecs",
    reason="1 échec : Bob : 550 <bob@example.org> inconnu",
)


def loaded(cellar: CellarFile, **variables: str) -> tuple[Settings, tuple[Job, ...]]:
    """Return settings and jobs on this database."""
    return load({"DATABASE_URL": f"sqlite:///{cellar.path}", **variables})


class PastReports:
    """Adds past slots of the weekly reports to a ledger, in order of time."""

    def __init__(self, cellar: CellarFile, since: datetime) -> None:
        self.ledger = Ledger(database=cellar.database)
        self.settings, self.jobs = loaded(cellar)
        self._schedule = self.settings.jobs[REPORTS].schedule
        register_jobs(self.ledger, self.settings.schedules, since)

    def ran(
        self,
        slot: datetime,
        result: RunResult,
        mails: Mapping[str, DeliveryUpdate] | None = None,
        *,
        late: timedelta = timedelta(),
    ) -> None:
        """Add a run of a slot that lasted five seconds, and the states of its mails by recipient."""
        at = slot + late
        cursor = JobCursor(job=REPORTS, schedule=self._schedule)
        if not late:
            cursor = replace(cursor, state=WAITING, accounted_until=slot - HOUR)
        (scan_result,) = scan(self.ledger, [cursor], at)
        assert scan_result.claim, scan_result
        Deliveries(ledger=self.ledger, run=scan_result.claim.run).record(now=at, finished=mails)
        record_end(self.ledger, scan_result.claim, result, at + timedelta(seconds=5))

    def scan_job(self, at: datetime) -> None:
        """Scan all jobs at an instant; slots that are older than an hour become missed."""
        cursors = [
            JobCursor(job=name, schedule=schedule)
            for name, schedule in self.settings.schedules.items()
            if schedule
        ]
        scan(self.ledger, cursors, at)
