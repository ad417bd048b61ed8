"""`cavecron run weekly_reports` on mail servers that are down, slow or faulty, and on ports of other servers.

For each: what the user reads, the exit code, and that `email_log` and the ledger tell the truth afterwards.
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
    Policy,
    Step,
    Trap,
    close,
    delay,
    dribble,
    garbage,
    reply,
    reset,
)
from tests.support.fake_smtp.server import HostileServer
from tests.support.in_process import command

_NAMES = ("marie", "paul", "zoé", "jean", "luc")
_USERS = tuple(f"user{number}@example.org" for number in range(1, 6))
#: What nobody should have to read.
_ENGLISH = ("Traceback", "Errno", "timed out", "Error", "SSL:", "None")
_MAYBE = "est peut-être arrivé"
#: What stands before it where it is told of another user's mail.
_NOT_REACHED = "envoi arrêté avant ce mail : "


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that all the servers share."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return authority(folder)


def _for_one(step: Step, fault: Fault, times: int | None = None) -> Trap:
    return Trap(step, fault, recipient=_USERS[2], times=times)


def _run(
    cellar: CellarFile, ca: Authority, *policies: Policy, limit: int = 3600
) -> tuple[int, dict[str, Any], HostileServer]:
    """Run the job through a server with STARTTLS and a login; return exit code, JSON and the server."""
    for name, address in zip(_NAMES, _USERS, strict=True):
        cellar.user(name, address)
    with HostileServer(*policies, tls="starttls", context=ca.context(), login=("cave", "sésame")) as server:
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
    """Return what the ledger says of each recipient."""
    found = cellar.rows(
        'SELECT u.email, d.state FROM cavecron_delivery AS d JOIN "user" AS u ON u.id = d.recipient'
    )
    return {str(address): str(state) for address, state in found}


def _check_truth(cellar: CellarFile, server: HostileServer) -> None:
    """Hold the application's log and the ledger against what the server has."""
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
class Bad:
    """A server that does something whenever it comes to a step; what is said, and of how many by name.

    `limit` in seconds is the run's own.
    """

    step: Step
    fault: Fault
    said: str
    failed: int = 0
    limit: int = 3600


_FAST = {
    "silent": Bad(step=Step.GREETING, fault=delay(), said="pas de réponse à l'accueil en 1 s"),
    "web server": Bad(
        step=Step.CONNECT,
        fault=reply("HTTP/1.1 400 Bad Request"),
        said="un serveur web répond sur ce port, pas un serveur de mail",
    ),
    "login refused": Bad(step=Step.AUTH, fault=reply("535 5.7.8 no"), said="identification refusée (535"),
    "sender refused": Bad(
        step=Step.MAIL,
        fault=reply("550 5.7.1 not you"),
        said="expéditeur 'cave@example.org' refusé (550 5.7.1 not you) ; le corriger dans Cave à Vin",
        failed=2,
    ),
    "hangs up at the recipient": Bad(
        step=Step.RCPT,
        fault=close(),
        said="connexion coupée par le serveur au destinataire ; réessayer plus tard",
        failed=3,
    ),
}
_SLOW = {
    "slow": Bad(step=Step.GREETING, fault=dribble(0.2), said="pas de réponse à l'accueil en 1 s"),
    "reset": Bad(step=Step.CONNECT, fault=reset(), said="connexion coupée par le serveur à"),
    "hangs up at EHLO": Bad(step=Step.EHLO, fault=close(), said="connexion coupée par le serveur à EHLO"),
    "hangs up at STARTTLS": Bad(
        step=Step.STARTTLS, fault=close(), said="connexion coupée par le serveur à STARTTLS"
    ),
    "hangs up at login": Bad(
        step=Step.AUTH, fault=close(), said="connexion coupée par le serveur à l'identification"
    ),
    "hangs up at the sender": Bad(
        step=Step.MAIL, fault=close(), said="connexion coupée par le serveur à l'expéditeur", failed=3
    ),
    "hangs up at DATA": Bad(
        step=Step.DATA, fault=reset(), said="connexion coupée par le serveur au message", failed=3
    ),
    "hangs up in the message": Bad(step=Step.BODY, fault=close(), said=_MAYBE, failed=3),  # all of it was out
    "hangs up after the message": Bad(step=Step.END, fault=close(), said=_MAYBE, failed=3),
    "keeps it and hangs up": Bad(step=Step.END, fault=close(kept=True), said=_MAYBE, failed=3),
    "not now": Bad(step=Step.GREETING, fault=reply("450 x"), said="refus passager à l'accueil (450 x)"),
    "closing": Bad(step=Step.EHLO, fault=reply("421 later"), said="refus passager à EHLO (421 later)"),
    "STARTTLS not now": Bad(
        step=Step.STARTTLS, fault=reply("454 no"), said="refus passager à STARTTLS (454 no)"
    ),
    "login not now": Bad(
        step=Step.AUTH,
        fault=reply("454 4.7.0 later"),
        said="refus passager à l'identification (454 4.7.0 later) ; réessayer plus tard",
    ),
    "never": Bad(step=Step.GREETING, fault=reply("554 no"), said="refus à l'accueil (554 no) ; ce serveur"),
    "EHLO never": Bad(step=Step.EHLO, fault=reply("554 no"), said="refus à EHLO (554 no) ; ce serveur"),
    "STARTTLS never": Bad(step=Step.STARTTLS, fault=reply("501 no"), said="refus à STARTTLS (501 no)"),
    "no SMTP": Bad(step=Step.CONNECT, fault=garbage(), said="réponse incompréhensible à l'accueil"),
    "silent at the recipient": Bad(
        step=Step.RCPT,
        fault=delay(),
        said="pas de réponse au destinataire en 1 s ; réessayer plus tard",
        failed=2,
    ),
    "silent after the message": Bad(
        step=Step.END, fault=delay(), said="durée limite de 6 s dépassée", failed=2, limit=6
    ),
}


