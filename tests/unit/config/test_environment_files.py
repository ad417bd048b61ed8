"""Values with quotes, byte order marks and line ends that editors and environment files add by mistake."""

from collections.abc import Mapping

import pytest

from cavecron.config.settings import load, variables
from cavecron.errors import ConfigurationError

_QUOTED = "sans guillemets : "
_MARKED = "sans marque d'ordre des octets (BOM) : "
_RETURNED = "sans retour chariot (CR) : "


def _no_file(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def _problems(environ: Mapping[str, str], **files: str) -> tuple[str, ...]:
    """Return what is wrong; `files` are named in lower case by what they hold."""
    with pytest.raises(ConfigurationError) as raised:
        load(environ, files.__getitem__ if files else _no_file)
    return raised.value.problems


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"{}"', _QUOTED),
        ("'{}'", _QUOTED),
        ("« {} »", _QUOTED),
        ("“{}”", _QUOTED),
        ('"{}', _QUOTED),
        ('"{}"\r', _QUOTED),
        ("\ufeff{}", _MARKED),
        ("\udcef\udcbb\udcbf{}", _MARKED),
        ("{}\rB=1", _RETURNED),
    ],
    ids=["double", "single", "french", "typographic", "unclosed", "with CR", "BOM", "BOM as octets", "CR"],
)
def test_what_a_file_puts_around_a_value_is_told_for_every_variable(value: str, said: str) -> None:
    """Of secrets too, without showing them; and as the only problem."""
    for name in (variable.name for variable in variables()):
        (problem,) = _problems({name: value.format("hunter2")})
        assert problem.startswith(name)
        assert f" : {said}" in problem
        secret = name in ("DATABASE_URL", "SMTP_ENCRYPTION_KEY") or name.endswith("_PING_URL")
        assert ("hunter2" not in problem) or not secret


def test_a_file_of_a_secret_is_looked_at_alike() -> None:
    """What is in it, and how its path is written."""
    (problem,) = _problems({"SMTP_ENCRYPTION_KEY_FILE": "key"}, key='"hunter2"\n')
    assert problem.startswith(f"SMTP_ENCRYPTION_KEY : {_QUOTED}")
    (problem,) = _problems({"SMTP_ENCRYPTION_KEY_FILE": '"/run/secrets/key"'})
    assert problem.startswith("SMTP_ENCRYPTION_KEY_FILE='\"/run/secrets/key\"' : sans guillemets")


def test_a_quoted_url_shows_its_scheme_and_no_password() -> None:
    """So that the quotes are seen; what stands in the URL of another database is nobody's business."""
    (problem,) = _problems({"DATABASE_URL": '"postgresql://u:hunter2@h/db"'})
    assert problem.startswith("DATABASE_URL='\"postgresql://…\"' : sans guillemets")
    (problem,) = _problems({"DATABASE_URL": "'sqlite:////data/wine.db'"})
    assert problem.startswith("DATABASE_URL=\"'sqlite:////data/wine.db'\" : sans guillemets")


def test_line_ends_of_windows_do_no_harm() -> None:
    """A CR at the end is a blank like others."""
    settings = load({"SCHEDULER_CLEANUP_HOUR": "4\r", "SMTP_ENCRYPTION_KEY_FILE": "k\r"}, lambda _: "key\r\n")
    assert settings.jobs["cleanup"].schedule.expression == "0 4 * * sun"
    assert settings.smtp_keys == ("key",)


@pytest.mark.parametrize("mark", ["\ufeff", "\udcef\udcbb\udcbf"])
def test_a_mark_before_the_first_name_of_a_file_is_told(mark: str) -> None:
    """The variable is another one then, and its value counts for nothing."""
    (warning,) = load({f"{mark}DATABASE_URL": "sqlite:////x.db", f"{mark}PATH": "/bin"}, _no_file).warnings
    assert warning.startswith("Variable ignorée : le nom de DATABASE_URL commence par une marque")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CAVECRON_PORT", "tcp://10.0.171.239:8000"),
        ("CAVECRON_PORT", "udp://10.0.171.239:53"),
        ("CAVECRON_SERVICE_HOST", "10.0.171.239"),
        ("CAVECRON_SERVICE_PORT", "8000"),
        ("CAVECRON_SERVICE_PORT_HTTP", "8000"),
        ("CAVECRON_PORT_8000_TCP", "tcp://10.0.171.239:8000"),
        ("CAVECRON_PORT_8000_TCP_PROTO", "tcp"),
        ("CAVECRON_PORT_8000_TCP_PORT", "8000"),
        ("CAVECRON_PORT_8000_TCP_ADDR", "10.0.171.239"),
        ("CAVECRON_WEB_SERVICE_HOST", "10.0.171.239"),
        ("SCHEDULER_PORT_53_UDP_ADDR", "10.0.171.239"),
    ],
)
def test_what_kubernetes_tells_of_a_service_is_no_misspelling(name: str, value: str) -> None:
    """A service called cavecron puts its address into each pod of the namespace."""
    assert load({name: value}, _no_file).warnings == ()


@pytest.mark.parametrize(
    ("name", "value"), [("CAVECRON_PORT", "8000"), ("CAVECRON_HOST", "x"), ("CAVECRON_PORT_TCP", "1")]
)
def test_what_kubernetes_does_not_write_is_a_misspelling(name: str, value: str) -> None:
    """Cavecron opens no port: who wants one is told that nothing comes of it."""
    (warning,) = load({name: value}, _no_file).warnings
    assert warning.startswith(f"Variable inconnue, ignorée : {name}")


def test_a_value_of_a_file_has_an_end() -> None:
    """A secret is short; what is not has been mounted in its place."""
    assert load({"SMTP_ENCRYPTION_KEY_FILE": "k"}, lambda _: "k" * 65_536).smtp_keys
    with pytest.raises(
        ConfigurationError, match="SMTP_ENCRYPTION_KEY_FILE='k' : un fichier ordinaire de 64 ko au plus"
    ):
        load({"SMTP_ENCRYPTION_KEY_FILE": "k"}, lambda _: "k" * 65_537)
