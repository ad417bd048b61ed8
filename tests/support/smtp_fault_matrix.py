"""A mailing to seven users while the mail server has one fault, and checks of its reported results.

The matrix has each fault at each step of the session, for the first, a middle or the last recipient (or
connection, where a step comes before recipients), once or from then on for everybody.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from itertools import product
from time import monotonic
from typing import Literal

from cavecron.errors import CavecronError
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.models import DeliveryStatus, OutgoingMail
from cavecron.mail.smtp.config import SmtpConfig
from cavecron.mail.smtp.transport import connector
from tests.support.authority import Authority
from tests.support.deliveries import ListLog
from tests.support.fake_smtp.dialogue import Mail
from tests.support.fake_smtp.faults import (
    FAULTS,
    Fault,
    FaultRule,
    Policy,
    Step,
    close,
    endless,
    garbage,
    reply,
    reset,
)
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.smtp_configs import smtp_config

#: Seconds: the time limit of a step, and what a whole mailing may take, on a busy machine too.
STEP_LIMIT, MAILING_LIMIT = 1.0, 15.0
USERS = tuple(f"user{number}@example.org" for number in range(7))
_LOGIN = ("cave", "sésame")
#: A new connection after two mails, so that there are some.
_POLICY = DeliveryPolicy(
    connections=2, max_per_connection=2, pauses=(0.05, 0.1, 0.2), retry_after=0.2, grace=3.0
)

Position = Literal["first", "middle", "last"]
_PLACES: dict[Position, int] = {"first": 0, "middle": 3, "last": 6}
_CONNECTIONS: dict[Position, int] = {"first": 1, "middle": 2, "last": 3}
_BY_CONNECTION = (Step.CONNECT, Step.HANDSHAKE, Step.GREETING, Step.EHLO, Step.STARTTLS, Step.AUTH, Step.QUIT)
#: Faults after which the server has the message, although it never confirmed that.
_KEPT = {
    f"{fault.kind}, kept": fault
    for fault in (reset(kept=True), close(kept=True), garbage(kept=True), endless(kept=True))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCase:
    """One fault at one step, for one recipient or connection."""

    step: Step
    fault: str
    position: Position
    lasting: bool

    def __str__(self) -> str:
        return f"{self.step} {self.fault}, {self.position}, {'from then on' if self.lasting else 'once'}"

    @property
    def recipient(self) -> str:
        """Return the recipient at its position, whose mail has a fault that goes by recipient."""
        return USERS[_PLACES[self.position]]

    @property
    def by_connection(self) -> bool:
        """Return whether the fault goes by connection, and not by recipient."""
        return self.step in _BY_CONNECTION

    def policies(self) -> list[Policy]:
        """Return the policies of the server."""
        fault = {**FAULTS, **_KEPT}[self.fault]
        rules: list[Policy] = [self._rule(fault)]
        if self.step is Step.RSET:  # RSET follows a refusal only
            rules.append(FaultRule(Step.RCPT, reply("550 5.1.1 unknown"), recipient=self.recipient))
        return rules

    def _rule(self, fault: Fault) -> FaultRule:
        place = _CONNECTIONS[self.position] if self.by_connection else _PLACES[self.position] + 1
        if self.step is Step.RSET:
            return FaultRule(self.step, fault, times=None)
        if self.lasting:
            return FaultRule(self.step, fault, first=place, times=None)
        if self.by_connection:
            return FaultRule(self.step, fault, connection=place)
        if self.step is Step.MAIL:
            return FaultRule(self.step, fault, first=place)
        return FaultRule(self.step, fault, recipient=self.recipient)


def fault_cases() -> Iterator[FaultCase]:
    """Yield all cases of the matrix."""
    positions = tuple(_PLACES)
    for step, lasting in product(Step, (False, True)):
        for fault, position in product([*FAULTS, *(_KEPT if step is Step.END else ())], positions):
            yield FaultCase(step=step, fault=fault, position=position, lasting=lasting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The results that the mailing reported, and the mails that the server accepted."""

    log: ListLog
    raised: CavecronError | None
    accepted: Sequence[Mail]
    seconds: float


