"""`cavecron run weekly_reports` on mail servers that are down, slow or faulty, and on ports of other servers.

Each test checks the message, the exit code, and that `email_log` and the ledger agree with what the server
has.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.app_database import CellarFile
from tests.support.authority import Authority, authority
from tests.support.check_helpers import KEY, encrypted
from tests.support.fake_smtp.faults import (
    Fault,
    FaultRule,
    Policy,
    Step,
    close,
    delay,
    dribble,
    garbage,
    reply,
    reset,
)
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.in_process import command

_NAMES = ("marie", "paul", "zoé", "jean", "luc")
_USERS = tuple(f"user{number}@example.org" for number in range(1, 6))
#: Words that must not appear in a message.
_ENGLISH = ("Traceback", "Errno", "timed out", "Error", "SSL:", "None")
_MAYBE = "est peut-être arrivé"
#: The prefix of the reason for mails that were not sent because of another one.
_NOT_REACHED = "envoi arrêté avant ce mail : "


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that all servers share."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return authority(folder)


def _for_one(step: Step, fault: Fault, times: int | None = None) -> FaultRule:
    return FaultRule(step, fault, recipient=_USERS[2], times=times)


def _run(
    cellar: CellarFile, ca: Authority, *policies: Policy, limit: int = 3600
) -> tuple[int, dict[str, Any], FakeSmtpServer]:
    """Run the job on a server with STARTTLS and a login; return exit code, JSON output and the server."""
    for name, address in zip(_NAMES, _USERS, strict=True):
        cellar.user(name, address)
    with FakeSmtpServer(*policies, tls="starttls", context=ca.context(), login=("cave", "sésame")) as server:
        cellar.smtp(
            server.port,
            timeout=1,
            use_tls=1,
            username="cave",
            password_encrypted=encrypted("sésame"),
            name="x",
        )
        result = command(
            "run",
            "weekly_reports",
            "--json",
            DATABASE_URL=f"sqlite:///{cellar.path}",
            SMTP_ENCRYPTION_KEY=KEY,
            SMTP_CA_FILE=str(ca.ca_file),
            SCHEDULER_WEEKLY_REPORT_TIMEOUT=str(limit),
        )
    assert [word for word in _ENGLISH if word in result.err + result.out.replace("null", "")] == []
    return result.code, json.loads(result.out), server


def _states(cellar: CellarFile) -> dict[str, str]:
    """Return the state of each recipient in the ledger."""
    rows = cellar.rows(
        'SELECT u.email, d.state FROM cavecron_delivery AS d JOIN "user" AS u ON u.id = d.recipient'
    )
    return {str(address): str(state) for address, state in rows}


def _check_records(cellar: CellarFile, server: FakeSmtpServer) -> None:
    """Compare the application's log and the ledger with the mails that the server has."""
    rows = cellar.rows("SELECT recipient_email, status, error_message FROM email_log")
    assert len({row[0] for row in rows}) == len(rows), "a row each"
    copies, states = server.copies(), _states(cellar)
    for address, status, error in rows:
        state = states.pop(str(address))
        if status == "sent":
            assert (copies.pop(str(address)), state, error) == (1, "sent", None)
        else:
            in_doubt = _MAYBE in str(error) and not str(error).startswith(_NOT_REACHED)
            assert state in ({"sending"} if in_doubt else {"deferred", "failed"})
            if in_doubt:
                copies.pop(str(address), None)
    assert copies == {}, "somebody has a mail and no row"
    assert "sent" not in states.values()


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyServer:
    """A server with a fault at a step, the message about it, and the number of users with their own failure.

    `limit` is the time limit of the run, in seconds.
    """

    step: Step
    fault: Fault
    message: str
    failed: int = 0
    limit: int = 3600


