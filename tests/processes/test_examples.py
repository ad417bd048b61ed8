"""The files in examples/ that users copy: each is read, run or checked by the tool for which it is made."""

import re
import shutil
import subprocess
from email import message_from_bytes, policy
from pathlib import Path

import pytest
import yaml

from cavecron.cli.arguments import parse
from cavecron.config.settings import Settings, known_names, load, variables
from tests.support.app_database import CellarFile
from tests.support.commands import ROOT, Result, cavecron
from tests.support.readme import blocks

_EXAMPLES = ROOT / "examples"
_LINE = re.compile(r"#?([A-Z][A-Z0-9_]+)=(.*)")
_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="apt-get install systemd")

_compose = pytest.mark.skipif(shutil.which("docker-compose") is None, reason="apt-get install docker-compose")


def _variables() -> dict[str, str]:
    """Return each variable of the env file, including those that are commented out."""
    lines = (_EXAMPLES / "cavecron.env").read_text(encoding="utf-8").splitlines()
    return dict(match.groups() for line in lines if (match := _LINE.fullmatch(line)))  # type: ignore[misc]


def _load(environ: dict[str, str]) -> Settings:
    return load(environ, lambda path: path)


def test_the_env_file_has_every_variable_with_its_default() -> None:
    """The env file has all variables that cavecron knows, and no others."""
    assert _variables() == {variable.name: variable.default for variable in variables()}


def test_the_env_file_shows_the_defaults() -> None:
    """The env file without comment signs gives the same settings as an empty environment."""
    uncommented = _load(_variables())
    assert uncommented.warnings == ()
    assert uncommented == _load({})


