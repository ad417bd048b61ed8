"""What `export` prints and `examples/` has, started by the engines that it is for: systemd and cron.

In a folder whose name has what means something to them: blanks, accents, quotes, a percent and a dollar sign.
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

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root is wanted for a machine of its own")
_wants_systemd = pytest.mark.skipif(
    not Path("/lib/systemd/systemd").exists(), reason="apt-get install systemd"
)


@pytest.fixture
def stocked() -> Iterator[CellarFile]:
    """Return a cellar whose owner gets a report, and its key, where a service can see them: below /srv."""
    with TemporaryDirectory(dir="/srv") as above:
        os.chmod(above, 0o755)
        folder = Path(above, _NAME)
        folder.mkdir()
        cellar = CellarFile(folder / "wine.db")
        cellar.user("marie")
        (folder / _KEY).write_text(Fernet.generate_key().decode())
        yield cellar
        cellar.close()


def exported(stocked: CellarFile, engine: str, *arguments: str) -> str:
    """Return what is exported of a job that runs each minute."""
    folder = stocked.path.parent
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


def exported_units(stocked: CellarFile, folder: Path) -> Mapping[str, str]:
    """Return the units that are written into a folder."""
    exported(stocked, "systemd", "-o", str(folder))
    return {path.name: path.read_text() for path in folder.iterdir()}


@_wants_systemd
def test_systemd_runs_an_exported_service(stocked: CellarFile, tmp_path: Path) -> None:
    """As its own user, hardened, with the key as a credential: the report lies in the folder."""
    units = exported_units(stocked, tmp_path / "units")
    with systemd(tmp_path / "machine", units, _SERVICE, shared=stocked.path.parent):
        stocked.wait_for(_SUCCEEDED)
    (mail,) = (stocked.path.parent / "courrier/new").iterdir()
    assert mail.stat().st_uid != 0


@_wants_systemd
@pytest.mark.slow
def test_systemd_starts_it_by_the_exported_timer(stocked: CellarFile, tmp_path: Path) -> None:
    """Within a minute, as the schedule has it."""
    units = exported_units(stocked, tmp_path / "units")
    timer = "cavecron-weekly-reports.timer"
    with systemd(tmp_path / "machine", units, timer, shared=stocked.path.parent):
        stocked.wait_for(_SUCCEEDED, limit=90)


@_wants_systemd
def test_systemd_runs_the_scheduler_of_the_examples(stocked: CellarFile, tmp_path: Path) -> None:
    """With the two choices made that the file names, and its variables and key where it looks for them."""
    folder = stocked.path.parent
    link = folder.with_name("cave-a-vin")
    folder.rename(link)
    text = (ROOT / "examples/systemd/cavecron.service").read_text(encoding="utf-8")
    for place, here in (
        ("/var/lib/cave-a-vin", str(link)),
        ("/etc/cavecron/smtp_encryption_key", f"{link}/{_KEY.replace('%', '%%')}"),
        ("/etc/cavecron/cavecron.env", f"{link}/cavecron.env"),
    ):
        assert place in text
        text = text.replace(place, here)
    variables = (ROOT / "examples/cavecron.env").read_text(encoding="utf-8")
    (link / "cavecron.env").write_text(f"{variables}\nCAVECRON_MAIL=maildir:{link}/courrier\n")
    with systemd(tmp_path / "machine", {"cavecron.service": text}, "cavecron.service", shared=link) as log:
        log.wait_for("cavecron démarré")
        log.wait_for(r"Job cleanup .* prochain créneau")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cron") is None, reason="apt-get install cron")
def test_cron_runs_an_exported_crontab(stocked: CellarFile, tmp_path: Path) -> None:
    """Within a minute, with each variable as it was."""
    with cron(tmp_path / "machine", exported(stocked, "crontab")):
        stocked.wait_for(_SUCCEEDED, limit=90)
    assert len(list((stocked.path.parent / "courrier/new").iterdir())) == 1


def test_the_crontab_has_each_value_on_a_line(stocked: CellarFile) -> None:
    """No value can end the line or begin another one."""
    lines = [line for line in exported(stocked, "crontab").splitlines() if not line.startswith("#")]
    assert all(
        re.match(r"[A-Z_]+=|\* \* \* \* \* /usr/local/bin/cavecron run --due ", line) for line in lines
    )
