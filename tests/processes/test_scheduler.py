"""The scheduler as a process, with real signals: slots on time, kills, stops, and a late database."""

import json
import signal
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from tests.support.app_database import CellarFile
from tests.support.commands import Result, cavecron
from tests.support.daemons import daemon, faked

#: The slot of the weekly reports (a Monday at 8 in Paris), and an instant early enough for a slow start.
SLOT = datetime(2026, 11, 23, 7, tzinfo=UTC)
BEFORE = SLOT - timedelta(seconds=4)
MINUTE = timedelta(minutes=1)

JOBS = '''
from threading import Event
from cavecron import job

@job("steps", title="pas à pas", day="mon", hour=8)
def steps(run):
    """Works for a minute, and looks up between two steps."""
    for number in range(600):
        run.check()
        if number == 3:
            print("à mi-chemin", flush=True)
        Event().wait(0.1)

@job("deaf", title="sourd", day="mon", hour=8)
def deaf(run):
    """Never looks up."""
    print("je n'entends rien", flush=True)
    Event().wait(600)

@job("tick", title="tic-tac", cron="* * * * *")
async def tick(run):
    return "tic"

@job("crash", title="plantage", day="mon", hour=8)
def crash(run):
    raise SystemExit("plus rien ne va")

@job("odd", title="bizarre", day="mon", hour=8)
def odd(run):
    return object()
'''


def environment(cellar: CellarFile, *enabled: str, **more: str) -> dict[str, str]:
    """Return the variables of a scheduler with only these jobs enabled."""
    path = cellar.path.with_name("jobs_of_mine.py")
    path.write_text(JOBS, encoding="utf-8")
    names = ("WEEKLY_REPORT", "CLEANUP", "STEPS", "DEAF", "TICK", "CRASH", "ODD")
    return {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "CAVECRON_MAIL": f"maildir:{cellar.path.with_name('box')}",
        "CAVECRON_JOBS": str(path),
        **{f"SCHEDULER_{name}_ENABLED": str(int(name in enabled)) for name in names},
        **more,
    }


def run_command(variables: Mapping[str, str], *arguments: str) -> Result:
    """Run a command to its end with these variables."""
    return cavecron(*arguments, cwd=None, prefix=(), encoding="utf-8", **variables)


def history(variables: dict[str, str]) -> list[dict[str, object]]:
    """Return the output of `cavecron history --json`."""
    entries: list[dict[str, object]] = json.loads(run_command(variables, "history", "--json").out)
    return entries


def test_it_announces_a_slot_runs_it_on_time_and_stops(cellar: CellarFile) -> None:
    """The log has one line for each job and the fixed sentences at the slot; SIGTERM gives exit code 0."""
    for name in ("marie", "paul"):
        cellar.user(name)
    variables = environment(cellar, "WEEKLY_REPORT")
    with daemon(variables, at=BEFORE) as scheduler:
        scheduler.wait_for(
            r"Job weekly_reports \(envoi des rapports hebdomadaires\) : chaque lundi à 08:00 ;"
            r" prochain créneau : lundi 23 novembre 2026 à 08:00"
        )
        scheduler.wait_for("Job cleanup : désactivé")
        scheduler.wait_for(
            r"^2026-11-23 08:00:0\d - cavecron.runner - INFO - Démarrage du job: envoi des rapports hebdo\w+$"
        )
        scheduler.wait_for(
            r"- cavecron.jobs.weekly_reports - INFO - Rapports hebdomadaires: 2 envoyés, 0 échecs$"
        )
        scheduler.wait_for(r"- cavecron.runner - INFO - Job weekly_reports exécuté avec succès$")
        code, seconds = scheduler.stop()
        scheduler.wait_for("cavecron arrêté")
    assert code == 0
    assert seconds < 5
    (entry,) = history(variables)
    assert (entry["trigger"], entry["state"], entry["slot"]) == ("slot", "succeeded", SLOT.isoformat())
    assert len(list(cellar.path.with_name("box").joinpath("new").iterdir())) == 2


def test_a_slot_missed_by_a_restart_is_made_up_for(cellar: CellarFile) -> None:
    """The slot runs late after one restart, and not again after the next one."""
    variables = environment(cellar, "WEEKLY_REPORT")
    for at in (BEFORE, SLOT + 50 * MINUTE, SLOT + 59 * MINUTE):
        with daemon(variables, at=at) as scheduler:
            scheduler.wait_for("prochain créneau")
            cellar.wait_for("SELECT 1 FROM cavecron_job")
            if at == SLOT + 50 * MINUTE:
                scheduler.wait_for("rattrapage du créneau du .* à 08:00, 50 min de retard")
                scheduler.wait_for("exécuté avec succès")
            scheduler.stop()
    assert [entry["trigger"] for entry in history(variables)] == ["replay"]


