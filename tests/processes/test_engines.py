"""systemd and cron start what `export` prints and `examples/` contains.

The folder has a name with characters that mean something to them: blanks, accents, quotes, percent and
dollar.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.fernet import Fernet

from tests.support.app_database import CellarFile
from tests.support.commands import ROOT, cavecron
from tests.support.machines import cron, systemd

_NAME = 'cave à vin 100% "l\'été" $USER \\ %h'
_KEY = "clé 100%.txt"
_SUCCEEDED = "SELECT 1 FROM cavecron_run WHERE state = 'succeeded'"
_SERVICE = "cavecron-weekly-reports.service"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a machine of its own needs root")
_needs_systemd = pytest.mark.skipif(
    not Path("/lib/systemd/systemd").exists(), reason="apt-get install systemd"
)


@pytest.fixture
def cellar() -> Iterator[CellarFile]:
    """Yield a database with one user, beside its key, in a folder that services can read: below /srv."""
    with TemporaryDirectory(dir="/srv") as parent:
        os.chmod(parent, 0o755)
        folder = Path(parent, _NAME)
        folder.mkdir()
        cellar = CellarFile(folder / "wine.db")
        cellar.user("marie")
        (folder / _KEY).write_text(Fernet.generate_key().decode())
        yield cellar
        cellar.close()


def export(cellar: CellarFile, engine: str, *arguments: str) -> str:
    """Return the export of a job that runs each minute."""
    folder = cellar.path.parent
    result = cavecron(
        "export", engine, *arguments,
        DATABASE_URL=f"sqlite:///{folder}/wine.db",
        CAVECRON_MAIL=f"maildir:{folder}/courrier",
        SMTP_ENCRYPTION_KEY_FILE=f"{folder}/{_KEY}",
        SCHEDULER_WEEKLY_REPORT_CRON="* * * * *",
        SCHEDULER_CLEANUP_ENABLED="0",
    )  # fmt: skip
    assert result.code == 0, result.err
    return result.out


def export_units(cellar: CellarFile, folder: Path) -> Mapping[str, str]:
    """Return the units that `export` writes into a folder."""
    export(cellar, "systemd", "-o", str(folder))
    return {path.name: path.read_text() for path in folder.iterdir()}


@_needs_systemd
def test_systemd_runs_an_exported_service(cellar: CellarFile, tmp_path: Path) -> None:
    """The service runs as its own user with the key as a credential, and writes the report."""
    units = export_units(cellar, tmp_path / "units")
    with systemd(tmp_path / "machine", units, _SERVICE, shared=cellar.path.parent):
        cellar.wait_for(_SUCCEEDED)
    (mail,) = (cellar.path.parent / "courrier/new").iterdir()
    assert mail.stat().st_uid != 0


@_needs_systemd
@pytest.mark.slow
def test_systemd_starts_the_service_by_the_exported_timer(cellar: CellarFile, tmp_path: Path) -> None:
    """The timer starts the service within a minute."""
    units = export_units(cellar, tmp_path / "units")
    timer = "cavecron-weekly-reports.timer"
    with systemd(tmp_path / "machine", units, timer, shared=cellar.path.parent):
        cellar.wait_for(_SUCCEEDED, limit=90)


@_needs_systemd
def test_systemd_runs_the_scheduler_of_the_examples(cellar: CellarFile, tmp_path: Path) -> None:
    """The service starts with the settings that its file asks for, and with its variables and key."""
    folder = cellar.path.parent
    link = folder.with_name("cave-a-vin")
    folder.rename(link)
    text = (ROOT / "examples/systemd/cavecron.service").read_text(encoding="utf-8")
    for original, replacement in (
        ("/var/lib/cave-a-vin", str(link)),
        ("/etc/cavecron/smtp_encryption_key", f"{link}/{_KEY.replace('%', '%%')}"),
        ("/etc/cavecron/cavecron.env", f"{link}/cavecron.env"),
    ):
        assert original in text
        text = text.replace(original, replacement)
    variables = (ROOT / "examples/cavecron.env").read_text(encoding="utf-8")
    (link / "cavecron.env").write_text(f"{variables}\nCAVECRON_MAIL=maildir:{link}/courrier\n")
    with systemd(tmp_path / "machine", {"cavecron.service": text}, "cavecron.service", shared=link) as log:
        log.wait_for("cavecron démarré")
        log.wait_for(r"Job cleanup .* prochain créneau")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cron") is None, reason="apt-get install cron")
def test_cron_runs_an_exported_crontab(cellar: CellarFile, tmp_path: Path) -> None:
    """The job runs within a minute, with unchanged variables."""
    with cron(tmp_path / "machine", export(cellar, "crontab")):
        cellar.wait_for(_SUCCEEDED, limit=90)
    assert len(list((cellar.path.parent / "courrier/new").iterdir())) == 1


def test_the_crontab_has_each_value_on_a_line(cellar: CellarFile) -> None:
    """No value ends its line early or starts another one."""
    lines = [line for line in export(cellar, "crontab").splitlines() if not line.startswith("#")]
    assert all(
        re.match(r"[A-Z_]+=|\* \* \* \* \* /usr/local/bin/cavecron run --due ", line) for line in lines
    )
