"""`cavecron run --due` at a chosen moment: a little early, after a failure, late, and with nothing to do."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.app_database import NOW, CellarFile
from tests.support.commands import Result
from tests.support.in_process import live_command
from tests.unit.scheduler.test_notifications import service

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
JOBS = '''
import os
from cavecron import CavecronError, job

@job("tidy", title="rangement", day="mon", hour=8)
def tidy(run):
    """Does what the file beside it says."""
    if "échec" in open(os.environ["SAYS"], encoding="utf-8").read():
        raise CavecronError("la clé est fausse")
    return "rangé"
'''


class Job:
    """A custom job, due on Mondays at 8:00, that fails or succeeds as the test says."""

    def __init__(self, cellar: CellarFile, monkeypatch: pytest.MonkeyPatch) -> None:
        self._jobs, self._says = (cellar.path.with_name(name) for name in ("tidying.py", "says"))
        self._jobs.write_text(JOBS, encoding="utf-8")
        self._cellar = cellar
        monkeypatch.setenv("SAYS", str(self._says))
        self.fails(False)

    def fails(self, failing: bool) -> None:
        """Make the job fail, or succeed, from now on."""
        self._says.write_text("échec" if failing else "", encoding="utf-8")

    def due(self, delay: timedelta, *arguments: str, **variables: str) -> Result:
        """Call `run --due` at this time after the slot."""
        usual = {
            "DATABASE_URL": f"sqlite:///{self._cellar.path}",
            "CAVECRON_JOBS": str(self._jobs),
            "CAVECRON_MAIL": f"maildir:{Path(self._jobs).with_name('box')}",
            "SCHEDULER_WEEKLY_REPORT_ENABLED": "0",
            "SCHEDULER_CLEANUP_ENABLED": "0",
        }
        return live_command("run", "--due", *arguments, at=NOW + delay, **{**usual, **variables})


@pytest.fixture
def tidy(cellar: CellarFile, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return a custom job that is due on Mondays at 8:00."""
    return Job(cellar, monkeypatch)


def test_a_slot_that_comes_in_a_moment_is_waited_for(tidy: Job) -> None:
    """A caller whose clock is two seconds ahead must not miss the slot of the week."""
    result = tidy.due(-2 * SECOND)
    assert result.code == 0
    assert "Job tidy exécuté avec succès" in result.out
    assert "rattrapage" not in result.out
    assert "Rien à exécuter maintenant" in tidy.due(MINUTE).err


def test_a_slot_that_comes_later_is_not_waited_for(tidy: Job) -> None:
    """Thirty seconds is the longest wait."""
    result = tidy.due(-31 * SECOND)
    assert (result.code, result.out) == (0, "")
    assert result.err == "Rien à exécuter maintenant ; prochain créneau : lundi 23 novembre 2026 à 08:00\n"


def test_a_slot_that_is_too_old_is_logged(tidy: Job) -> None:
    """The warning is the same as that of the scheduler."""
    tidy.due(-HOUR)
    result = tidy.due(2 * HOUR)
    assert result.code == 0
    assert (
        "WARNING - Job tidy : créneau manqué : lundi 23 novembre 2026 à 08:00 (trop tard : 2 h de retard"
        in result.out
    )


def test_a_slot_that_is_too_old_is_pinged_once(tidy: Job) -> None:
    """The monitoring service is called once, because nobody may read the log of a task planner."""
    tidy.due(-HOUR)
    with service() as monitor:
        for hours in (2, 3):
            tidy.due(hours * HOUR, SCHEDULER_TIDY_PING_URL=monitor.url)
        ((path, body),) = monitor.pings
    assert path.endswith("/fail")
    assert body.startswith("créneau manqué : lundi 23 novembre 2026 à 08:00 (trop tard : 2 h de retard")


def test_a_run_that_has_failed_for_good_is_no_success(tidy: Job) -> None:
    """Further calls within the hour exit with 1 and say how to resume the run."""
    tidy.fails(True)
    assert tidy.due(SECOND).code == 1
    again = tidy.due(MINUTE)
    assert again.code == 1
    assert "tidy : le créneau du lundi 23 novembre 2026 à 08:00 a échoué : la clé est fausse" in again.err
    assert "cavecron run tidy --resume" in again.err
    (line,) = tidy.due(2 * MINUTE, "--json").out.splitlines()
    assert json.loads(line) == {"job": "tidy", "ok": False, "error": "la clé est fausse"}
    assert tidy.due(61 * MINUTE).code == 0


@pytest.mark.parametrize(
    ("arguments", "job"),
    [
        pytest.param((), {"SCHEDULER_CLEANUP_ENABLED": "1"}, id="several jobs"),
        pytest.param(("tidy",), {}, id="one job"),
    ],
)
def test_nothing_to_do_is_a_json_object_too(
    tidy: Job, arguments: tuple[str, ...], job: dict[str, str]
) -> None:
    """With `--json` the output is an object with the next slot."""
    result = tidy.due(-HOUR, *arguments, "--json", **job)
    assert json.loads(result.out) == {
        "job": "tidy" if arguments else None,
        "ok": True,
        "due": False,
        "next": "2026-11-23T08:00:00+01:00",
    }


def test_more_jobs_than_may_run_at_a_time_take_turns(tidy: Job) -> None:
    """With one job at a time, both due jobs run, one after the other."""
    result = tidy.due(SECOND, CAVECRON_MAX_RUNNING="1", SCHEDULER_WEEKLY_REPORT_ENABLED="1")
    assert "Job tidy exécuté avec succès" in result.out
    assert "Job weekly_reports exécuté avec succès" in result.out
