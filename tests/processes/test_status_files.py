"""`CAVECRON_STATUS_DIR`: files are written atomically after each event, and an error there fails no run."""

import os
import re
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cavecron.errors import CavecronError
from cavecron.jobs.loader import load
from cavecron.ledger.catch_up import register_jobs
from cavecron.ledger.store import Ledger
from cavecron.status.files import write_files
from tests.support.app_database import NOW, CellarFile
from tests.support.commands import unprivileged
from tests.support.daemons import daemon
from tests.support.ledgers import HOUR, MINUTE
from tests.support.status_ledger import SUCCEEDED, PastReports, loaded

JOB = """
from cavecron import job

@job("soon", title="bientôt", cron="0 7 * * *")
def soon(run):
    return "fait"
"""


def variables(cellar: CellarFile, folder: Path, **more: str) -> dict[str, str]:
    """Return the variables of a scheduler whose daily job has its slot at NOW and runs it late."""
    jobs = cellar.path.with_name("soon.py")
    jobs.write_text(JOB, encoding="utf-8")
    defaults = {"DATABASE_URL": f"sqlite:///{cellar.path}", "CAVECRON_JOBS": str(jobs), "TZ": "UTC"}
    settings, _jobs = load(defaults)
    register_jobs(Ledger(database=cellar.database), settings.schedules, NOW - HOUR)
    return {**defaults, "CAVECRON_STATUS_DIR": str(folder), **more}


def metric(folder: Path, name: str, **labels: str) -> float | None:
    """Return the value of a sample in the file, or None while the file does not exist."""
    try:
        text = (folder / "cavecron.prom").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    families = text_string_to_metric_families(text)
    samples = (sample for family in families for sample in family.samples)
    return next((sample.value for sample in samples if sample.name == name and sample.labels == labels), None)


def wait_for(folder: Path, name: str, value: float, labels: Mapping[str, str]) -> None:
    """Return when the sample has this value; fail after a time limit."""
    limit = time.monotonic() + 40
    while time.monotonic() < limit:
        if metric(folder, name, **labels) == value:
            return
        time.sleep(0.02)
    pytest.fail(f"{name} did not become {value}")


def test_a_run_is_in_the_file_as_soon_as_it_has_ended(cellar: CellarFile, tmp_path: Path) -> None:
    """The file is written at the start, after the run, and at the stop, which it shows."""
    folder = tmp_path / "status"
    folder.mkdir()
    with daemon(variables(cellar, folder), at=NOW + MINUTE) as scheduler:
        wait_for(folder, "cavecron_scheduler_up", 1, {})
        wait_for(folder, "cavecron_slots", 1, {"job": "soon", "state": "succeeded"})
        assert metric(folder, "cavecron_next_slot_timestamp_seconds", job="soon") == NOW.timestamp() + 86400
        assert scheduler.stop()[0] == 0
    assert metric(folder, "cavecron_scheduler_up") == 0
    assert sorted(os.listdir(folder)) == ["cavecron.prom", "status.html"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}
    assert "planificateur est arrêté" in (folder / "status.html").read_text(encoding="utf-8")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="permissions of root")
def test_a_folder_that_cannot_be_written_is_a_warning_once(cellar: CellarFile, tmp_path: Path) -> None:
    """There is one warning, and the run succeeds."""
    folder = tmp_path / "status"
    folder.mkdir(mode=0o555)
    prefix = unprivileged()
    tmp_path.chmod(0o755)
    with daemon(variables(cellar, folder), at=NOW + MINUTE, prefix=prefix) as scheduler:
        scheduler.wait_for("CAVECRON_STATUS_DIR")
        scheduler.wait_for("Job soon exécuté avec succès")
        assert scheduler.stop()[0] == 0
    warnings = [line for line in scheduler.lines if "CAVECRON_STATUS_DIR" in line]
    assert len(warnings) == 1
    assert re.search(r"WARNING - CAVECRON_STATUS_DIR : .*status\.html.* \(accès refusé\)", warnings[0])
    assert not any("Traceback" in line for line in scheduler.lines)


def test_a_database_that_is_away_is_in_the_file(cellar: CellarFile, tmp_path: Path) -> None:
    """The file shows that the database is unavailable, because a person looks there first."""
    url = f"sqlite:///{tmp_path / 'none.db'}"
    with daemon(variables(cellar, tmp_path, DATABASE_URL=url)) as scheduler:
        wait_for(tmp_path, "cavecron_database_up", 0, {})
        assert scheduler.stop()[0] == 0


def test_a_missing_folder_is_the_error(cellar: CellarFile, tmp_path: Path) -> None:
    """The error names the folder, and not the files in it."""
    settings, jobs = loaded(cellar)
    away = tmp_path / "away"
    with pytest.raises(CavecronError, match=f"^{away} n'est pas un dossier, ou n'existe pas : le créer$"):
        write_files(away, settings, jobs, now=NOW)


def test_a_symbolic_link_in_place_of_a_file_is_not_followed(cellar: CellarFile, tmp_path: Path) -> None:
    """The scheduler does not write through a symbolic link, which could lead to any file."""
    precious = tmp_path / "precious"
    precious.write_text("1", encoding="utf-8")
    (tmp_path / "cavecron.prom").symlink_to(precious)
    past = PastReports(cellar, NOW - HOUR)
    past.ran(NOW, SUCCEEDED)
    settings, jobs = loaded(cellar)
    with pytest.raises(CavecronError, match="prom n'a pu être écrit"):
        write_files(tmp_path, settings, jobs, now=NOW)
    assert precious.read_text(encoding="utf-8") == "1"