def test_a_slot_missed_by_more_than_an_hour_is_reported(cellar: CellarFile) -> None:
    """The log has a warning, and the history has the reason."""
    variables = environment(cellar, "WEEKLY_REPORT")
    with daemon(variables, at=BEFORE) as scheduler:
        scheduler.wait_for("prochain créneau")
        cellar.wait_for("SELECT 1 FROM cavecron_job")
        scheduler.kill()
    with daemon(variables, at=SLOT + 61 * MINUTE) as scheduler:
        scheduler.wait_for(
            r"WARNING - Job weekly_reports : créneau manqué : lundi 23 novembre 2026 à 08:00 \(trop tard"
        )
    output = run_command(variables, "history").out
    assert "2026-11-23 08:00  weekly_reports   manqué" in output
    assert "trop tard : 1 h 01 min de retard" in output


def test_a_killed_run_is_resumed(cellar: CellarFile) -> None:
    """The next process resumes the run when its lease has expired; the slot still has one row."""
    variables = environment(cellar, "STEPS")
    with daemon(variables, at=BEFORE) as scheduler:
        scheduler.wait_for("à mi-chemin")
        scheduler.kill()
    with daemon(variables, at=SLOT + 2 * MINUTE) as scheduler:
        scheduler.wait_for("reprise du créneau du lundi 23 novembre 2026 à 08:00, tentative 2")
        scheduler.wait_for("à mi-chemin")
        scheduler.stop()
    (entry,) = history(variables)
    assert (entry["state"], entry["attempt"], entry["slot"]) == ("interrupted", 2, SLOT.isoformat())


def test_a_running_job_stops_at_its_next_safe_point(cellar: CellarFile) -> None:
    """The run is interrupted, and the next scheduler resumes it at once."""
    variables = environment(cellar, "STEPS")
    with daemon(variables, at=BEFORE) as scheduler:
        scheduler.wait_for("à mi-chemin")
        code, seconds = scheduler.stop()
        scheduler.wait_for("Job steps interrompu : arrêt demandé")
    assert code == 0
    assert seconds < 3
    with daemon(variables, at=SLOT + timedelta(seconds=20)) as scheduler:
        scheduler.wait_for("reprise du créneau du lundi 23 novembre 2026 à 08:00, tentative 2")


def test_a_job_that_ignores_the_stop_does_not_hold_the_process(cellar: CellarFile) -> None:
    """The scheduler ends after the grace without waiting for the job's thread."""
    variables = environment(cellar, "DEAF", CAVECRON_STOP_GRACE="1")
    with daemon(variables, at=BEFORE) as scheduler:
        scheduler.wait_for("je n'entends rien")
        code, seconds = scheduler.stop()
        scheduler.wait_for("Job deaf interrompu : le job ignore l'arrêt")
    assert code == 0
    assert 1 <= seconds < 4


def test_a_job_that_ignores_its_time_limit_is_abandoned(cellar: CellarFile) -> None:
    """The run is recorded as failed, and the scheduler can still be stopped."""
    variables = environment(cellar, "DEAF", CAVECRON_STOP_GRACE="1", SCHEDULER_DEAF_TIMEOUT="1")
    with daemon(variables, at=BEFORE) as scheduler:
        scheduler.wait_for("Job deaf en échec : le job ignore sa durée limite")
        assert scheduler.stop()[0] == 0
    assert history(variables)[0]["state"] == "failed"


def test_a_locked_database_does_not_hold_up_a_stop(cellar: CellarFile) -> None:
    """The scheduler stops although the file is locked for longer than a container's stop allows."""
    with daemon(environment(cellar, "TICK"), at=BEFORE) as scheduler:
        cellar.wait_for("SELECT 1 FROM cavecron_job")
        cellar.execute("BEGIN EXCLUSIVE")
        Event().wait(4)
        code, seconds = scheduler.stop()
        cellar.execute("ROLLBACK")
    assert code == 0
    assert seconds < 4


