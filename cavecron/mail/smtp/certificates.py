"""Problems of a mail server's certificate in French, with what to do about them. Pure."""

_WHERE = "dans Cave à Vin, Administration, Configuration SMTP"
_GIVE_AUTHORITY = "donner cette autorité, en PEM, par la variable SMTP_CA_FILE"

_NOT_YET_VALID = "qui n'est pas encore valable ; l'horloge de cette machine est-elle à l'heure ?"
_EXPIRED = "périmé ; le renouveler sur le serveur de mail, lui ou son autorité"
_OTHER_NAME = f"établi pour un autre nom ; donner {_WHERE} le nom que porte le certificat"
_OTHER_ADDRESS = f"{_OTHER_NAME} (une adresse n'y compte que comme IP:… dans subjectAltName)"
_UNKNOWN_AUTHORITY = (
    f"d'une autorité inconnue ; {_GIVE_AUTHORITY} (si elle est définie déjà, ce n'est pas la bonne)"
)
_SIGNED_BY_ANOTHER = (
    "que l'autorité connue sous ce nom n'a pas signé ; si elle a été refaite, donner l'actuelle, en PEM, par"
    " la variable SMTP_CA_FILE"
)
_REVOKED = "révoqué ; en faire établir un autre et l'installer sur le serveur de mail"
_WRONG_PURPOSE = (
    "qui n'est pas fait pour un serveur (extendedKeyUsage sans serverAuth) ; en établir un pour un serveur"
    " TLS et l'installer sur le serveur de mail"
)
_SHORT_KEY = (
    "dont la clé est trop courte ; en établir un avec une clé RSA de 2048 bits au moins et l'installer sur le"
    " serveur de mail"
)
_SHORT_KEY_OF_AUTHORITY = (
    "d'une autorité dont la clé est trop courte ; la refaire avec une clé RSA de 2048 bits au moins"
)
_WEAK_SIGNATURE = "signé par un procédé trop faible (MD5 ou SHA-1) ; le faire signer à nouveau avec SHA-256"
_NOT_SIGNED_BY_AUTHORITY = (
    "signé par qui n'en a pas le droit (basicConstraints sans CA:TRUE, ou keyUsage sans keyCertSign) ;"
    " refaire l'autorité, ou le faire signer par une vraie"
)
_NAME_NOT_ALLOWED = "que son autorité n'a pas le droit d'établir pour ce nom (nameConstraints) ; le refaire"
_MALFORMED = "mal formé, ou d'une autorité mal formée ; le refaire et l'installer sur le serveur de mail"
_INCOMPLETE = (
    "auquel, ou à l'autorité duquel, il manque ce que Python exige depuis sa version 3.13 (keyUsage,"
    f" authorityKeyIdentifier…) ; {_GIVE_AUTHORITY}, ou la refaire"
)

#: By OpenSSL's verify codes (x509_vfy.h); 80 to 94 occur only if VERIFY_X509_STRICT is set.
_BY_CODE = {
    **dict.fromkeys((2, 18, 19, 20, 21, 27, 28), _UNKNOWN_AUTHORITY),
    **dict.fromkeys((4, 6, 7, 29, 30, 31, 77), _SIGNED_BY_ANOTHER),
    9: _NOT_YET_VALID,
    10: _EXPIRED,
    23: _REVOKED,
    26: _WRONG_PURPOSE,
    **dict.fromkeys((24, 25, 32, 37, 79), _NOT_SIGNED_BY_AUTHORITY),
    **dict.fromkeys(range(47, 54), _NAME_NOT_ALLOWED),
    62: _OTHER_NAME,
    64: _OTHER_ADDRESS,
    66: _SHORT_KEY,
    67: _SHORT_KEY_OF_AUTHORITY,
    68: _WEAK_SIGNATURE,
    **dict.fromkeys(range(80, 95), _INCOMPLETE),
}


def certificate_problem(verify_code: int) -> str:
    """Return the meaning of OpenSSL's verify code, to be put after the words "un certificat"."""
    return _BY_CODE.get(verify_code, _MALFORMED)