_FAST = {
    "silent": FaultyServer(step=Step.GREETING, fault=delay(), message="pas de réponse à l'accueil en 1 s"),
    "web server": FaultyServer(
        step=Step.CONNECT,
        fault=reply("HTTP/1.1 400 Bad Request"),
        message="un serveur web répond sur ce port, pas un serveur de mail",
    ),
    "login refused": FaultyServer(
        step=Step.AUTH, fault=reply("535 5.7.8 no"), message="identification refusée (535"
    ),
    "sender refused": FaultyServer(
        step=Step.MAIL,
        fault=reply("550 5.7.1 not you"),
        message="expéditeur 'cave@example.org' refusé (550 5.7.1 not you) ; le corriger dans Cave à Vin",
        failed=2,
    ),
    "hangs up at the recipient": FaultyServer(
        step=Step.RCPT,
        fault=close(),
        message="connexion coupée par le serveur au destinataire ; réessayer plus tard",
        failed=3,
    ),
}
_SLOW = {
    "slow": FaultyServer(step=Step.GREETING, fault=dribble(0.2), message="pas de réponse à l'accueil en 1 s"),
    "reset": FaultyServer(step=Step.CONNECT, fault=reset(), message="connexion coupée par le serveur à"),
    "hangs up at EHLO": FaultyServer(
        step=Step.EHLO, fault=close(), message="connexion coupée par le serveur à EHLO"
    ),
    "hangs up at STARTTLS": FaultyServer(
        step=Step.STARTTLS, fault=close(), message="connexion coupée par le serveur à STARTTLS"
    ),
    "hangs up at login": FaultyServer(
        step=Step.AUTH, fault=close(), message="connexion coupée par le serveur à l'identification"
    ),
    "hangs up at the sender": FaultyServer(
        step=Step.MAIL, fault=close(), message="connexion coupée par le serveur à l'expéditeur", failed=3
    ),
    "hangs up at DATA": FaultyServer(
        step=Step.DATA, fault=reset(), message="connexion coupée par le serveur au message", failed=3
    ),
    "hangs up in the message": FaultyServer(
        step=Step.BODY, fault=close(), message=_MAYBE, failed=3
    ),  # the message was sent completely
    "hangs up after the message": FaultyServer(step=Step.END, fault=close(), message=_MAYBE, failed=3),
    "keeps it and hangs up": FaultyServer(step=Step.END, fault=close(kept=True), message=_MAYBE, failed=3),
    "not now": FaultyServer(
        step=Step.GREETING, fault=reply("450 x"), message="refus passager à l'accueil (450 x)"
    ),
    "closing": FaultyServer(
        step=Step.EHLO, fault=reply("421 later"), message="refus passager à EHLO (421 later)"
    ),
    "STARTTLS not now": FaultyServer(
        step=Step.STARTTLS, fault=reply("454 no"), message="refus passager à STARTTLS (454 no)"
    ),
    "login not now": FaultyServer(
        step=Step.AUTH,
        fault=reply("454 4.7.0 later"),
        message="refus passager à l'identification (454 4.7.0 later) ; réessayer plus tard",
    ),
    "never": FaultyServer(
        step=Step.GREETING, fault=reply("554 no"), message="refus à l'accueil (554 no) ; ce serveur"
    ),
    "EHLO never": FaultyServer(
        step=Step.EHLO, fault=reply("554 no"), message="refus à EHLO (554 no) ; ce serveur"
    ),
    "STARTTLS never": FaultyServer(
        step=Step.STARTTLS, fault=reply("501 no"), message="refus à STARTTLS (501 no)"
    ),
    "no SMTP": FaultyServer(
        step=Step.CONNECT, fault=garbage(), message="réponse incompréhensible à l'accueil"
    ),
    "silent at the recipient": FaultyServer(
        step=Step.RCPT,
        fault=delay(),
        message="pas de réponse au destinataire en 1 s ; réessayer plus tard",
        failed=2,
    ),
    "silent after the message": FaultyServer(
        step=Step.END, fault=delay(), message="durée limite de 6 s dépassée", failed=2, limit=6
    ),
}


