"""Certificates and authorities that people make at home, over real TLS, with `check` and with a run."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support.app_database import CellarFile
from tests.support.authority import Authority, Flaw, authority
from tests.support.check_helpers import SECURITY, WHERE, check_server, line, problem_of
from tests.support.commands import Result
from tests.support.fake_smtp.server import FakeSmtpServer
from tests.support.in_process import command

_AS_PEM = (
    "un fichier de certificats PEM (-----BEGIN CERTIFICATE-----) est attendu ; convertir un certificat DER"
    " par « openssl x509 -inform der »"
)
_DAMAGED = "un de ses certificats est abîmé ou coupé ; copier à nouveau chacun en entier, de BEGIN à END"
_ORDINARY = "un fichier ordinaire de 1 Mo au plus est attendu"


@pytest.fixture(scope="module")
def make_authority(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Authority]:
    """Return a function that creates an authority, or returns the one that it has created before."""

    @cache
    def make(*names: str, days: float = 1, flaw: Flaw | None = None) -> Authority:
        folder, flaws = tmp_path_factory.mktemp("authority"), (flaw,) if flaw else ()
        return authority(folder, *names, lasts=timedelta(days=days), flaws=flaws)

    return make


@dataclass(frozen=True, slots=True, kw_only=True)
class BadCertificate:
    """A certificate with a fault, and the message about it; `days` is how long it is valid from now on."""

    message: str
    names: tuple[str, ...] = ()
    days: float = 1
    flaw: Flaw | None = None
    trusted: bool = True

    def authority(self, make_authority: Callable[..., Authority]) -> Authority:
        """Return the authority with such a certificate."""
        return make_authority(*self.names, days=self.days, flaw=self.flaw)


_BAD_CERTIFICATES = {
    "unknown authority": BadCertificate(
        message="d'une autorité inconnue ; donner cette autorité, en PEM, par la variable SMTP_CA",
        trusted=False,
    ),
    "expired": BadCertificate(
        message="périmé ; le renouveler sur le serveur de mail, lui ou son autorité", days=-1
    ),
    "expired authority": BadCertificate(message="périmé ; le renouveler", flaw="expired authority"),
    "not yet valid": BadCertificate(
        message="qui n'est pas encore valable ; l'horloge de cette machine est-elle à l'heure ?", days=5
    ),
    "other name": BadCertificate(
        message=f"établi pour un autre nom ; donner {WHERE} le nom que porte le", names=("mail.example.org",)
    ),
    "address as a name": BadCertificate(
        message=f"établi pour un autre nom ; donner {WHERE} le nom que porte le certificat (une adresse"
        " n'y compte que comme IP:… dans subjectAltName)",
        names=("127.0.0.1",),
    ),
    "short key": BadCertificate(
        message="dont la clé est trop courte ; en établir un avec une clé RSA", flaw="short key"
    ),
    "short key of the authority": BadCertificate(
        message="d'une autorité dont la clé est trop courte ; la refaire", flaw="short key of the authority"
    ),
    "for clients": BadCertificate(
        message="qui n'est pas fait pour un serveur (extendedKeyUsage", flaw="for clients"
    ),
    "no authority": BadCertificate(
        message="signé par qui n'en a pas le droit (basicConstraints", flaw="no authority"
    ),
    "no right to sign": BadCertificate(
        message="signé par qui n'en a pas le droit (basicConstraints", flaw="no right to sign"
    ),
    "valid for other names only": BadCertificate(
        message="que son autorité n'a pas le droit d'établir pour ce nom", flaw="valid for other names only"
    ),
    "authority with a new key": BadCertificate(
        message="que l'autorité connue sous ce nom n'a pas signé ; si elle a été refaite, donner l'actuelle",
        flaw="signed by another",
    ),
    "malformed": BadCertificate(
        message="mal formé, ou d'une autorité mal formée ; le refaire", flaw="malformed"
    ),
}
_each_bad_certificate = pytest.mark.parametrize(
    "certificate", _BAD_CERTIFICATES.values(), ids=_BAD_CERTIFICATES
)


@_each_bad_certificate
def test_each_fault_of_a_certificate_has_its_own_message(
    cellar: CellarFile, make_authority: Callable[..., Authority], certificate: BadCertificate
) -> None:
    """The message says what is wrong and which setting to change, or where to look."""
    ca = certificate.authority(make_authority)
    with FakeSmtpServer(tls="tls", context=ca.context()) as server:
        problem = problem_of(
            check_server(
                cellar, server.port, ca_file=ca.ca_file if certificate.trusted else "", use_ssl=1, timeout=5
            )
        )
    assert problem.startswith("il présente un certificat " + certificate.message)


def test_a_certificate_after_starttls_has_the_same_message(
    cellar: CellarFile, make_authority: Callable[..., Authority]
) -> None:
    """The message after STARTTLS is the same as with TLS from the beginning."""
    ca = make_authority(days=-1)
    with FakeSmtpServer(tls="starttls", context=ca.context()) as server:
        problem = problem_of(check_server(cellar, server.port, ca_file=ca.ca_file, **SECURITY["starttls"]))
    assert problem.startswith("il présente un certificat périmé ; le renouveler sur le serveur de mail")


def test_a_certificate_of_another_name_is_an_error(
    cellar: CellarFile, make_authority: Callable[..., Authority]
) -> None:
    """OpenSSL has one code for another address (see above) and one for another name."""
    ca = make_authority("mail.example.org")
    with FakeSmtpServer(tls="tls", context=ca.context()) as server:
        result = check_server(cellar, server.port, ca_file=ca.ca_file, host="localhost", use_ssl=1)
    assert problem_of(result).startswith("il présente un certificat établi pour un autre nom ; donner")


def test_a_run_has_the_same_message_as_check(
    cellar: CellarFile, make_authority: Callable[..., Authority]
) -> None:
    """The log and the application's list of mails have the same message as `check`."""
    ca = make_authority(flaw="short key")
    cellar.user("marie")
    with FakeSmtpServer(tls="tls", context=ca.context()) as server:
        cellar.smtp(server.port, timeout=5, use_ssl=1)
        result = _send_reports(cellar, ca.ca_file)
    assert result.code == 1
    ((error,),) = cellar.rows("SELECT error_message FROM email_log")
    for message in (result.out, str(error)):
        assert "il présente un certificat dont la clé est trop courte ; en établir un" in message
        assert "SSL:" not in message


