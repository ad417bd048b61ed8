"""`cavecron history` and `cavecron health`: what they show of the ledger."""

import json
from datetime import datetime, timedelta

import pytest

from cavecron.config.settings import BUILT_IN, load
from cavecron.ledger.catch_up import register_jobs, scan
from cavecron.ledger.deliveries import Deliveries
from cavecron.ledger.models import JobCursor, RunResult
from cavecron.ledger.runs import claim_manual, record_end
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW, CellarFile
from tests.support.commands import Result
from tests.support.in_process import command
from tests.support.ledgers import HOUR, MINUTE, WEEK

REPORTS = "weekly_reports"


@pytest.fixture
def ledger(cellar: CellarFile) -> Ledger:
    """Return a ledger that has followed the default schedules for three weeks."""
    new_ledger = Ledger(database=cellar.database)
    jobs = load({}, str, BUILT_IN).jobs
    register_jobs(new_ledger, {name: job.schedule for name, job in jobs.items()}, NOW - 3 * WEEK + HOUR)
    return new_ledger


def run_command(cellar: CellarFile, *arguments: str, at: datetime | None = None, **variables: str) -> Result:
    """Run one command on the cellar's database."""
    usual = {"DATABASE_URL": f"sqlite:///{cellar.path}"}
    return command(*arguments, at=at, **usual, **variables)


def scan_reports(ledger: Ledger, now: datetime) -> None:
    """Scan for slots of the reports, as a new process does, and leave the claimed run running."""
    schedule = load({}, str, BUILT_IN).jobs[REPORTS].schedule
    scan(ledger, [JobCursor(job=REPORTS, schedule=schedule)], now)


def test_nothing_has_happened_yet(cellar: CellarFile) -> None:
    """Without a ledger, the command says that there is no history, and creates no tables."""
    assert (
        run_command(cellar, "history").out
        == "Aucun créneau n'est encore passé, et aucun job n'a été exécuté.\n"
    )
    assert run_command(cellar, "history", "--json").out == "[]\n"
    assert cellar.rows("SELECT 1 FROM sqlite_master WHERE name LIKE 'cavecron%'") == []


def test_why_was_there_no_report_on_monday(cellar: CellarFile, ledger: Ledger) -> None:
    """The output shows two slots that were missed while nothing ran, and one that was replayed."""
    scan_reports(ledger, NOW + 10 * MINUTE)
    lines = run_command(cellar, "history", REPORTS, at=NOW + 10 * MINUTE).out.splitlines()
    assert lines == [
        "2026-11-23 08:00  weekly_reports   en cours   rattrapage, démarré à 08:10:00, retard 10 min",
        "2026-11-09 08:00  weekly_reports   manqué     2 créneaux, jusqu'au 2026-11-16 08:00",
        "    un créneau plus récent a pris la place",
    ]


@pytest.mark.parametrize(
    ("ending", "lines"),
    [
        pytest.param(
            RunResult(state="failed", summary="3 envoyés", reason="refus", retry_at=NOW + 5 * MINUTE),
            ["    3 envoyés", "    refus", "    nouvelle tentative à 08:05:00"],
            id="to be retried",
        ),
        pytest.param(
            RunResult(state="interrupted", reason="arrêt demandé"),
            ["    arrêt demandé", "    reprendre : cavecron run weekly_reports --resume"],
            id="interrupted",
        ),
    ],
)
def test_the_end_of_a_run_is_shown_with_what_to_do(
    cellar: CellarFile, ledger: Ledger, ending: RunResult, lines: list[str]
) -> None:
    """The lines below a run show its summary, the reason, and what happens next or what to do."""
    record_end(ledger, claim_manual(ledger, REPORTS, (), NOW), ending, NOW + MINUTE)
    assert run_command(cellar, "history").out.splitlines()[1:] == lines


def test_repeated_mails_are_counted(cellar: CellarFile, ledger: Ledger) -> None:
    """The number of mails that were sent again is shown, and that a receiver can tell by the Message-ID."""
    claim = claim_manual(ledger, REPORTS, (), NOW)
    for _ in range(2):
        Deliveries(ledger=ledger, run=claim.run).record(now=NOW, started=["1"])
    line = "    mails au sort inconnu, envoyés à nouveau sous le même Message-ID : 1"
    assert line in run_command(cellar, "history").out.splitlines()


