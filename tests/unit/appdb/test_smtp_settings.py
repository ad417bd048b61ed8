"""Which mail server is used, and its password: the application's table, and every wrong key."""

import pytest
from cryptography.fernet import Fernet

from cavecron.appdb.smtp_settings import MailKeyError, active
from cavecron.errors import CavecronError
from tests.support.app_database import CellarFile

KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def _locked(password: str = "sésame") -> str:
    return Fernet(KEY.encode()).encrypt(password.encode()).decode()


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        pytest.param(((1, 0), (1, 1)), 2, id="the default that is active"),
        pytest.param(((1, 0), (0, 1)), 1, id="not a default that is inactive"),
        pytest.param(((0, 0), (1, 0), (1, 0)), 2, id="else the first that is active"),
    ],
)
def test_the_active_configuration_is_chosen(
    cellar: CellarFile, rows: tuple[tuple[int, int], ...], chosen: int
) -> None:
    """Rows of (active, default)."""
    for is_active, is_default in rows:
        cellar.smtp(is_active=is_active, is_default=is_default)
    assert active(cellar.database, ()).id == chosen


def test_no_configuration_says_where_to_enter_one(cellar: CellarFile) -> None:
    """A failure with a hint, not a success with no mail."""
    cellar.smtp(is_active=0)
    with pytest.raises(
        CavecronError, match="aucune configuration SMTP active : en créer une, ou en activer une"
    ):
        active(cellar.database, ())


@pytest.mark.parametrize(
    ("use_tls", "use_ssl", "security"), [(0, 0, "plain"), (1, 0, "starttls"), (0, 1, "tls"), (1, 1, "tls")]
)
def test_ssl_goes_before_tls(cellar: CellarFile, use_tls: int, use_ssl: int, security: str) -> None:
    """As the application itself decides."""
    cellar.smtp(use_tls=use_tls, use_ssl=use_ssl)
    assert active(cellar.database, ()).security == security


@pytest.mark.parametrize("keys", [(KEY,), (KEY, OTHER), (OTHER, KEY)], ids=["one", "new", "old"])
def test_the_password_is_opened_by_any_of_the_keys(cellar: CellarFile, keys: tuple[str, ...]) -> None:
    """While a key is replaced, both are given; the password never shows in a repr."""
    cellar.smtp(username="marie", password_encrypted=_locked())
    config = active(cellar.database, keys)
    assert config.password == "sésame"
    assert "sésame" not in repr(config)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        pytest.param((), "SMTP_ENCRYPTION_KEY n'est pas définie", id="no key"),
        pytest.param(("abc",), "ce n'est pas une clé Fernet", id="malformed"),
        pytest.param(("é" * 44,), "ce n'est pas une clé Fernet", id="not ASCII"),
        pytest.param((KEY, "abc"), "(clé n° 2 sur 2)", id="second malformed"),
        pytest.param((OTHER,), "n'ouvre pas le mot de passe enregistré", id="another key"),
    ],
)
def test_a_wrong_key_is_told_by_what_is_wrong_with_it(
    cellar: CellarFile, keys: tuple[str, ...], said: str
) -> None:
    """Three different errors; neither key nor password is in any of them."""
    cellar.smtp(username="marie", password_encrypted=_locked())
    with pytest.raises(MailKeyError) as raised:
        active(cellar.database, keys)
    assert said in str(raised.value)
    assert not any(key in str(raised.value) for key in (*keys, "sésame"))


@pytest.mark.parametrize("token", ["pas un jeton", "é", b"\xff"])
def test_a_token_that_is_none_is_not_opened(cellar: CellarFile, token: object) -> None:
    """Someone wrote something else into the column."""
    cellar.smtp(username="marie", password_encrypted=token)
    with pytest.raises(MailKeyError, match="n'ouvre pas le mot de passe enregistré"):
        active(cellar.database, (KEY,))


@pytest.mark.parametrize("stored", ["", None])
def test_no_key_is_needed_where_no_password_is_stored(cellar: CellarFile, stored: object) -> None:
    """A relay on the local network."""
    cellar.smtp(username="marie", password_encrypted=stored)
    assert active(cellar.database, ()).password is None


@pytest.mark.parametrize("port", [0, -1, 65536, "smtp", 2.5])
def test_a_port_that_is_none_is_told(cellar: CellarFile, port: object) -> None:
    """With the place to correct it."""
    cellar.smtp(port=port)
    with pytest.raises(CavecronError, match="un nombre de 1 à 65535 est attendu"):
        active(cellar.database, ())


@pytest.mark.parametrize(("stored", "seconds"), [(5, 5.0), (0, 30.0), (-1, 30.0), ("x", 30.0)])
def test_a_time_limit_is_always_there(cellar: CellarFile, stored: object, seconds: float) -> None:
    """Zero would mean never to wait, or for ever."""
    cellar.smtp(timeout=stored)
    assert active(cellar.database, ()).timeout == seconds


@pytest.mark.parametrize("column", ["host", "sender_email"])
@pytest.mark.parametrize("stored", [b"\xff", "", " "])
def test_what_is_no_text_is_told(cellar: CellarFile, column: str, stored: object) -> None:
    """A blank or absurd host or sender ends the run with one error."""
    cellar.smtp(**{column: stored})
    with pytest.raises(CavecronError, match="configuration SMTP 'maison'"):
        active(cellar.database, ())
