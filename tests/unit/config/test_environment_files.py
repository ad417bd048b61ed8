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
    """Return the problems of an environment; `files` maps the names of files to their content."""
    with pytest.raises(ConfigurationError) as raised:
        load(environ, files.__getitem__ if files else _no_file)
    return raised.value.problems


@pytest.mark.parametrize(
    ("value", "problem_start"),
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
def test_characters_around_a_value_are_a_problem_of_every_variable(value: str, problem_start: str) -> None:
    """It is the only problem that is reported, and secrets are not shown."""
    for name in (variable.name for variable in variables()):
        (problem,) = _problems({name: value.format("hunter2")})
        assert problem.startswith(name)
        assert f" : {problem_start}" in problem
        secret = name in ("DATABASE_URL", "SMTP_ENCRYPTION_KEY") or name.endswith("_PING_URL")
        assert ("hunter2" not in problem) or not secret


def test_quotes_in_a_secrets_file_and_around_its_path_are_a_problem() -> None:
    """The same is checked for the content of a file of NAME_FILE, and for its path."""
    (problem,) = _problems({"SMTP_ENCRYPTION_KEY_FILE": "key"}, key='"hunter2"\n')
    assert problem.startswith(f"SMTP_ENCRYPTION_KEY : {_QUOTED}")
    (problem,) = _problems({"SMTP_ENCRYPTION_KEY_FILE": '"/run/secrets/key"'})
    assert problem.startswith("SMTP_ENCRYPTION_KEY_FILE='\"/run/secrets/key\"' : sans guillemets")


def test_a_quoted_url_shows_its_scheme_and_no_password() -> None:
    """The quotes are visible in the message, and the rest of another database's URL is not."""
    (problem,) = _problems({"DATABASE_URL": '"postgresql://u:hunter2@h/db"'})
    assert problem.startswith("DATABASE_URL='\"postgresql://…\"' : sans guillemets")
    (problem,) = _problems({"DATABASE_URL": "'sqlite:////data/wine.db'"})
    assert problem.startswith("DATABASE_URL=\"'sqlite:////data/wine.db'\" : sans guillemets")


def test_line_ends_of_windows_do_no_harm() -> None:
    """A CR at the end of a value or of a file is removed like other blanks."""
    settings = load({"SCHEDULER_CLEANUP_HOUR": "4\r", "SMTP_ENCRYPTION_KEY_FILE": "k\r"}, lambda _: "key\r\n")
    assert settings.jobs["cleanup"].schedule.expression == "0 4 * * sun"
    assert settings.smtp_keys == ("key",)


@pytest.mark.parametrize("mark", ["\ufeff", "\udcef\udcbb\udcbf"])
def test_a_byte_order_mark_before_the_first_name_is_a_warning(mark: str) -> None:
    """With a byte order mark in its name, the variable is another one and has no effect."""
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
def test_variables_of_a_kubernetes_service_are_no_misspelling(name: str, value: str) -> None:
    """For a service named cavecron, Kubernetes adds its address to each pod of the namespace."""
    assert load({name: value}, _no_file).warnings == ()


@pytest.mark.parametrize(
    ("name", "value"), [("CAVECRON_PORT", "8000"), ("CAVECRON_HOST", "x"), ("CAVECRON_PORT_TCP", "1")]
)
def test_similar_names_that_kubernetes_does_not_write_are_a_misspelling(name: str, value: str) -> None:
    """Cavecron opens no port, so a variable that sets one has no effect."""
    (warning,) = load({name: value}, _no_file).warnings
    assert warning.startswith(f"Variable inconnue, ignorée : {name}")


def test_a_value_in_a_file_has_at_most_64_kb() -> None:
    """A secret is short, so a larger file was mounted by mistake."""
    assert load({"SMTP_ENCRYPTION_KEY_FILE": "k"}, lambda _: "k" * 65_536).smtp_keys
    with pytest.raises(
        ConfigurationError, match="SMTP_ENCRYPTION_KEY_FILE='k' : un fichier ordinaire de 64 ko au plus"
    ):
        load({"SMTP_ENCRYPTION_KEY_FILE": "k"}, lambda _: "k" * 65_537)


@pytest.mark.parametrize(
    ("count", "last"),
    [
        (10, "Variable inconnue, ignorée : CAVECRON_X0009"),
        (11, "Variables ignorées : et 1 autre"),
        (5000, "Variables ignorées : et 4990 autres"),
    ],
)
def test_many_unknown_names_are_counted(count: int, last: str) -> None:
    """Ten names have a line each, the others one line together."""
    warnings = load({f"CAVECRON_X{number:04}": "1" for number in range(count)}, _no_file).warnings
    assert warnings[9] == "Variable inconnue, ignorée : CAVECRON_X0009"
    assert warnings[9:][-1] == last
    assert len(warnings) == min(count, 11)


def test_a_blank_value_is_not_set_beside_a_file() -> None:
    """A blank key in cavecron.env hides the one of the application, so that a secret can replace it."""
    environ = {"SMTP_ENCRYPTION_KEY": "", "SMTP_ENCRYPTION_KEY_FILE": "/run/secrets/key"}
    assert load(environ, lambda _: "key").smtp_keys == ("key",)
