"""croniter computes the slots in the running program: without it nothing that needs one works."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cavecron.ledger.catch_up import register_jobs
from cavecron.ledger.models import Claim, RunResult
from cavecron.ledger.runs import claim_slot, finish
from cavecron.ledger.store import Ledger
from cavecron.schedule import parse
from tests.support.app_database import CellarFile
from tests.support.commands import ROOT, Result, cavecron
from tests.support.oracle import UTC_ZONE

#: Stand before the installed croniter: one that is not there, and one whose times are half an hour off.
_TAKEN_AWAY = "raise ImportError('no croniter here')"
_BROKEN = """
import importlib, sys
from datetime import timedelta
from pathlib import Path

here = str(Path(__file__).parent)
sys.path.remove(here)
del sys.modules["croniter"]
real = importlib.import_module("croniter")
sys.path.insert(0, here)

class croniter(real.croniter):
    def get_next(self, *arguments, **named):
        return super().get_next(*arguments, **named) + timedelta(minutes=30)

real.croniter = croniter
"""


def with_croniter(source: str, folder: Path, *arguments: str, **variables: str) -> Result:
    """Run a command with another croniter before the installed one."""
    instead = folder / "instead"
    instead.mkdir()
    (instead / "croniter.py").write_text(source, encoding="utf-8")
    return cavecron(*arguments, PYTHONPATH=f"{instead}{os.pathsep}{ROOT}", cwd=folder, **variables)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((), id="the scheduler"),
        ("next",),
        ("simulate", "--days", "1"),
        ("run", "--due"),
    ],
    ids=" ".join,
)
def test_what_computes_a_slot_fails_without_croniter(
    command: tuple[str, ...], cellar: CellarFile, tmp_path: Path
) -> None:
    """And says in one line what is missing."""
    done = with_croniter(_TAKEN_AWAY, tmp_path, *command, DATABASE_URL=f"sqlite:///{cellar.path}")
    assert done.code != 0
    assert "no croniter here" in done.err
    assert "installation incomplète" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "command", [("--version",), ("history",), ("check",), ("preview", "Claire")], ids=" ".join
)
def test_what_computes_none_does_without_croniter(
    command: tuple[str, ...], cellar: CellarFile, tmp_path: Path
) -> None:
    """It pays nothing for it."""
    cellar.user("Claire")
    done = with_croniter(_TAKEN_AWAY, tmp_path, *command, DATABASE_URL=f"sqlite:///{cellar.path}")
    assert "croniter" not in done.err
    assert done.out


def test_the_health_of_a_quiet_hour_needs_no_croniter(cellar: CellarFile, tmp_path: Path) -> None:
    """The weekly job ran two days ago, and is next due in five: no slot has to be computed."""
    day = datetime.now(UTC) - timedelta(days=2)
    schedule = parse(f"0 8 * * {day.isoweekday() % 7}", UTC_ZONE)
    slot = day.replace(hour=8, minute=0, second=0, microsecond=0)
    ledger = Ledger(database=cellar.database)
    register_jobs(ledger, {"weekly_reports": schedule}, slot)
    with ledger.writing() as connection:
        due = Claim(job="weekly_reports", slot=slot, trigger="slot")
        claim = claim_slot(connection, ledger, due, slot)
    finish(ledger, claim, RunResult(state="succeeded"), slot)
    variables = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "SCHEDULER_TIMEZONE": "UTC",
        "SCHEDULER_CLEANUP_ENABLED": "0",
        "SCHEDULER_WEEKLY_REPORT_CRON": schedule.expression,
    }
    done = with_croniter(_TAKEN_AWAY, tmp_path, "health", **variables)
    assert (done.code, done.out) == (0, "En bonne santé : aucun créneau en souffrance\n"), done.err


def test_a_slot_is_what_croniter_says(tmp_path: Path) -> None:
    """One that is half an hour off shifts what is announced."""
    command = ("next", "weekly_reports", "-n", "1", "--from", "2026-11-23", "--json")
    honest, shifted = cavecron(*command), with_croniter(_BROKEN, tmp_path, *command)
    local = [json.loads(done.out)[0]["local"] for done in (honest, shifted)]
    assert local == ["2026-11-23T08:00:00+01:00", "2026-11-23T08:30:00+01:00"]
