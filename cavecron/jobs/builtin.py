"""The table of the built-in jobs.

Their modules are loaded when a job runs, so that an idle scheduler does not keep them in memory all week.
"""

from typing import TYPE_CHECKING

from cavecron.config.settings import BUILT_IN
from cavecron.jobs.job import Job
from cavecron.lazy import lazy_module

if TYPE_CHECKING:
    from cavecron.jobs import backup, cleanup, unsent_reports, weekly_reports
    from cavecron.jobs.context import Outcome, Run
else:
    backup = lazy_module("cavecron.jobs.backup")
    cleanup = lazy_module("cavecron.jobs.cleanup")
    unsent_reports = lazy_module("cavecron.jobs.unsent_reports")
    weekly_reports = lazy_module("cavecron.jobs.weekly_reports")


def _weekly_reports(run: "Run") -> "Outcome":
    return weekly_reports.weekly_reports(run)


def _list_unsent_reports(run: "Run") -> None:
    unsent_reports.log_given_up(run)


def _cleanup(run: "Run") -> "Outcome":
    return cleanup.cleanup(run)


def _backup(run: "Run") -> "Outcome":
    return backup.backup(run)


WEEKLY_REPORTS = Job(
    name="weekly_reports",
    title="envoi des rapports hebdomadaires",
    function=_weekly_reports,
    defaults=BUILT_IN[0],
    options=frozenset({"dry_run", "users"}),
    on_given_up=_list_unsent_reports,
)
CLEANUP = Job(
    name="cleanup",
    title="nettoyage des anciennes données",
    function=_cleanup,
    defaults=BUILT_IN[1],
    options=frozenset({"dry_run"}),
)
BACKUP = Job(
    name="backup",
    title="sauvegarde de la base",
    function=_backup,
    defaults=BUILT_IN[2],
    options=frozenset({"dry_run"}),
)
BUILT_IN_JOBS = (WEEKLY_REPORTS, CLEANUP, BACKUP)