def test_a_second_signal_ends_it_at_once(cellar: CellarFile) -> None:
    """A second Ctrl-C ends the scheduler without the grace."""
    with daemon(environment(cellar, "DEAF"), at=BEFORE) as scheduler:
        scheduler.wait_for("je n'entends rien")
        scheduler.process.send_signal(signal.SIGINT)
        scheduler.wait_for("Arrêt demandé")
        code, seconds = scheduler.stop(signal.SIGINT)
    assert code == 130
    assert seconds < 2


@pytest.mark.slow
def test_it_waits_for_the_application(tmp_path: Path) -> None:
    """The scheduler reports it once, and `health` fails until the tables exist."""
    path = tmp_path / "wine.db"
    variables = {"DATABASE_URL": f"sqlite:///{path}"}
    with daemon(variables) as scheduler:
        scheduler.wait_for("base introuvable : .*wine.db ; le volume est-il monté ?")
        assert run_command(variables, "health").code == 1
        new = CellarFile(tmp_path / "new.db")
        new.close()
        new.path.rename(path)
        scheduler.wait_for("La base répond à nouveau")
        assert [line for line in scheduler.lines if "introuvable" in line][1:] == []
        assert run_command(variables, "health").code == 0
        assert scheduler.stop()[0] == 0


def test_it_stops_while_it_waits_for_the_application(tmp_path: Path) -> None:
    """SIGTERM ends the scheduler with exit code 0 although there is no database."""
    with daemon({"DATABASE_URL": f"sqlite:///{tmp_path}/wine.db"}) as scheduler:
        scheduler.wait_for("introuvable")
        assert scheduler.stop()[0] == 0


def test_a_wrong_configuration_ends_it(cellar: CellarFile) -> None:
    """The exit code is 2, and all problems are counted, those of custom jobs too."""
    variables = environment(cellar) | {"SCHEDULER_CLEANUP_HOUR": "25", "CAVECRON_JOBS": "/absent.py"}
    result = run_command(variables)
    assert result.code == 2
    assert result.err.splitlines()[0] == "cavecron : Configuration invalide : 2 problèmes"


def test_two_schedulers_share_one_database(cellar: CellarFile) -> None:
    """Each slot runs in one of the schedulers, and a run by hand beside them is refused."""
    variables = environment(cellar, "STEPS", "TICK")
    with daemon(variables, at=BEFORE) as one, daemon(variables, at=BEFORE) as two:
        for scheduler in (one, two):
            scheduler.wait_for("prochain créneau")
        cellar.wait_for("SELECT 1 FROM cavecron_run WHERE job = 'steps' AND state = 'running'")
        cellar.wait_for("SELECT 1 FROM cavecron_run WHERE job = 'tick' AND state = 'succeeded'")
        started = [line for line in one.lines + two.lines if "Démarrage du job: pas à pas" in line]
        assert len(started) == 1
        by_hand = run_command(variables | faked(SLOT), "run", "steps")
        assert by_hand.code == 3
        assert "steps est déjà en cours" in by_hand.err


@pytest.mark.parametrize(
    ("job", "message", "state"),
    [
        ("CRASH", "Job crash en échec : SystemExit : plus rien ne va", "failed"),
        ("ODD", r"Job odd : une phrase \(str\) ou rien est attendu en retour, pas object", "succeeded"),
        ("TICK", "Job tick : tic", "succeeded"),
    ],
)
def test_no_job_ends_the_scheduler(cellar: CellarFile, job: str, message: str, state: str) -> None:
    """The job raises SystemExit, returns an object of no use, or is a coroutine."""
    variables = environment(cellar, job)
    with daemon(variables, at=BEFORE) as scheduler:
        scheduler.wait_for(message)
        cellar.wait_for(f"SELECT 1 FROM cavecron_run WHERE state = '{state}'")
        assert scheduler.process.poll() is None
        assert scheduler.stop()[0] == 0


@pytest.mark.slow
def test_a_slot_runs_when_a_missing_database_is_back(cellar: CellarFile) -> None:
    """The scheduler reports the missing file at the slot, and runs the slot when the file is back."""
    variables = environment(cellar, "TICK")
    away = cellar.path.with_suffix(".away")
    with daemon(variables, at=BEFORE) as scheduler:
        cellar.wait_for("SELECT 1 FROM cavecron_job")
        cellar.path.rename(away)
        scheduler.wait_for("base introuvable")
        away.rename(cellar.path)
        scheduler.wait_for("La base répond à nouveau")
        scheduler.wait_for("rattrapage|exécuté avec succès")
        scheduler.stop()
    assert history(variables)[0]["state"] == "succeeded"