def test_a_home_made_authority_in_smtp_ca_file_is_accepted(
    cellar: CellarFile, make_authority: Callable[..., Authority]
) -> None:
    """The authority has neither key usage nor identifiers, which Python 3.13 refuses by itself."""
    ca = make_authority(flaw="bare authority")
    cellar.user("marie")
    with FakeSmtpServer(tls="tls", context=ca.context()) as server:
        cellar.smtp(server.port, timeout=5, use_ssl=1)
        result = _send_reports(cellar, ca.ca_file)
    assert (result.code, len(server.accepted)) == (0, 1), result.out


def test_a_home_made_authority_of_the_system_has_to_be_named(
    cellar: CellarFile, make_authority: Callable[..., Authority], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own rule holds for the system's authorities; the message names the variable to use."""
    ca = make_authority(flaw="bare authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.ca_file))
    with FakeSmtpServer(tls="tls", context=ca.context()) as server:
        result = check_server(cellar, server.port, use_ssl=1, timeout=5)
    if sys.version_info < (3, 13):
        assert result.code == 0
    else:
        problem = problem_of(result)
        assert problem.startswith(
            "il présente un certificat auquel, ou à l'autorité duquel, il manque ce que"
        )
        assert "donner cette autorité, en PEM, par la variable SMTP_CA_FILE" in problem


def test_the_servers_own_certificate_can_be_named(
    cellar: CellarFile, make_authority: Callable[..., Authority]
) -> None:
    """The server's certificate in SMTP_CA_FILE is accepted without the authority that signed it."""
    ca = make_authority()
    with FakeSmtpServer(tls="tls", context=ca.context()) as server:
        result = check_server(cellar, server.port, ca_file=ca.certificate, use_ssl=1, timeout=5)
    assert result.code == 0, result.out


@pytest.mark.parametrize("before", ["\ufeff", "# Autorité de la maison\n"], ids=["BOM", "note"])
def test_text_beside_the_certificates_is_ignored(
    cellar: CellarFile, make_authority: Callable[..., Authority], tmp_path: Path, before: str
) -> None:
    """A byte order mark and notes between the certificates are ignored."""
    ca, path = make_authority(), tmp_path / "ca.pem"
    path.write_text(before + ca.ca_file.read_text(), encoding="utf-8")
    with FakeSmtpServer(tls="tls", context=ca.context()) as server:
        result = check_server(cellar, server.port, ca_file=path, use_ssl=1, timeout=5)
    assert result.code == 0, result.out


def _missing(path: Path, _pem: bytes) -> None:
    del path


def _huge(path: Path, _pem: bytes) -> None:
    with path.open("wb") as file:
        file.truncate(10**9)


def _der(path: Path, pem: bytes) -> None:
    path.write_bytes(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_missing, "fichier illisible (il n'existe pas) ; est-il monté dans le conteneur ?"),
        (lambda path, _: path.touch(), _AS_PEM),
        (lambda path, _: path.write_text("pas un certificat"), _AS_PEM),
        (lambda path, pem: path.write_bytes(pem[:200] + pem[300:]), _DAMAGED),
        (_der, _AS_PEM),
        (lambda path, _: path.mkdir(), _ORDINARY),
        (lambda path, _: os.mkfifo(path), _ORDINARY),
        (_huge, _ORDINARY),
    ],
    ids=["missing", "empty", "no PEM", "damaged", "DER", "folder", "pipe", "huge"],
)
def test_a_ca_file_that_cannot_be_used_is_an_error(
    cellar: CellarFile,
    make_authority: Callable[..., Authority],
    make: Callable[[Path, bytes], None],
    message: str,
) -> None:
    """`check` and a run report the variable in one line and without waiting."""
    path, ca = cellar.path.with_name("autorité.pem"), make_authority()
    make(path, ca.ca_file.read_bytes())
    with FakeSmtpServer(tls="tls", context=ca.context()) as server:
        result = check_server(cellar, server.port, ca_file=path, use_ssl=1)
        run = _send_reports(cellar, path)
    sentence = f"SMTP_CA_FILE='{path}' : {message}"
    assert (result.code, line(result)) == (1, f"✗ Envoi : {sentence}")
    assert run.code == 1
    assert f"ERROR - Job weekly_reports en échec : {sentence}\n" in run.out


def _send_reports(cellar: CellarFile, ca_file: Path) -> Result:
    database = f"sqlite:///{cellar.path}"
    return command("run", "weekly_reports", DATABASE_URL=database, SMTP_CA_FILE=str(ca_file))
