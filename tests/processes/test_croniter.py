"""The running program computes slots with croniter: without it, no command that needs a slot works."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cavecron.ledger.catch_up import register_jobs
from cavecron.ledger.models import Claim, RunResult
from cavecron.ledger.runs import claim_slot, record_end
from cavecron.ledger.store import Ledger
from cavecron.schedule import parse
from tests.support.app_database import CellarFile
from tests.support.commands import ROOT, Result, cavecron
from tests.support.oracle import UTC_ZONE

#: Replacements for croniter: one that cannot be imported, and one whose times are half an hour late.
_MISSING = "raise ImportError('no croniter here')"
_LATE = """
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


def run_with_croniter(source: str, folder: Path, *arguments: str, **variables: str) -> Result:
    """Run a command with another croniter in place of the installed one."""
    replacement_folder = folder / "instead"
    replacement_folder.mkdir()
    (replacement_folder / "croniter.py").write_text(source, encoding="utf-8")
    return cavecron(*arguments, PYTHONPATH=f"{replacement_folder}{os.pathsep}{ROOT}", cwd=folder, **variables)


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
def test_a_command_that_computes_a_slot_fails_without_croniter(
    command: tuple[str, ...], cellar: CellarFile, tmp_path: Path
) -> None:
    """The error is one line that names the missing package."""
    result = run_with_croniter(_MISSING, tmp_path, *command, DATABASE_URL=f"sqlite:///{cellar.path}")
    assert result.code != 0
    assert "no croniter here" in result.err
    assert "installation incomplète" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "command", [("--version",), ("history",), ("check",), ("preview", "Claire")], ids=" ".join
)
def test_a_command_that_computes_no_slot_needs_no_croniter(
    command: tuple[str, ...], cellar: CellarFile, tmp_path: Path
) -> None:
    """Commands that compute no slot do not import croniter."""
    cellar.user("Claire")
    result = run_with_croniter(_MISSING, tmp_path, *command, DATABASE_URL=f"sqlite:///{cellar.path}")
    assert "croniter" not in result.err
    assert result.out


def test_health_needs_no_croniter_while_no_slot_is_due(cellar: CellarFile, tmp_path: Path) -> None:
    """The weekly job ran two days ago and is due in five days, so `health` computes no slot."""
    day = datetime.now(UTC) - timedelta(days=2)
    schedule = parse(f"0 8 * * {day.isoweekday() % 7}", UTC_ZONE)
    slot = day.replace(hour=8, minute=0, second=0, microsecond=0)
    ledger = Ledger(database=cellar.database)
    register_jobs(ledger, {"weekly_reports": schedule}, slot)
    with ledger.writing() as connection:
        due = Claim(job="weekly_reports", slot=slot, trigger="slot")
        claim = claim_slot(connection, ledger, due, slot)
    record_end(ledger, claim, RunResult(state="succeeded"), slot)
    variables = {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "SCHEDULER_TIMEZONE": "UTC",
        "SCHEDULER_CLEANUP_ENABLED": "0",
        "SCHEDULER_WEEKLY_REPORT_CRON": schedule.expression,
    }
    result = run_with_croniter(_MISSING, tmp_path, "health", **variables)
    assert (result.code, result.out) == (0, "En bonne santé : aucun créneau en souffrance\n"), result.err


def test_a_slot_is_the_time_that_croniter_returns(tmp_path: Path) -> None:
    """A croniter that is half an hour late moves the slot of `next` by half an hour."""
    command = ("next", "weekly_reports", "-n", "1", "--from", "2026-11-23", "--json")
    usual, shifted = cavecron(*command), run_with_croniter(_LATE, tmp_path, *command)
    local_times = [json.loads(result.out)[0]["local"] for result in (usual, shifted)]
    assert local_times == ["2026-11-23T08:00:00+01:00", "2026-11-23T08:30:00+01:00"]
