"""The choice of the mail server in the application's table, and its password with right and wrong keys."""

import pytest
from cryptography.fernet import Fernet

from cavecron.appdb.smtp_settings import MailKeyError, active
from cavecron.errors import CavecronError
from tests.support.app_database import CellarFile

KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def _encrypted_password(password: str = "sésame") -> str:
    return Fernet(KEY.encode()).encrypt(password.encode()).decode()


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        pytest.param(((1, 0), (1, 1)), 2, id="the default that is active"),
        pytest.param(((1, 0), (0, 1)), 1, id="the active one beside an inactive default"),
        pytest.param(((0, 0), (1, 0), (1, 0)), 2, id="the first active one without a default"),
    ],
)
def test_the_active_configuration_is_chosen(
    cellar: CellarFile, rows: tuple[tuple[int, int], ...], chosen: int
) -> None:
    """Each row is given as (active, default)."""
    for is_active, is_default in rows:
        cellar.smtp(is_active=is_active, is_default=is_default)
    assert active(cellar.database, ()).id == chosen


def test_no_configuration_says_where_to_enter_one(cellar: CellarFile) -> None:
    """The run fails with a hint instead of succeeding without mails."""
    cellar.smtp(is_active=0)
    with pytest.raises(
        CavecronError, match="aucune configuration SMTP active : en créer une, ou en activer une"
    ):
        active(cellar.database, ())


@pytest.mark.parametrize(
    ("use_tls", "use_ssl", "security"), [(0, 0, "plain"), (1, 0, "starttls"), (0, 1, "tls"), (1, 1, "tls")]
)
def test_ssl_goes_before_tls(cellar: CellarFile, use_tls: int, use_ssl: int, security: str) -> None:
    """The application decides in the same way."""
    cellar.smtp(use_tls=use_tls, use_ssl=use_ssl)
    assert active(cellar.database, ()).security == security


@pytest.mark.parametrize("keys", [(KEY,), (KEY, OTHER), (OTHER, KEY)], ids=["one", "new", "old"])
def test_the_password_is_opened_by_any_of_the_keys(cellar: CellarFile, keys: tuple[str, ...]) -> None:
    """Both keys are set while one replaces the other, and `repr` does not show the password."""
    cellar.smtp(username="marie", password_encrypted=_encrypted_password())
    config = active(cellar.database, keys)
    assert config.password == "sésame"
    assert "sésame" not in repr(config)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        pytest.param((), "SMTP_ENCRYPTION_KEY n'est pas définie", id="no key"),
        pytest.param(("abc",), "ce n'est pas une clé Fernet", id="malformed"),
        pytest.param(("é" * 44,), "ce n'est pas une clé Fernet", id="not ASCII"),
        pytest.param((KEY, "abc"), "(clé n° 2 sur 2)", id="the second key malformed"),
        pytest.param((OTHER,), "n'ouvre pas le mot de passe enregistré", id="another key"),
    ],
)
def test_each_kind_of_wrong_key_has_its_own_error(
    cellar: CellarFile, keys: tuple[str, ...], message: str
) -> None:
    """Each kind of wrong key has its own error, which contains neither the key nor the password."""
    cellar.smtp(username="marie", password_encrypted=_encrypted_password())
    with pytest.raises(MailKeyError) as raised:
        active(cellar.database, keys)
    assert message in str(raised.value)
    assert not any(key in str(raised.value) for key in (*keys, "sésame"))


@pytest.mark.parametrize("token", ["pas un jeton", "é", b"\xff"])
def test_a_value_that_is_no_token_is_not_decrypted(cellar: CellarFile, token: object) -> None:
    """A value in the column that is no token raises the same error as another key."""
    cellar.smtp(username="marie", password_encrypted=token)
    with pytest.raises(MailKeyError, match="n'ouvre pas le mot de passe enregistré"):
        active(cellar.database, (KEY,))


@pytest.mark.parametrize("stored", ["", None])
def test_no_key_is_needed_where_no_password_is_stored(cellar: CellarFile, stored: object) -> None:
    """A relay on the local network may need no password, and then no key is needed."""
    cellar.smtp(username="marie", password_encrypted=stored)
    assert active(cellar.database, ()).password is None


@pytest.mark.parametrize("port", [0, -1, 65536, "smtp", 2.5])
def test_an_impossible_port_is_an_error(cellar: CellarFile, port: object) -> None:
    """The error says which numbers are expected."""
    cellar.smtp(port=port)
    with pytest.raises(CavecronError, match="un nombre de 1 à 65535 est attendu"):
        active(cellar.database, ())


@pytest.mark.parametrize(("stored", "seconds"), [(5, 5.0), (0, 30.0), (-1, 30.0), ("x", 30.0)])
def test_a_time_limit_is_always_there(cellar: CellarFile, stored: object, seconds: float) -> None:
    """An unusable time limit becomes the default, because zero could mean no limit."""
    cellar.smtp(timeout=stored)
    assert active(cellar.database, ()).timeout == seconds


@pytest.mark.parametrize("column", ["host", "sender_email"])
@pytest.mark.parametrize("stored", [b"\xff", "", " "])
def test_a_host_or_sender_that_is_no_text_is_an_error(
    cellar: CellarFile, column: str, stored: object
) -> None:
    """A blank or unreadable host or sender is one error of the run, which names the configuration."""
    cellar.smtp(**{column: stored})
    with pytest.raises(CavecronError, match="configuration SMTP 'maison'"):
        active(cellar.database, ())
