"""The scheduler on real processes, with real signals: slots on time, kills, stops, and a late database."""

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

#: The slot of the weekly reports, a Monday, 8 o'clock in Paris; and early enough for a busy machine to start.
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
    """Return the variables of a scheduler of which only these jobs are enabled."""
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


def told(variables: Mapping[str, str], *arguments: str) -> Result:
    """Run one command to its end with these variables."""
    return cavecron(*arguments, cwd=None, prefix=(), encoding="utf-8", **variables)


def history(variables: dict[str, str]) -> list[dict[str, object]]:
    """Return what `cavecron history --json` says."""
    entries: list[dict[str, object]] = json.loads(told(variables, "history", "--json").out)
    return entries


def test_it_says_what_comes_runs_it_on_time_and_stops(cellar: CellarFile) -> None:
    """One line a job, silence, the fixed sentences at the slot, and exit code 0 at SIGTERM."""
    for name in ("marie", "paul"):
        cellar.user(name)
    variables = environment(cellar, "WEEKLY_REPORT")
    with daemon(variables, at=BEFORE) as running:
        running.wait_for(
            r"Job weekly_reports \(envoi des rapports hebdomadaires\) : chaque lundi à 08:00 ;"
            r" prochain créneau : lundi 23 novembre 2026 à 08:00"
        )
        running.wait_for("Job cleanup : désactivé")
        running.wait_for(
            r"^2026-11-23 08:00:0\d - cavecron.runner - INFO - Démarrage du job: envoi des rapports hebdo\w+$"
        )
        running.wait_for(
            r"- cavecron.jobs.weekly_reports - INFO - Rapports hebdomadaires: 2 envoyés, 0 échecs$"
        )
        running.wait_for(r"- cavecron.runner - INFO - Job weekly_reports exécuté avec succès$")
        code, seconds = running.stop()
        running.wait_for("cavecron arrêté")
    assert code == 0
    assert seconds < 5
    (entry,) = history(variables)
    assert (entry["trigger"], entry["state"], entry["slot"]) == ("slot", "succeeded", SLOT.isoformat())
    assert len(list(cellar.path.with_name("box").joinpath("new").iterdir())) == 2


def test_a_slot_missed_by_a_restart_is_made_up_for(cellar: CellarFile) -> None:
    """Once, and an hour later no more."""
    variables = environment(cellar, "WEEKLY_REPORT")
    for at in (BEFORE, SLOT + 50 * MINUTE, SLOT + 59 * MINUTE):
        with daemon(variables, at=at) as running:
            running.wait_for("prochain créneau")
            cellar.wait_for("SELECT 1 FROM cavecron_job")
            if at == SLOT + 50 * MINUTE:
                running.wait_for("rattrapage du créneau du .* à 08:00, 50 min de retard")
                running.wait_for("exécuté avec succès")
            running.stop()
    assert [entry["trigger"] for entry in history(variables)] == ["replay"]


def test_a_slot_missed_by_more_than_an_hour_is_told(cellar: CellarFile) -> None:
    """With a warning in the log, and the reason in the history."""
    variables = environment(cellar, "WEEKLY_REPORT")
    with daemon(variables, at=BEFORE) as running:
        running.wait_for("prochain créneau")
        cellar.wait_for("SELECT 1 FROM cavecron_job")
        running.kill()
    with daemon(variables, at=SLOT + 61 * MINUTE) as running:
        running.wait_for(
            r"WARNING - Job weekly_reports : créneau manqué : lundi 23 novembre 2026 à 08:00 \(trop tard"
        )
    said = told(variables, "history").out
    assert "2026-11-23 08:00  weekly_reports   manqué" in said
    assert "trop tard : 1 h 01 min de retard" in said


def test_a_killed_run_is_taken_up_again(cellar: CellarFile) -> None:
    """By the next process, when the lease of the killed one is over; the slot stays one row."""
    variables = environment(cellar, "STEPS")
    with daemon(variables, at=BEFORE) as running:
        running.wait_for("à mi-chemin")
        running.kill()
    with daemon(variables, at=SLOT + 2 * MINUTE) as running:
        running.wait_for("reprise du créneau du lundi 23 novembre 2026 à 08:00, tentative 2")
        running.wait_for("à mi-chemin")
        running.stop()
    (entry,) = history(variables)
    assert (entry["state"], entry["attempt"], entry["slot"]) == ("interrupted", 2, SLOT.isoformat())


def test_a_running_job_stops_at_its_next_safe_point(cellar: CellarFile) -> None:
    """Interrupted, free to be taken up at once by whoever starts next."""
    variables = environment(cellar, "STEPS")
    with daemon(variables, at=BEFORE) as running:
        running.wait_for("à mi-chemin")
        code, seconds = running.stop()
        running.wait_for("Job steps interrompu : arrêt demandé")
    assert code == 0
    assert seconds < 3
    with daemon(variables, at=SLOT + timedelta(seconds=20)) as running:
        running.wait_for("reprise du créneau du lundi 23 novembre 2026 à 08:00, tentative 2")


def test_a_job_that_ignores_the_stop_does_not_hold_the_process(cellar: CellarFile) -> None:
    """Its thread is left behind when the grace is over."""
    variables = environment(cellar, "DEAF", CAVECRON_STOP_GRACE="1")
    with daemon(variables, at=BEFORE) as running:
        running.wait_for("je n'entends rien")
        code, seconds = running.stop()
        running.wait_for("Job deaf interrompu : le job ignore l'arrêt")
    assert code == 0
    assert 1 <= seconds < 4