def run_mailing(case: FaultCase, ca: Authority) -> Report:
    """Send a mail to each user while the fault occurs."""
    log, raised = ListLog(), None
    server = FakeSmtpServer(*case.policies(), tls="starttls", context=ca.context(), login=_LOGIN)
    started = monotonic()
    with server:
        connect = connector(_config(server.port), ca.ca_file, answer_limit=STEP_LIMIT)
        try:
            deliver(_mails(), connect, log, policy=_POLICY, check=lambda: None)
        except CavecronError as error:
            raised = error
        seconds = monotonic() - started
    return Report(log=log, raised=raised, accepted=server.accepted, seconds=seconds)


def violations(case: FaultCase, report: Report) -> Iterator[str]:
    """Yield the violations of the promises."""
    if report.seconds > MAILING_LIMIT:
        yield f"it took {report.seconds:.1f} s"
    reported = [address for address, _, _ in report.log.results]
    if report.log.in_doubt:
        yield f"no result is recorded for {report.log.in_doubt}"
    if max(Counter(mail.recipient for mail in report.accepted).values(), default=0) > 2:
        yield "somebody has a mail three times"
    if report.raised is None and set(reported) != set(USERS):
        yield f"it ended well and reported of {reported} only"
    for user in USERS:
        yield from _wrong_results(user, report)
    if not case.lasting or case.step is Step.RSET:
        yield from _side_effects(case, report)


def _wrong_results(user: str, report: Report) -> Iterator[str]:
    """Yield the differences between the reported results and the accepted mails."""
    mails = [mail for mail in report.accepted if mail.recipient == user]
    results = [result for result in report.log.all_results if result.mail.address == user]
    result = results[-1] if results else None
    status = result.status if result else None
    unanswered = sum(each.status is DeliveryStatus.UNKNOWN for each in results[:-1])
    if len({mail.message_id for mail in mails}) > 1:
        yield f"{user} has different mails"
    allowed = {
        DeliveryStatus.DELIVERED: (1, 1 + bool(unanswered)),
        DeliveryStatus.UNKNOWN: (0, 1),
        DeliveryStatus.ABANDONED: (0, 2),
        DeliveryStatus.REFUSED: (0, bool(unanswered)),
    }
    least, most = allowed.get(status, (0, 0)) if status else (0, 0)
    if not least <= len(mails) <= most:
        yield f"{user} has {len(mails)} mails, and was reported as {status}"
    if result and (result.error is None) != (status is DeliveryStatus.DELIVERED):
        yield f"{user}: {status} with the error {result.error!r}"


def _side_effects(case: FaultCase, report: Report) -> Iterator[str]:
    """Yield users without a mail although the fault occurred only once, and not with their mail."""
    got = {address for address, status, _ in report.log.results if status == "delivered"}
    if report.raised:
        nobody = not report.log.results and not report.accepted
        if not (case.by_connection and case.position == "first" and nobody):
            yield f"it ended with {report.raised}"
        return
    refused = case.step is Step.RSET or (case.fault == "5xx" and not case.by_connection)
    lost = set(USERS) - got
    if case.step is Step.MAIL and refused:  # whose mail that was is the connections' affair
        if len(lost) > 1:
            yield f"without mail: {lost}"
    elif lost != ({case.recipient} if refused else set()):
        yield f"without mail: {lost}"


def _mails() -> list[OutgoingMail]:
    mails = []
    for number, user in enumerate(USERS):
        message = EmailMessage()
        message["Message-ID"] = f"<{number}@cave.example>"
        message["To"] = user
        message.set_content("Bonjour\n" * 50)
        mails.append(OutgoingMail(user_id=number, address=user, message=message))
    return mails


def _config(port: int) -> SmtpConfig:
    return smtp_config(port, username=_LOGIN[0], password=_LOGIN[1], security="starttls", timeout=STEP_LIMIT)