def test_programs_get_the_promised_names(cellar: CellarFile, ledger: Ledger) -> None:
    """The JSON output has the documented names, and instants with an offset."""
    scan_reports(ledger, NOW + 10 * MINUTE)
    run, missed = json.loads(run_command(cellar, "history", "--json", at=NOW + 10 * MINUTE).out)
    names = ("job", "slot", "trigger", "state", "started", "finished", "attempt", "summary", "reason")
    assert set(names) <= set(run)
    assert (run["slot"], run["trigger"], run["state"]) == (NOW.isoformat(), "replay", "running")
    assert (missed["state"], missed["slots"], missed["started"]) == ("missed", 2, None)


def test_a_run_of_a_killed_process_is_not_shown_as_running(cellar: CellarFile, ledger: Ledger) -> None:
    """It is shown as interrupted once its lease has expired, although no process has recorded that."""
    scan_reports(ledger, NOW + MINUTE)
    output = run_command(cellar, "history", "-n", "1", at=NOW + 5 * MINUTE).out
    assert "weekly_reports   interrompu rattrapage" in output
    assert "coupé net : son processus a été tué" in output
    assert "reprendre : cavecron run weekly_reports --resume" in output
    assert "n'est pas reprise" in run_command(cellar, "health", at=NOW + 5 * MINUTE).err


@pytest.mark.parametrize("number", ["0", "-1", "x", "1e3", "9" * 30])
def test_a_wrong_number_is_an_error(cellar: CellarFile, number: str) -> None:
    """A wrong value of `-n` gives exit code 2 and a message that says what is expected."""
    result = run_command(cellar, "history", "-n", number)
    assert result.code == 2
    assert "un nombre de 1 à 100000 est attendu" in result.err or "une valeur est attendue" in result.err


def test_the_number_of_entries_is_limited_newest_first(cellar: CellarFile, ledger: Ledger) -> None:
    """`-n` limits the entries, a name selects one job, and a misspelt name gets a suggestion."""
    for number in range(5):
        claim = claim_manual(ledger, "cleanup", (), NOW + number * HOUR)
        record_end(ledger, claim, RunResult(state="succeeded", summary=str(number)), NOW + number * HOUR)
    entries = json.loads(run_command(cellar, "history", "cleanup", "-n", "2", "--json").out)
    assert [entry["summary"] for entry in entries] == ["4", "3"]
    assert run_command(cellar, "history", REPORTS, "--json").out == "[]\n"
    assert "vouliez-vous dire cleanup ?" in run_command(cellar, "history", "clean").err


@pytest.mark.parametrize(
    ("at", "code", "message"),
    [
        pytest.param(NOW + timedelta(seconds=100), 0, "En bonne santé", id="less than two minutes"),
        pytest.param(NOW + 3 * MINUTE, 1, "weekly_reports : le créneau du 2026-11-23 08:00", id="overdue"),
    ],
)
def test_a_container_asks_whether_all_is_well(
    cellar: CellarFile, ledger: Ledger, *, at: datetime, code: int, message: str
) -> None:
    """The exit code of `health` says whether a slot is overdue, and the message says which."""
    jobs = load({}, str, BUILT_IN).jobs
    register_jobs(ledger, {}, NOW - HOUR)
    register_jobs(ledger, {name: job.schedule for name, job in jobs.items()}, NOW - HOUR)
    result = run_command(cellar, "health", at=at)
    assert (result.code, message in result.out + result.err) == (code, True)


def test_health_exits_with_1_for_any_problem(cellar: CellarFile) -> None:
    """The exit code is never another than 0 or 1, because Docker knows only these two."""
    assert run_command(cellar, "health").code == 1
    result = run_command(cellar, "health", SCHEDULER_CLEANUP_HOUR="25")
    assert (result.code, "une heure de 0 à 23" in result.err) == (1, True)
