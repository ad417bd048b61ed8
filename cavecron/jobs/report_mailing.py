"""The reports of one run: the users who still need one, and the record of the result of each mail.

It knows no SQL and no SMTP. Each call of `record` is one transaction: the results of mails, their rows in
`email_log`, and the mails that are about to be sent.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from cavecron.appdb.email_log import EmailLogRow, record_mail
from cavecron.appdb.recipients import RecipientList
from cavecron.appdb.reports import build_reports
from cavecron.errors import CavecronError
from cavecron.jobs.context import Outcome, Run
from cavecron.jobs.mail_backend import MailBackend
from cavecron.ledger.deliveries import DeliveryState, DeliveryUpdate, LogWriter, PreviousDelivery
from cavecron.mail.message import message_id
from cavecron.mail.models import DeliveryResult, DeliveryStatus, OutgoingMail
from cavecron.report.message import SUBJECT, compose
from cavecron.report.model import Recipient
from cavecron.schedule import GRACE

_LOG = logging.getLogger("cavecron.jobs.weekly_reports")

#: The name of this kind of mail in the application's `email_log`.
TEMPLATE = "weekly_report"
#: Tries to record results at the end; each waits for a lock as long as a database waits. Without its result,
#: an accepted mail would be sent again.
_TRIES = 3
_UNKNOWN = "envoi coupé net avant la réponse du serveur de mail : le message est peut-être arrivé"
#: UNKNOWN stays `sending`: the mail goes out again, which is counted as a repetition.
_STATES: Mapping[DeliveryStatus, DeliveryState] = {
    DeliveryStatus.DELIVERED: "sent",
    DeliveryStatus.REFUSED: "failed",
    DeliveryStatus.DEFERRED: "deferred",
    DeliveryStatus.UNKNOWN: "sending",
    DeliveryStatus.ABANDONED: "abandoned",
}


def person(user: Recipient, status: str, reason: str | None) -> dict[str, object]:
    """Return one recipient as `--json` shows it."""
    return {"id": user.id, "username": user.username, "email": user.email, "status": status, "reason": reason}


def row_writer(run: Run, user: Recipient, *, config: int | None, error: str | None) -> LogWriter:
    """Return a function that writes the row in `email_log` of the report to `user`: sent now, or failed.

    `config` is the id of the SMTP configuration, None for a Maildir.
    """
    row = EmailLogRow(
        smtp_config_id=config,
        recipient_email=user.email,
        recipient_user_id=user.id,
        subject=SUBJECT,
        template_name=TEMPLATE,
        error_message=error,
        at=run.clock.now(),
    )
    return partial(record_mail, sent=row)


def reports_outcome(
    audience: RecipientList, results: Sequence[tuple[Recipient, PreviousDelivery]] = ()
) -> Outcome:
    """Return the outcome of a run that sent reports to an audience, with these results."""
    failures = [
        f"{user.username} : {delivery.error}" for user, delivery in results if delivery.state != "sent"
    ]
    sent, failed = len(results) - len(failures), len(failures)
    return Outcome(
        summary=f"Rapports hebdomadaires: {sent} envoyés, {failed} échecs",
        details={
            "sent": sent,
            "failed": failed,
            "without_address": audience.without_address,
            "excluded": audience.excluded,
            "recipients": [
                person(user, "sent" if delivery.state == "sent" else "failed", delivery.error)
                for user, delivery in results
            ],
        },
        failures=tuple(failures),
        temporary=any(delivery.state in ("deferred", "sending") for _, delivery in results),
    )


@dataclass(slots=True, kw_only=True)
class ReportMailing:
    """One attempt at the mails of a run; `by_user` is the last state of each mail, by user."""

    run: Run
    audience: RecipientList
    backend: MailBackend
    by_user: dict[int, PreviousDelivery] = field(default_factory=dict)
    #: Results that could not be recorded yet, by user, and errors of mails that this attempt tries again.
    _unrecorded: dict[str, DeliveryUpdate] = field(default_factory=dict)
    _postponed: dict[int, str] = field(default_factory=dict)
    _people: dict[int, Recipient] = field(init=False)

    def __post_init__(self) -> None:
        self._people = {user.id: user for user in self.audience.recipients}

    @classmethod
    def resumed(cls, run: Run, audience: RecipientList, backend: MailBackend) -> "ReportMailing":
        """Return the mailing of `run` with the results of its earlier attempts."""
        by_user = {
            int(user): delivery
            for user, delivery in run.deliveries.previous().items()
            # Deferred without an error: the run failed before this user's mail was tried.
            if user.isdecimal() and (delivery.state != "deferred" or delivery.error)
        }
        return cls(run=run, audience=audience, backend=backend, by_user=by_user)

    @property
    def delivered_count(self) -> int:
        """Return to how many of the recipients the mail was delivered."""
        return sum(self._state(user) == "sent" for user in self.audience.recipients)

    def remaining(self) -> list[Recipient]:
        """Return the recipients whose mail was neither delivered nor refused.

        With `retry_permanent_failures` refused mails are included, but never those that were sent twice
        without an answer.
        """
        final_states = (
            {"sent", "abandoned"}
            if self.run.claim.retry_permanent_failures
            else {"sent", "abandoned", "failed"}
        )
        return [user for user in self.audience.recipients if self._state(user) not in final_states]

    def mails(self) -> Iterator[OutgoingMail]:
        """Yield the remaining mails; a user whose mail cannot be composed is recorded as failed.

        Mails that were tried before come last, so that one that always breaks the connection delays no other.
        """
        remaining = self.remaining()
        tried = [user for user in remaining if user.id in self.by_user]
        yield from self._composed([user for user in remaining if user.id not in self.by_user])
        yield from self._composed(tried)

    def _composed(self, people: Sequence[Recipient]) -> Iterator[OutgoingMail]:
        run = self.run
        domain = self.backend.sender.address.rpartition("@")[2]
        for report in build_reports(run.database, people, at=run.planned, zone=run.settings.zone):
            user = report.user
            try:
                message = compose(
                    report,
                    zone=run.settings.zone,
                    generated=run.planned,
                    sender=self.backend.sender,
                    message_id=message_id(run.key, user.id, domain),
                )
            except CavecronError as error:
                self._record({user.id: self._update(user, "failed", str(error))})
            else:
                yield OutgoingMail(
                    user_id=user.id,
                    address=user.email,
                    message=message,
                    maybe_delivered=self._state(user) == "sending",
                )

    def close_abandoned(self) -> None:
        """Record as failed those mails of earlier runs whose result will never be known."""
        people = {str(user.id): user for user in self.audience.recipients}
        now = self.run.clock.now()
        for run, recipient in self.run.deliveries.in_flight_of_dead_runs(before=now - GRACE):
            if user := people.get(recipient):
                delivery = self._update(user, "failed", _UNKNOWN)
                self.run.deliveries.close_abandoned(run, recipient, delivery, now=now)

    def record(self, finished: Sequence[DeliveryResult], started: Sequence[OutgoingMail]) -> None:
        """Record results and starts, see `DeliveryLog`; after an error, results are kept for `finish`."""
        for result in finished:
            self._log_failure(result)
        updates = {result.mail.user_id: self._update_for(result) for result in finished}
        self._record(updates, [str(mail.user_id) for mail in started])
        self.run.progress(len(self.by_user), len(self.audience.recipients))

    def finish(self) -> None:
        """Record the results that could not be recorded before.

        Raises:
            CavecronError: they cannot be recorded now either.

        """
        for user, error in self._postponed.items():
            self._warn(user, error)
        self._postponed.clear()
        tries = 0
        while self._unrecorded:
            tries += 1
            try:
                self.run.deliveries.record(now=self.run.clock.now(), finished=self._unrecorded)
            except CavecronError as error:
                if not error.temporary or tries == _TRIES or self.run.stop_error() is not None:
                    raise
            else:
                self._unrecorded.clear()

    def outcome(self) -> Outcome:
        """Return the counts of the whole run, earlier attempts included, and the result of each mail."""
        return reports_outcome(
            self.audience,
            [
                (user, delivery)
                for user in self.audience.recipients
                if (delivery := self.by_user.get(user.id)) and (delivery.state == "sent" or delivery.error)
            ],
        )

    def _state(self, user: Recipient) -> DeliveryState | None:
        delivery = self.by_user.get(user.id)
        return delivery.state if delivery else None

    def _log_failure(self, result: DeliveryResult) -> None:
        user = result.mail.user_id
        if result.is_final:
            self._postponed.pop(user, None)
            if result.error is not None:
                self._warn(user, result.error)
            elif result.status is DeliveryStatus.DELIVERED:
                _LOG.debug("Rapport envoyé à %s <%s>", self._people[user].username, result.mail.address)
        elif result.error is not None:
            self._postponed[user] = result.error

    def _warn(self, user_id: int, error: str) -> None:
        user = self._people[user_id]
        _LOG.warning("Rapport non remis à %s <%s> : %s", user.username, user.email, error)

    def _update_for(self, result: DeliveryResult) -> DeliveryUpdate:
        """Return the ledger's entry for a result; a mail that was not even sent keeps its earlier error."""
        mail, state = result.mail, _STATES[result.status]
        if result.error is None and state != "sent":
            earlier = self.by_user.get(mail.user_id)
            return DeliveryUpdate(state=state, error=earlier.error if earlier else None)
        return self._update(self._people[mail.user_id], state, result.error)

    def _update(self, user: Recipient, state: DeliveryState, error: str | None) -> DeliveryUpdate:
        config = self.backend.config.id if self.backend.config else None
        return DeliveryUpdate(
            state=state, error=error, write_row=row_writer(self.run, user, config=config, error=error)
        )

    def _record(self, updates: Mapping[int, DeliveryUpdate], started: Iterable[str] = ()) -> None:
        for user, delivery in updates.items():
            self.by_user[user] = PreviousDelivery(state=delivery.state, error=delivery.error)
        by_recipient = {str(user): delivery for user, delivery in updates.items()}
        try:
            self.run.deliveries.record(now=self.run.clock.now(), started=started, finished=by_recipient)
        except CavecronError:
            self._unrecorded.update(by_recipient)
            raise
