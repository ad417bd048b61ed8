"""What changes for people who come from the application's own scheduler: the hour of their reports.

That one had no time zone of its own, and a compose file of its own; what it did stands in the application's
list of mails. Nothing is said once cavecron has sent reports itself, or where the hour stays the same.
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
from cavecron.schedule import describe, next_slot

#: By how much the application's scheduler was late at most for the first mail of its slot.
_LATENESS = timedelta(minutes=10)


def changed_hour(database: Database, job: JobSettings) -> str | None:
    """Return in French when reports went out until now, and when they will; None where nothing changes.

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
    """Return whether a slot of today's schedule came just before."""
    slot = next_slot(job.schedule, began - _LATENESS)
    return slot is not None and slot <= began


def _same_hour(local: datetime) -> str:
    return f"cette heure ({WEEKDAYS[local.weekday()]} {local:%H:%M}, {local.tzinfo})"
