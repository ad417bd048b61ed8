"""A throw-away certificate authority, and a server certificate of its for 127.0.0.1 and localhost."""

import ssl
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_ALL_ADDRESSES = ip_network("0.0.0.0/0")

#: What an authority or a certificate can have wrong: parts that are left out, and parts that do not fit.
Flaw = Literal[
    "bare authority",  # as old recipes make one: neither key usage nor key identifiers
    "no authority",  # CA:FALSE
    "no right to sign",
    "valid for other names only",
    "expired authority",
    "short key",
    "short key of the authority",
    "for clients",
    "signed by another",
    "malformed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """`ca_file` is what a client trusts, `certificate` and `key` are the server's; all PEM files."""

    ca_file: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return the TLS context of a server; short keys are allowed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(self.certificate, self.key)
        return context


def authority(
    folder: Path, *names: str, lasts: timedelta = timedelta(days=1), flaws: Collection[Flaw] = ()
) -> Authority:
    """Create an authority in `folder`; `names` replace the names in the certificate.

    With a negative `lasts` the certificate has expired.
    """
    key, ca_key = _new_key(short="short key" in flaws), _new_key(short="short key of the authority" in flaws)
    signing_key = _new_key(short=False) if "signed by another" in flaws else ca_key
    ca = _authority(ca_key, flaws).sign(ca_key, hashes.SHA256())
    ours = _builder(_name("mail"), _CA_NAME, key, lasts).add_extension(
        x509.SubjectAlternativeName(_alternatives(names)), critical=False
    )
    certificate = _flawed(ours, ca_key, flaws).sign(signing_key, hashes.SHA256())
    made = Authority(ca_file=folder / "ca.pem", certificate=folder / "server.pem", key=folder / "server.key")
    made.ca_file.write_bytes(ca.public_bytes(Encoding.PEM))
    made.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    made.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _new_key(*, short: bool) -> _Key:
    return rsa.generate_private_key(65537, 1024) if short else ec.generate_private_key(ec.SECP256R1())


def _authority(key: _Key, flaws: Collection[Flaw]) -> x509.CertificateBuilder:
    lasts = timedelta(days=-1 if "expired authority" in flaws else 1)
    builder = _builder(_CA_NAME, _CA_NAME, key, lasts)
    is_ca, bare = "no authority" not in flaws, "bare authority" in flaws
    builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=not bare)
    if "valid for other names only" in flaws:
        elsewhere = x509.NameConstraints([x509.DNSName("example.org")], [x509.IPAddress(_ALL_ADDRESSES)])
        builder = builder.add_extension(elsewhere, critical=True)
    if bare or "signed by another" in flaws:
        return builder
    return builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    ).add_extension(_key_usage(signs="no right to sign" not in flaws), critical=True)


def _flawed(
    builder: x509.CertificateBuilder, ca_key: _Key, flaws: Collection[Flaw]
) -> x509.CertificateBuilder:
    """Return a certificate that is valid except for one flaw."""
    if "for clients" in flaws:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
    if "malformed" in flaws:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    if {"bare authority", "signed by another"} & set(flaws):
        return builder
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return builder.add_extension(identifier, critical=False)


def _builder(subject: x509.Name, issuer: x509.Name, key: _Key, lasts: timedelta) -> x509.CertificateBuilder:
    end = datetime.now(UTC) + lasts
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=2))
        .not_valid_after(end)
    )


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    """Return what Python 3.13 wants of an authority (RFC 5280, 4.2.1.3), if it `signs` certificates."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternatives(names: tuple[str, ...]) -> list[x509.GeneralName]:
    if names:
        return [x509.DNSName(name) for name in names]
    return [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]


_CA_NAME = _name("Throw-away authority")
