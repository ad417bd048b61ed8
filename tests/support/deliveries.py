"""Mails for tests of a delivery, and a DeliveryLog in memory."""

from collections.abc import Sequence
from email.message import EmailMessage
from threading import Lock

import pytest

from cavecron.errors import CavecronError
from cavecron.mail.delivery.deliver import deliver
from cavecron.mail.delivery.limits import DeliveryPolicy
from cavecron.mail.models import DeliveryResult, OutgoingMail
from tests.support.transports import Recorder

Result = tuple[str, str, str | None]
ONE = DeliveryPolicy(connections=1, pauses=(0.01, 0.02, 0.03), retry_after=0.01, grace=5.0)
TWO = DeliveryPolicy(connections=2, pauses=(0.01, 0.02, 0.03), retry_after=0.01, grace=5.0)


class ListLog:
    """A DeliveryLog in memory; `in_doubt` has the addresses of mails that are being sent."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.calls: list[tuple[tuple[DeliveryResult, ...], tuple[OutgoingMail, ...]]] = []
        self.in_doubt: set[str] = set()

    def record(self, finished: Sequence[DeliveryResult], started: Sequence[OutgoingMail]) -> None:
        """Record it; fail if a finished mail was not started before."""
        with self.lock:
            self.calls.append((tuple(finished), tuple(started)))
            for result in finished:
                self.in_doubt.remove(result.mail.address)
            for mail in started:
                assert mail.address not in self.in_doubt
                self.in_doubt.add(mail.address)

    @property
    def started(self) -> list[str]:
        """Return the addresses of started mails, in order."""
        return [mail.address for _, started in self.calls for mail in started]

    @property
    def all_results(self) -> list[DeliveryResult]:
        """Return all results, those of first tries included."""
        return [result for finished, _ in self.calls for result in finished]

    @property
    def results(self) -> list[Result]:
        """Return the last result of each mail, in the order in which they came."""
        last = {result.mail.address: result for result in self.all_results}
        return [
            (result.mail.address, result.status.value, result.error)
            for result in self.all_results
            if last[result.mail.address] is result
        ]


def mails(names: str) -> list[OutgoingMail]:
    """Return a mail for each character, whose address it is."""
    return [
        OutgoingMail(user_id=number, address=name, message=EmailMessage())
        for number, name in enumerate(names, start=1)
    ]


def go_on() -> None:
    """Be a `check` that never stops a delivery."""


def delivered(recorder: Recorder, names: str, policy: DeliveryPolicy | None = None) -> list[Result]:
    """Return the last result of each mail of a delivery that succeeds."""
    log = ListLog()
    deliver(mails(names), recorder.connect, log, policy=policy, check=go_on)
    return log.results


def failed_delivery(
    recorder: Recorder, names: str, policy: DeliveryPolicy = ONE
) -> tuple[list[Result], CavecronError]:
    """Return the last results of a delivery that fails, and its error."""
    log = ListLog()
    with pytest.raises(CavecronError) as caught:
        deliver(mails(names), recorder.connect, log, policy=policy, check=go_on)
    assert log.in_doubt == set()
    return log.results, caught.value