@pytest.mark.parametrize(
    "bad",
    [
        *(pytest.param(bad, id=name) for name, bad in _FAST.items()),
        *(pytest.param(bad, id=name, marks=pytest.mark.slow) for name, bad in _SLOW.items()),
    ],
)
def test_a_server_that_takes_nothing_ends_the_run_with_one_sentence(
    cellar: CellarFile, ca: Authority, bad: Bad
) -> None:
    """Exit code 1; each has a row with the reason, which says who was not even written to."""
    code, told, server = _run(cellar, ca, Trap(bad.step, bad.fault, times=None), limit=bad.limit)
    assert (code, told["ok"]) == (1, False)
    assert bad.said in told["error"]
    assert "\n" not in told["error"]
    rows = cellar.rows("SELECT status, error_message FROM email_log")
    assert [status for status, _error in rows] == ["failed"] * 5
    others = told["error"] if bad.failed == 0 else _NOT_REACHED + told["error"]
    by_name = sum(error != others for _status, error in rows)
    # Two connections that are lost together count once, so that one more may have been written to.
    assert by_name in (bad.failed, bad.failed + bool(bad.failed))
    _check_truth(cellar, server)


@pytest.mark.parametrize("step", [Step.RCPT, Step.DATA, Step.END], ids=str)
def test_one_recipient_refused_for_good_is_that_recipients_failure(
    cellar: CellarFile, ca: Authority, step: Step
) -> None:
    """Exit code 1, the reason beside the name, and everybody else has the mail."""
    code, told, server = _run(cellar, ca, _for_one(step, reply("550 5.1.1 unknown here")))
    assert (code, told["ok"], told["sent"], told["failed"]) == (1, False, 4, 1)
    (failed,) = [person for person in told["recipients"] if person["status"] == "failed"]
    assert (failed["username"], failed["reason"]) == ("zoé", "refusé par le serveur : 550 5.1.1 unknown here")
    assert _states(cellar)[_USERS[2]] == "failed"
    _check_truth(cellar, server)


@pytest.mark.slow
@pytest.mark.parametrize("step", [Step.RCPT, Step.DATA, Step.END], ids=str)
def test_one_recipient_refused_for_now_is_tried_again_and_then_told(
    cellar: CellarFile, ca: Authority, step: Step
) -> None:
    """Exit code 1; it is left for a later attempt."""
    code, told, server = _run(cellar, ca, _for_one(step, reply("450 4.2.1 not now")))
    assert (code, told["sent"], told["failed"]) == (1, 4, 1)
    (failed,) = [person for person in told["recipients"] if person["status"] == "failed"]
    assert failed["reason"] == "refus passager du serveur : 450 4.2.1 not now"
    assert _states(cellar)[_USERS[2]] == "deferred"
    assert sum(command.startswith(f"rcpt TO:<{_USERS[2]}>") for _, command in server.commands) == 2
    _check_truth(cellar, server)


@pytest.mark.parametrize(
    "trap",
    [
        pytest.param(Trap(Step.CONNECT, close(), connection=2), id="second connection refused"),
        pytest.param(_for_one(Step.RCPT, reset(), times=1), id="reset at the recipient"),
        pytest.param(_for_one(Step.DATA, reply("421 later"), times=1), id="421 at DATA"),
        pytest.param(_for_one(Step.END, close(), times=1), id="hangs up after the message"),
        pytest.param(Trap(Step.QUIT, delay(), times=None), id="silent at QUIT"),
        pytest.param(Trap(Step.MAIL, reply("450 4.7.1 slow down"), first=3), id="slow down"),
        pytest.param(_for_one(Step.RCPT, reply("451 Greylisted"), times=1), id="4xx", marks=pytest.mark.slow),
    ],
)
def test_what_happens_once_costs_nobody_the_mail(cellar: CellarFile, ca: Authority, trap: Trap) -> None:
    """Exit code 0, and each has it once."""
    code, told, server = _run(cellar, ca, trap)
    assert (code, told["ok"], told["sent"], told["failed"]) == (0, True, 5, 0)
    assert server.copies() == dict.fromkeys(_USERS, 1)
    _check_truth(cellar, server)