def test_compose_restricts_the_container() -> None:
    """The container is read-only, without capabilities and with limits, as the page promises."""
    document = yaml.safe_load((_EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    service = document["services"]["cavecron"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] == "64m"
    assert "ports" not in service


def test_compose_agrees_with_the_application() -> None:
    """Port, user, folder and settings are those of the application's own compose file."""
    contract = (ROOT / "cavecron/appdb/README.md").read_text(encoding="utf-8")
    (container,) = (block.text for block in blocks(contract) if block.tag == "container")
    facts = dict(line.split() for line in container.splitlines())
    document = yaml.safe_load((_EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    application, service = document["services"]["application"], document["services"]["cavecron"]
    assert application["ports"] == [f"{facts['port']}:{facts['port']}"]
    assert application["volumes"] == [facts["volume"]] == service["volumes"]
    assert service["user"] == f"${{PUID:-{facts['user']}}}:${{PGID:-{facts['user']}}}"
    assert service["env_file"] == [facts["settings"], "cavecron.env"]
    assert facts["key"] in known_names()
    assert not {"depends_on", "links", "network_mode", "networks", "volumes_from"} & set(service)
    assert set(document) == {"services"}


def test_compose_allows_as_many_threads_as_can_run() -> None:
    """Four threads for each job (job, lease, ping, end), two for each connection, and the rest."""
    document = yaml.safe_load((_EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    settings = _load({})
    jobs = 4 * settings.max_running
    mailing = 2 * settings.mail_limits.connections
    loop_scan_and_registration, health_and_a_command = 3, 2 * 4
    threads = jobs + mailing + loop_scan_and_registration + health_and_a_command
    assert threads <= document["services"]["cavecron"]["pids_limit"]


def test_compose_and_the_image_check_health_alike() -> None:
    """Both use the same command and intervals, so that a change of one is not forgotten in the other."""
    document = yaml.safe_load((_EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    check = document["services"]["cavecron"]["healthcheck"]
    containerfile = (ROOT / "Containerfile").read_text(encoding="utf-8")
    healthcheck = re.search(
        r"^HEALTHCHECK --interval=(\S+) --timeout=(\S+) --start-period=(\S+) --retries=(\S+) CMD (.+)$",
        containerfile,
        re.MULTILINE,
    )
    assert healthcheck is not None
    assert healthcheck.groups()[:4] == (
        check["interval"],
        check["timeout"],
        check["start_period"],
        str(check["retries"]),
    )
    assert yaml.safe_load(healthcheck[5]) == check["test"][1:]


@_compose
def test_compose_is_understood_by_compose(tmp_path: Path) -> None:
    """Compose accepts every key, passes the application's key and uses the default user, in any folder."""
    folder = tmp_path / "cave à vin 100% $USER"
    (folder / "data").mkdir(parents=True)
    for name in ("compose.yaml", "cavecron.env"):
        shutil.copy(_EXAMPLES / name, folder)
    (folder / "data/.env").write_text("SMTP_ENCRYPTION_KEY=key-of-the-application\n", encoding="utf-8")
    result = subprocess.run(
        ["docker-compose", "-f", "compose.yaml", "config"],
        cwd=folder, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    service = yaml.safe_load(result.stdout)["services"]["cavecron"]
    assert service["environment"] == {"SMTP_ENCRYPTION_KEY": "key-of-the-application"}
    assert service["user"] == "10001:10001"


@_compose
def test_the_service_can_be_pasted_into_another_compose_file(tmp_path: Path) -> None:
    """The text from `cavecron:` to the end of the file needs nothing else, and changes no other service."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/.env").write_text("SMTP_ENCRYPTION_KEY=old\nLOCALE=fr\n", encoding="utf-8")
    (tmp_path / "cavecron.env").write_text("SMTP_ENCRYPTION_KEY=\n", encoding="utf-8")
    own = "services:\n  web:\n    image: cave-a-vin:2.9\n"
    example = (_EXAMPLES / "compose.yaml").read_text(encoding="utf-8")
    pasted = example[example.index("  cavecron:\n") :]
    (tmp_path / "docker-compose.yml").write_text(own + pasted, encoding="utf-8")
    result = subprocess.run(
        ["docker-compose", "config"], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    services = yaml.safe_load(result.stdout)["services"]
    assert set(services) == {"web", "cavecron"}
    assert services["web"]["image"] == "cave-a-vin:2.9"
    assert services["cavecron"]["environment"] == {"SMTP_ENCRYPTION_KEY": "", "LOCALE": "fr"}


@pytest.mark.parametrize("page", ["LISEZMOI.md", "MIGRATION.md", "nas/LISEZMOI.md", "compose.yaml"])
def test_the_service_belongs_into_the_file_of_the_application(page: str) -> None:
    """A second compose file in the folder would make Compose find orphans, or replace the application's."""
    text = (_EXAMPLES / page).read_text(encoding="utf-8")
    assert re.search(r"coller le service `?cavecron\b", text, re.IGNORECASE)
    assert "compose -f" not in text


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return the service file with a program that exists."""
    path = tmp_path / "cavecron.service"
    text = (_EXAMPLES / "systemd/cavecron.service").read_text(encoding="utf-8")
    path.write_text(
        text.replace("ExecStart=/usr/local/bin/cavecron", "ExecStart=/bin/true"), encoding="utf-8"
    )
    return path


@_systemd
def test_systemd_understands_the_service(unit: Path) -> None:
    """systemd-analyze prints no warning."""
    result = subprocess.run(["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


@_systemd
def test_systemd_finds_the_service_safe(unit: Path) -> None:
    """The score of exposure that systemd-analyze gives, from 0 to 10, is at most 2.0."""
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-500:]


@pytest.fixture
def cellar_with_wines(cellar: CellarFile) -> CellarFile:
    """Return a database with one wine that is running out."""
    marie = cellar.user("marie")
    cave = cellar.cellar(marie, "Cave de l'Île")
    for name, quantity in (("Chinon", 2), ("Morgon", 12), ("Épuisé", 0)):
        cellar.wine(marie, cave, name, quantity=quantity)
    return cellar


def _run(job: str, cellar: CellarFile) -> Result:
    return cavecron(
        "run", job,
        DATABASE_URL=f"sqlite:///{cellar.path}",
        CAVECRON_JOBS=str(_EXAMPLES / f"jobs/{job}.py"),
        CAVECRON_MAIL=f"maildir:{cellar.path.parent / 'courrier'}",
    )  # fmt: skip


def test_low_stock_is_mailed(cellar_with_wines: CellarFile) -> None:
    """The job sends one mail with the wine that is running out, and no other wine."""
    result = _run("low_stock", cellar_with_wines)
    assert result.code == 0, result.err + result.out
    (mail,) = (cellar_with_wines.path.parent / "courrier/new").iterdir()
    message = message_from_bytes(mail.read_bytes(), policy=policy.default)
    text = message.get_content()
    assert message["To"] == "marie@example.org"
    assert "Chinon : 2" in text
    assert "Morgon" not in text
    assert "1 vins presque épuisés" in result.out


def test_the_cellar_is_exported(cellar_with_wines: CellarFile) -> None:
    """A spreadsheet program can read the accents, and only the newest files are kept."""
    exports = cellar_with_wines.path.parent / "exports"
    exports.mkdir()
    for week in range(10, 20):
        (exports / f"cave-2020-01-{week}.csv").touch()
    result = _run("cellar_csv", cellar_with_wines)
    assert result.code == 0, result.err + result.out
    kept = sorted(exports.iterdir())
    assert len(kept) == 8
    assert "Cave de l'Île;Chinon;2;" in kept[-1].read_text(encoding="utf-8-sig")


def test_the_page_on_nas_names_real_commands_and_files() -> None:
    """Each cavecron command on the page can be parsed, and each link and variable exists."""
    page = _EXAMPLES / "nas/LISEZMOI.md"
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / link).exists()
    commands = re.findall(r"docker compose (?:run --rm|exec) cavecron ((?:cavecron )?[a-z][a-z -]*)", text)
    assert len(commands) >= 3
    for command in commands:
        arguments = parse(command.removeprefix("cavecron ").split())
        assert arguments.command in ("check", "history", "run")
    for variable in set(
        re.findall(r"\b(?:SCHEDULER|CAVECRON)_[A-Z_]+\b|\bSMTP_[A-Z_]+\b|\bDATABASE_URL\b", text)
    ):
        assert variable in known_names()
    for nas in ("Synology", "QNAP", "TrueNAS", "Unraid"):
        assert nas in text