def test_a_job_that_ignores_its_time_limit_is_abandoned(cellar: CellarFile) -> None:
    """And never a second one beside it."""
    variables = environment(cellar, "DEAF", CAVECRON_STOP_GRACE="1", SCHEDULER_DEAF_TIMEOUT="1")
    with daemon(variables, at=BEFORE) as running:
        running.wait_for("Job deaf en échec : le job ignore sa durée limite")
        assert running.stop()[0] == 0
    assert history(variables)[0]["state"] == "failed"


def test_a_locked_database_does_not_hold_up_a_stop(cellar: CellarFile) -> None:
    """Somebody holds the whole file at the slot, for longer than a container waits."""
    with daemon(environment(cellar, "TICK"), at=BEFORE) as running:
        cellar.wait_for("SELECT 1 FROM cavecron_job")
        cellar.execute("BEGIN EXCLUSIVE")
        Event().wait(4)
        code, seconds = running.stop()
        cellar.execute("ROLLBACK")
    assert code == 0
    assert seconds < 4


def test_a_second_signal_ends_it_at_once(cellar: CellarFile) -> None:
    """Whoever presses Ctrl-C twice does not want to wait."""
    with daemon(environment(cellar, "DEAF"), at=BEFORE) as running:
        running.wait_for("je n'entends rien")
        running.process.send_signal(signal.SIGINT)
        running.wait_for("Arrêt demandé")
        code, seconds = running.stop(signal.SIGINT)
    assert code == 130
    assert seconds < 2


@pytest.mark.slow
def test_it_waits_for_the_application(tmp_path: Path) -> None:
    """Told once; health is not 0 until the tables are there."""
    path = tmp_path / "wine.db"
    variables = {"DATABASE_URL": f"sqlite:///{path}"}
    with daemon(variables) as running:
        running.wait_for("base introuvable : .*wine.db ; le volume est-il monté ?")
        assert told(variables, "health").code == 1
        made = CellarFile(tmp_path / "new.db")
        made.close()
        made.path.rename(path)
        running.wait_for("La base répond à nouveau")
        assert [line for line in running.lines if "introuvable" in line][1:] == []
        assert told(variables, "health").code == 0
        assert running.stop()[0] == 0


def test_it_stops_while_it_waits_for_the_application(tmp_path: Path) -> None:
    """Nothing to lose."""
    with daemon({"DATABASE_URL": f"sqlite:///{tmp_path}/wine.db"}) as running:
        running.wait_for("introuvable")
        assert running.stop()[0] == 0


def test_a_wrong_configuration_ends_it(cellar: CellarFile) -> None:
    """Exit code 2, every problem, jobs of one's own included."""
    variables = environment(cellar) | {"SCHEDULER_CLEANUP_HOUR": "25", "CAVECRON_JOBS": "/absent.py"}
    result = told(variables)
    assert result.code == 2
    assert result.err.splitlines()[0] == "cavecron : Configuration invalide : 2 problèmes"


def test_two_schedulers_share_one_database(cellar: CellarFile) -> None:
    """Each slot runs in one of them."""
    variables = environment(cellar, "STEPS", "TICK")
    with daemon(variables, at=BEFORE) as one, daemon(variables, at=BEFORE) as two:
        for running in (one, two):
            running.wait_for("prochain créneau")
        cellar.wait_for("SELECT 1 FROM cavecron_run WHERE job = 'steps' AND state = 'running'")
        cellar.wait_for("SELECT 1 FROM cavecron_run WHERE job = 'tick' AND state = 'succeeded'")
        started = [line for line in one.lines + two.lines if "Démarrage du job: pas à pas" in line]
        assert len(started) == 1
        by_hand = told(variables | faked(SLOT), "run", "steps")
        assert by_hand.code == 3
        assert "steps est déjà en cours" in by_hand.err


@pytest.mark.parametrize(
    ("job", "said", "state"),
    [
        ("CRASH", "Job crash en échec : SystemExit : plus rien ne va", "failed"),
        ("ODD", r"Job odd : une phrase \(str\) ou rien est attendu en retour, pas object", "succeeded"),
        ("TICK", "Job tick : tic", "succeeded"),
    ],
)
def test_whatever_a_job_does_the_scheduler_lives(cellar: CellarFile, job: str, said: str, state: str) -> None:
    """It raises SystemExit, returns nonsense, or is a coroutine."""
    variables = environment(cellar, job)
    with daemon(variables, at=BEFORE) as running:
        running.wait_for(said)
        cellar.wait_for(f"SELECT 1 FROM cavecron_run WHERE state = '{state}'")
        assert running.process.poll() is None
        assert running.stop()[0] == 0


@pytest.mark.slow
def test_a_database_that_was_away_is_no_accident(cellar: CellarFile) -> None:
    """At the slot it is told, and the slot is made up for when the file is back."""
    variables = environment(cellar, "TICK")
    away = cellar.path.with_suffix(".away")
    with daemon(variables, at=BEFORE) as running:
        cellar.wait_for("SELECT 1 FROM cavecron_job")
        cellar.path.rename(away)
        running.wait_for("base introuvable")
        away.rename(cellar.path)
        running.wait_for("La base répond à nouveau")
        running.wait_for("rattrapage|exécuté avec succès")
        running.stop()
    assert history(variables)[0]["state"] == "succeeded"
