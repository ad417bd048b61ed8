"""The weekly report: a mail to each user who has an address.

A short script over `appdb`, `report` and `mail`; it knows no SQL and no SMTP.
"""

import logging
from dataclasses import replace

from cavecron.appdb.reports import RecipientList, recipients
from cavecron.appdb.tables import MAILING, require
from cavecron.errors import CavecronError
from cavecron.jobs.job import Outcome, Run
from cavecron.jobs.mail_backend import post_of
from cavecron.jobs.report_mailing import Mailing, person
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import Pace
from cavecron.mail.message import check_address

_LOG = logging.getLogger(__name__)

#: Of the seconds that a stopping process gets, those that are for the database once the last mail is out.
_RESERVE = 2.0


def weekly_reports(run: Run) -> Outcome:
    """Mail the report to each user who has not got it in this run; with `run.dry_run` only say to whom.

    Raises:
        CavecronError: no report could be sent at all, or the run was cut short; what was sent is recorded.

    """
    require(run.database, MAILING)
    audience = recipients(run.database, run.users)
    if audience.without_address:
        _LOG.info("Sans adresse e-mail, donc sans rapport: %d", audience.without_address)
    if run.dry_run:
        return _rehearse(audience)
    post = post_of(run.settings, run.database)
    with run.deliveries.kept() as deliveries:
        return _mail(Mailing.resumed(replace(run, deliveries=deliveries), audience, post))


def _mail(mailing: Mailing) -> Outcome:
    mailing.write_off()
    if mailing.done:
        _LOG.info("Rapports déjà envoyés avant l'interruption: %d", mailing.done)
    try:
        _send(mailing, _pace(mailing.run))
        if mailing.trouble is not None:
            raise mailing.trouble  # noted down in the end, but not everybody was written to
    except CavecronError as error:
        left = len(mailing.left())
        _LOG.warning("Rapports encore à envoyer: %d (cavecron run weekly_reports --resume)", left)
        error.summary = f"{mailing.outcome().summary}, {left} encore à envoyer"
        raise
    finally:
        mailing.finish()
        _LOG.info("%s", mailing.outcome().summary)
    return mailing.outcome()


def _send(mailing: Mailing, pace: Pace) -> None:
    people = {user.id: user for user in mailing.audience.recipients}
    for turn in deliver(mailing.letters(), mailing.post.connect, pace=pace, check=mailing.check):
        for delivery in turn.results:
            if delivery.error is not None:
                user = people[delivery.letter.user_id]
                _LOG.warning("Rapport non remis à %s <%s> : %s", user.username, user.email, delivery.error)
        mailing.note(turn)
        mailing.run.progress(len(mailing.known), len(people))


def _pace(run: Run) -> Pace:
    chosen = run.settings.mailing
    return Pace(
        connections=chosen.connections,
        per_connection=chosen.per_connection,
        per_minute=chosen.per_minute,
        grace=max(0.5, run.settings.stop_grace - _RESERVE),
    )


def _rehearse(audience: RecipientList) -> Outcome:
    """Return what a run would do; an address that cannot be written to is a failure already."""
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
        details={"without_address": audience.without_address, "recipients": people},
        failures=tuple(failures),
    )
