"""The mails of one run: who is left to be written to, what became of each, and that it is noted down.

It knows no SQL and no SMTP. Each turn of `delivery.deliver` is one transaction: what became of letters, with
their rows in the application's log, and which ones are about to start.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from cavecron.appdb.email_log import EmailLogRow, record_mail
from cavecron.appdb.recipients import RecipientList
from cavecron.appdb.reports import build_reports
from cavecron.errors import CavecronError
from cavecron.jobs.job import Outcome, Run
from cavecron.jobs.mail_backend import MailBackend
from cavecron.ledger.deliveries import DeliveryState, DeliveryUpdate, PreviousDelivery
from cavecron.mail.message import message_id
from cavecron.mail.models import Delivery, Fate, Letter, Turn
from cavecron.report.message import SUBJECT, compose
from cavecron.report.model import Recipient
from cavecron.schedule import GRACE

#: What the application calls this kind of mail in its log.
TEMPLATE = "weekly_report"
_UNKNOWN = "envoi coupé net avant la réponse du serveur de mail : le message est peut-être arrivé"
#: An unknown fate stays in doubt: the mail goes out again, and that is counted as a repetition.
_STATES: Mapping[Fate, DeliveryState] = {
    Fate.DELIVERED: "sent",
    Fate.REFUSED: "failed",
    Fate.DEFERRED: "deferred",
    Fate.UNKNOWN: "sending",
}


def person(user: Recipient, status: str, reason: str | None) -> dict[str, object]:
    """Return what `--json` says of one recipient."""
    return {"id": user.id, "username": user.username, "email": user.email, "status": status, "reason": reason}


@dataclass(slots=True, kw_only=True)
class Mailing:
    """One attempt at the mails of a run; `known` is what earlier attempts left, by user."""

    run: Run
    audience: RecipientList
    backend: MailBackend
    known: dict[int, PreviousDelivery] = field(default_factory=dict)
    _unrecorded: dict[str, DeliveryUpdate] = field(default_factory=dict)
    #: Why nothing can be noted down: the mailing has to end.
    trouble: CavecronError | None = None

    @classmethod
    def resumed(cls, run: Run, audience: RecipientList, backend: MailBackend) -> "Mailing":
        """Return the mailing of `run` with what its earlier attempts left."""
        known = {
            int(user): what
            for user, what in run.deliveries.previous().items()
            # Only owed a mail when the run failed: nobody has tried to write to him yet.
            if user.isdecimal() and (what.state != "deferred" or what.error)
        }
        return cls(run=run, audience=audience, backend=backend, known=known)

    @property
    def done(self) -> int:
        """Return how many of the recipients have their mail."""
        return sum(self._state(user) == "sent" for user in self.audience.recipients)

    def left(self) -> list[Recipient]:
        """Return who is to be written to: not who has the mail, nor, unless asked for, who was refused."""
        settled = {"sent"} if self.run.claim.retry_permanent_failures else {"sent", "failed"}
        return [user for user in self.audience.recipients if self._state(user) not in settled]

    def letters(self) -> Iterator[Letter]:
        """Yield the letter of each who is left; a user to whom none can be written is settled on the way.

        Who was tried before comes last: mails that break the connection each time hold up nobody else.
        """
        left = self.left()
        tried = [user for user in left if user.id in self.known]
        yield from self._letters([user for user in left if user.id not in self.known])
        yield from self._letters(tried)

    def _letters(self, people: Sequence[Recipient]) -> Iterator[Letter]:
        run = self.run
        domain = self.backend.sender.address.rpartition("@")[2]
        for report in build_reports(run.database, people, at=run.planned, zone=run.settings.zone):
            try:
                message = compose(
                    report,
                    zone=run.settings.zone,
                    generated=run.planned,
                    sender=self.backend.sender,
                    message_id=message_id(run.key, report.user.id, domain),
                )
            except CavecronError as error:
                self._settle(
                    report.user.id, report.user.email, PreviousDelivery(state="failed", error=str(error))
                )
                continue
            yield Letter(user_id=report.user.id, address=report.user.email, message=message)

    def write_off(self) -> None:
        """Tell the application's log of mails of earlier runs whose fate nobody will ever know."""
        people = {str(user.id): user for user in self.audience.recipients}
        now = self.run.clock.now()
        for run, recipient in self.run.deliveries.in_flight_of_dead_runs(before=now - GRACE):
            if user := people.get(recipient):
                what = self._settled(user.id, user.email, PreviousDelivery(state="failed", error=_UNKNOWN))
                self.run.deliveries.close_abandoned(run, recipient, what, now=now)

    def check(self) -> None:
        """Return if the mailing may go on; else raise why not, a CavecronError."""
        if self.trouble is not None:
            raise self.trouble
        self.run.check()

    def note(self, turn: Turn) -> None:
        """Note a turn down; if that is impossible, `check` says so before anything starts."""
        for delivery in turn.results:
            self._take(delivery)
        for letter in turn.put_off:
            self.known[letter.user_id] = PreviousDelivery(state="deferred", error=None)
            self._unrecorded[str(letter.user_id)] = DeliveryUpdate(state="deferred")
        begun = [str(letter.user_id) for letter in turn.starting]
        if self.trouble is None:
            try:
                self._record(begun)
            except CavecronError as trouble:
                self.trouble = trouble

    def finish(self) -> None:
        """Note down what could not be noted before; it was tried once more, so what is raised is final."""
        if self._unrecorded:
            self._record([])

    def outcome(self) -> Outcome:
        """Return the counts of the whole run, earlier attempts included, and each user with the fate."""
        told = [
            (user, what)
            for user in self.audience.recipients
            if (what := self.known.get(user.id)) and (what.state == "sent" or what.error)
        ]
        failures = [f"{user.username} : {what.error}" for user, what in told if what.state != "sent"]
        sent, failed = len(told) - len(failures), len(failures)
        return Outcome(
            summary=f"Rapports hebdomadaires: {sent} envoyés, {failed} échecs",
            details={
                "sent": sent,
                "failed": failed,
                "without_address": self.audience.without_address,
                "excluded": self.audience.excluded,
                "recipients": [
                    person(user, "sent" if what.state == "sent" else "failed", what.error)
                    for user, what in told
                ],
            },
            failures=tuple(failures),
            temporary=any(what.state in ("deferred", "sending") for _, what in told),
        )

    def _state(self, user: Recipient) -> DeliveryState | None:
        known = self.known.get(user.id)
        return known.state if known else None

    def _take(self, delivery: Delivery) -> None:
        letter = delivery.letter
        what = PreviousDelivery(state=_STATES[delivery.fate], error=delivery.error)
        self._settle(letter.user_id, letter.address, what)

    def _settle(self, user: int, email: str, what: PreviousDelivery) -> None:
        self.known[user] = what
        self._unrecorded[str(user)] = self._settled(user, email, what)

    def _settled(self, user: int, email: str, what: PreviousDelivery) -> DeliveryUpdate:
        row = EmailLogRow(
            smtp_config_id=self.backend.config.id if self.backend.config else None,
            recipient_email=email,
            recipient_user_id=user,
            subject=SUBJECT,
            template_name=TEMPLATE,
            error_message=what.error,
            at=self.run.clock.now(),
        )
        log = partial(record_mail, sent=row)
        return DeliveryUpdate(state=what.state, error=what.error, log=log)

    def _record(self, begun: list[str]) -> None:
        self.run.deliveries.record(now=self.run.clock.now(), started=begun, finished=self._unrecorded)
        self._unrecorded.clear()
