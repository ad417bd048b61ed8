"""The weekly report: a mail to each user who has an address.

A short script over `cellar` and `mail`; it knows no SQL and no SMTP.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage

from cavecron.cellar.logs import EmailLogRow, record_mail
from cavecron.cellar.reader import Audience, recipients, reports
from cavecron.cellar.report import Recipient, WeeklyReport
from cavecron.cellar.tables import MAILING, require
from cavecron.errors import CavecronError
from cavecron.jobs.registry import Outcome, Run
from cavecron.mail.dispatch import Letter, deliver
from cavecron.mail.message import SUBJECT, check_address, compose, message_id
from cavecron.mail.post import Post, post_of

_LOG = logging.getLogger(__name__)
_TEMPLATE = "weekly_report"


@dataclass(slots=True, kw_only=True)
class _Mailing:
    """One run's mails: who is written to, what became of each, and what is still to be recorded."""

    run: Run
    audience: Audience
    post: Post
    results: dict[int, str | None] = field(default_factory=dict)
    unrecorded: list[EmailLogRow] = field(default_factory=list)
    database_trouble: CavecronError | None = None

    def letters(self) -> Iterator[Letter]:
        """Yield each user's letter; a user to whom none can be written is settled on the way."""
        run = self.run
        domain = self.post.sender.address.rpartition("@")[2]
        people = self.audience.recipients
        for report in reports(run.database, people, at=run.planned, zone=run.settings.zone):
            if self.database_trouble:
                return
            identity = message_id(run.key, report.user.id, domain)
            try:
                message = self._compose(report, identity)
            except CavecronError as error:
                self.settle(report.user, str(error))
                continue
            yield Letter(user_id=report.user.id, address=report.user.email, message=message)

    def settle(self, user: Recipient, error: str | None) -> None:
        """Record what became of a user's mail: None is delivered, anything else the reason why not.

        A database that cannot be written ends the mailing; what is not recorded yet is tried again at its
        end.
        """
        self.results[user.id] = error
        row = EmailLogRow(
            smtp_config_id=self.post.config.id if self.post.config else None,
            recipient_email=user.email,
            recipient_user_id=user.id,
            subject=SUBJECT,
            template_name=_TEMPLATE,
            error_message=error,
            at=self.run.clock.now(),
        )
        self.unrecorded.append(row)
        if self.database_trouble is None:
            try:
                self.record()
            except CavecronError as trouble:
                self.database_trouble = trouble

    def record(self) -> None:
        """Write what is not in `email_log` yet, in one short transaction."""
        if not self.unrecorded:
            return
        with self.run.database.writing() as connection:
            for row in self.unrecorded:
                record_mail(connection, row)
        self.unrecorded.clear()

    def outcome(self) -> Outcome:
        """Return the counts, and each user with what became of the mail."""
        settled = [user for user in self.audience.recipients if user.id in self.results]
        failures = [f"{user.username} : {self.results[user.id]}" for user in settled if self.results[user.id]]
        sent, failed = len(settled) - len(failures), len(failures)
        return Outcome(
            summary=f"Rapports hebdomadaires: {sent} envoyés, {failed} échecs",
            details={
                "sent": sent,
                "failed": failed,
                "without_address": self.audience.without_address,
                "recipients": [
                    _person(user, "failed" if self.results[user.id] else "sent", self.results[user.id])
                    for user in settled
                ],
            },
            failures=tuple(failures),
        )

    def _compose(self, report: WeeklyReport, identity: str) -> EmailMessage:
        return compose(
            report,
            zone=self.run.settings.zone,
            generated=self.run.planned,
            sender=self.post.sender,
            message_id=identity,
        )


def weekly_reports(run: Run) -> Outcome:
    """Mail each user's report; with `run.dry_run` only say what would go to whom.

    Raises:
        CavecronError: no report could be sent at all, or the run was cut short; what was sent is recorded.

    """
    require(run.database, MAILING)
    audience = recipients(run.database, run.users)
    if audience.without_address:
        _LOG.info("Sans adresse e-mail, donc sans rapport: %d", audience.without_address)
    if run.dry_run:
        return _rehearse(audience)
    mailing = _Mailing(run=run, audience=audience, post=post_of(run.settings, run.database))
    try:
        _send(mailing)
    finally:
        mailing.record()
        _LOG.info("%s", mailing.outcome().summary)
    if mailing.database_trouble:
        raise mailing.database_trouble  # recorded in the end, but not everybody was written to
    return mailing.outcome()


def _send(mailing: _Mailing) -> None:
    people = {user.id: user for user in mailing.audience.recipients}
    for delivery in deliver(mailing.letters(), mailing.post.transport, check=mailing.run.check):
        user = people[delivery.letter.user_id]
        if delivery.error is not None:
            _LOG.warning("Rapport non remis à %s <%s> : %s", user.username, user.email, delivery.error)
        mailing.settle(user, delivery.error)
        mailing.run.progress(len(mailing.results), len(people))


def _rehearse(audience: Audience) -> Outcome:
    """Return what a run would do; an address that cannot be written to is a failure already."""
    people, lines, failures = [], [], []
    for user in audience.recipients:
        line = f"{user.username} <{user.email}>"
        try:
            check_address(user.email)
        except CavecronError as error:
            people.append(_person(user, "refused", str(error)))
            failures.append(f"{user.username} : {error}")
            line += f" : {error}"
        else:
            people.append(_person(user, "ready", None))
        lines.append(line)
    ready = len(people) - len(failures)
    return Outcome(
        summary=f"Essai à blanc: {ready} à envoyer, {len(failures)} adresses refusées",
        lines=tuple(lines),
        details={"without_address": audience.without_address, "recipients": people},
        failures=tuple(failures),
    )


def _person(user: Recipient, status: str, reason: str | None) -> dict[str, object]:
    return {"id": user.id, "username": user.username, "email": user.email, "status": status, "reason": reason}
