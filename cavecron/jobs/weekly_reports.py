"""The job of weekly reports: a mail to each user who has an address.

It puts `appdb`, `report` and `mail` together, and knows neither SQL nor SMTP.
"""

import logging

from cavecron.appdb.recipients import RecipientList, recipients
from cavecron.appdb.tables import MAILING, require
from cavecron.errors import CavecronError
from cavecron.jobs.context import Outcome, Run
from cavecron.jobs.mail_backend import answer_grace, mail_backend
from cavecron.jobs.report_mailing import ReportMailing, person, reports_outcome
from cavecron.jobs.unsent_reports import log_unsent
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.message import check_address, check_sender

_LOG = logging.getLogger(__name__)


def weekly_reports(run: Run) -> Outcome:
    """Mail the report to each user who has not got it in this run; with `run.dry_run` only list them.

    Raises:
        CavecronError: no report could be sent, or the run was interrupted; what was sent is recorded.

    """
    require(run.database, MAILING)
    audience = recipients(run.database, run.users, exclude=run.settings.report_exclude)
    _log_audience(audience)
    if run.dry_run:
        return _dry_run(audience)
    if audience.excluded and not audience.recipients:
        return _nothing_sent(audience)  # that needs no mail server
    try:
        backend = mail_backend(run.settings, run.database)
        with run.deliveries.session():
            return _mail(ReportMailing.resumed(run, audience, backend))
    except CavecronError as error:
        log_unsent(run, audience.recipients, error)
        raise


def _log_audience(audience: RecipientList) -> None:
    """Log who gets no report, and problems of SCHEDULER_WEEKLY_REPORT_EXCLUDE."""
    for warning in audience.exclusions.warnings:
        _LOG.warning("%s", warning)
    for notice in audience.exclusions.notices:
        _LOG.info("%s", notice)
    for name in audience.asked_for:
        _LOG.info("%s est dans SCHEDULER_WEEKLY_REPORT_EXCLUDE : écrit quand même, --user le demande", name)
    if audience.without_address:
        _LOG.info("Sans adresse e-mail, donc sans rapport: %d", audience.without_address)
    if audience.excluded:
        _LOG.info("Exclus par SCHEDULER_WEEKLY_REPORT_EXCLUDE: %d", audience.excluded)


def _nothing_sent(audience: RecipientList) -> Outcome:
    """Return the outcome of a run without recipients."""
    outcome = reports_outcome(audience)
    _LOG.info("%s", outcome.summary)
    return outcome


def _mail(mailing: ReportMailing) -> Outcome:
    check_sender(mailing.backend.sender)  # one error for the run instead of one for each user
    mailing.close_abandoned()
    if mailing.delivered_count:
        _LOG.info("Rapports déjà envoyés avant l'interruption: %d", mailing.delivered_count)
    try:
        deliver(
            mailing.mails(),
            mailing.backend.connect,
            mailing,
            policy=_policy(mailing.run),
            check=mailing.run.check,
        )
    except CavecronError as error:
        remaining = len(mailing.remaining())
        _LOG.warning("Rapports encore à envoyer: %d (cavecron run weekly_reports --resume)", remaining)
        error.summary = f"{mailing.outcome().summary}, {remaining} encore à envoyer"
        raise
    finally:
        mailing.finish()
        _LOG.info("%s", mailing.outcome().summary)
    return mailing.outcome()


def _policy(run: Run) -> DeliveryPolicy:
    limits = run.settings.mail_limits
    return DeliveryPolicy(
        connections=limits.connections,
        max_per_connection=limits.max_per_connection,
        max_per_minute=limits.max_per_minute,
        grace=answer_grace(run.settings),
    )


def _dry_run(audience: RecipientList) -> Outcome:
    """Return what a run would do; an address that is not valid counts as a failure."""
    people, lines, failures = [], [], []
    for user in audience.recipients:
        line = f"{user.username} <{user.email}>"
        try:
            check_address(user.email)
        except CavecronError as error:
            people.append(person(user, "refused", str(error)))
            failures.append(f"{user.username} : {error}")
            line += f" : {error}"
        else:
            people.append(person(user, "ready", None))
        lines.append(line)
    ready = len(people) - len(failures)
    return Outcome(
        summary=f"Essai à blanc: {ready} à envoyer, {len(failures)} adresses refusées",
        lines=tuple(lines),
        details={
            "without_address": audience.without_address,
            "excluded": audience.excluded,
            "recipients": people,
        },
        failures=tuple(failures),
    )
