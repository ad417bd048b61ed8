"""The note in `cavecron check` that weekly reports will come at another hour than before.

The application's own scheduler had no setting for its time zone; when it sent reports is in the application's
list of mails. There is no note after cavecron's first run of the job, or if the hour stays the same.
"""

from datetime import datetime, timedelta

from cavecron.appdb.earlier_reports import last_mailing
from cavecron.config.parsing import DAYS
from cavecron.config.settings import JobSettings
from cavecron.database.sqlite import Database
from cavecron.french import WEEKDAYS
from cavecron.jobs.builtin import WEEKLY_REPORTS
from cavecron.ledger.history import history
from cavecron.ledger.store import Ledger
from cavecron.schedule import next_slot
from cavecron.schedule.describe import describe

#: How late at most the application's scheduler sent the first mail of a slot.
_LATENESS = timedelta(minutes=10)


def changed_hour(database: Database, job: JobSettings) -> str | None:
    """Return in French when reports were sent until now, and when they will be; None if nothing changes.

    Raises:
        CavecronError: the database cannot be read.

    """
    if history(Ledger(database=database), job=WEEKLY_REPORTS.name, most=1):
        return None
    began = last_mailing(database)
    if began is None or _is_slot(job, began):
        return None
    local, name = began.astimezone(job.schedule.zone), f"SCHEDULER_{job.prefix}"
    return (
        f"{describe(job.schedule)} ({job.schedule.zone.key}) ; jusqu'ici l'application les envoyait le"
        f" {WEEKDAYS[began.weekday()]} à {began:%H:%M} UTC. Pour garder {_same_hour(local)} :"
        f" {name}_DAY={DAYS[local.weekday()]} {name}_HOUR={local.hour} {name}_MINUTE={local.minute}"
    )


def _is_slot(job: JobSettings, began: datetime) -> bool:
    """Return whether `began` is at most ten minutes after a slot of the job."""
    slot = next_slot(job.schedule, began - _LATENESS)
    return slot is not None and slot <= began


def _same_hour(local: datetime) -> str:
    return f"cette heure ({WEEKDAYS[local.weekday()]} {local:%H:%M}, {local.tzinfo})"