@pytest.mark.parametrize(
    "faulty",
    [
        *(pytest.param(faulty, id=name) for name, faulty in _FAST.items()),
        *(pytest.param(faulty, id=name, marks=pytest.mark.slow) for name, faulty in _SLOW.items()),
    ],
)
def test_a_server_that_accepts_nothing_ends_the_run_with_one_sentence(
    cellar: CellarFile, ca: Authority, faulty: FaultyServer
) -> None:
    """The exit code is 1, and each user's row has the reason, also if no mail to that user was started."""
    code, output, server = _run(
        cellar, ca, FaultRule(faulty.step, faulty.fault, times=None), limit=faulty.limit
    )
    assert (code, output["ok"]) == (1, False)
    assert faulty.message in output["error"]
    assert "\n" not in output["error"]
    rows = cellar.rows("SELECT status, error_message FROM email_log")
    assert [status for status, _error in rows] == ["failed"] * 5
    others = output["error"] if faulty.failed == 0 else _NOT_REACHED + output["error"]
    by_name = sum(error != others for _status, error in rows)
    # Two connections that are lost together count once, so that one more mail may have been started.
    assert by_name in (faulty.failed, faulty.failed + bool(faulty.failed))
    _check_records(cellar, server)


@pytest.mark.parametrize("step", [Step.RCPT, Step.DATA, Step.END], ids=str)
def test_one_recipient_refused_for_good_is_that_recipients_failure(
    cellar: CellarFile, ca: Authority, step: Step
) -> None:
    """The exit code is 1 with the reason and the name, and all others get their mail."""
    code, output, server = _run(cellar, ca, _for_one(step, reply("550 5.1.1 unknown here")))
    assert (code, output["ok"], output["sent"], output["failed"]) == (1, False, 4, 1)
    (failed,) = [person for person in output["recipients"] if person["status"] == "failed"]
    assert (failed["username"], failed["reason"]) == ("zoé", "refusé par le serveur : 550 5.1.1 unknown here")
    assert _states(cellar)[_USERS[2]] == "failed"
    _check_records(cellar, server)


@pytest.mark.slow
@pytest.mark.parametrize("step", [Step.RCPT, Step.DATA, Step.END], ids=str)
def test_one_recipient_refused_temporarily_is_retried_and_then_reported(
    cellar: CellarFile, ca: Authority, step: Step
) -> None:
    """The mail is tried a second time, the exit code is 1, and the mail is left for a later attempt."""
    code, output, server = _run(cellar, ca, _for_one(step, reply("450 4.2.1 not now")))
    assert (code, output["sent"], output["failed"]) == (1, 4, 1)
    (failed,) = [person for person in output["recipients"] if person["status"] == "failed"]
    assert failed["reason"] == "refus passager du serveur : 450 4.2.1 not now"
    assert _states(cellar)[_USERS[2]] == "deferred"
    assert sum(command.startswith(f"rcpt TO:<{_USERS[2]}>") for _, command in server.commands) == 2
    _check_records(cellar, server)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(FaultRule(Step.CONNECT, close(), connection=2), id="second connection refused"),
        pytest.param(_for_one(Step.RCPT, reset(), times=1), id="reset at the recipient"),
        pytest.param(_for_one(Step.DATA, reply("421 later"), times=1), id="421 at DATA"),
        pytest.param(_for_one(Step.END, close(), times=1), id="hangs up after the message"),
        pytest.param(FaultRule(Step.QUIT, delay(), times=None), id="silent at QUIT"),
        pytest.param(FaultRule(Step.MAIL, reply("450 4.7.1 slow down"), first=3), id="slow down"),
        pytest.param(_for_one(Step.RCPT, reply("451 Greylisted"), times=1), id="4xx", marks=pytest.mark.slow),
    ],
)
def test_a_fault_that_occurs_once_loses_no_mail(cellar: CellarFile, ca: Authority, rule: FaultRule) -> None:
    """After a fault that occurs once, the exit code is 0, and each user gets the mail once."""
    code, output, server = _run(cellar, ca, rule)
    assert (code, output["ok"], output["sent"], output["failed"]) == (0, True, 5, 0)
    assert server.copies() == dict.fromkeys(_USERS, 1)
    _check_records(cellar, server)
