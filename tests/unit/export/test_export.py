"""The exported definitions for other engines, each checked with the engine's own tools."""

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from cronsim import CronSim
from crontab import CronTab

from cavecron.config.settings import load, variables
from cavecron.export import crontab, kubernetes
from cavecron.export.fields import calendar, expression, is_exact
from cavecron.export.plan import Plan, plan
from cavecron.export.systemd import units
from cavecron.schedule import next_slot, parse
from tests.support.commands import Result
from tests.support.in_process import command

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
_PARIS = ZoneInfo("Europe/Paris")
_SECRET = "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyMTI="
_PING = "https://ping.example.org/4b1d-secret"
_SCHEDULES = [
    "0 8 * * mon", "30 2 * * *", "*/15 * * * *", "0 */6 * * 1-5", "5 4 1,15 * *", "0 9 13 * 5", "@weekly",
    "@hourly", "0 3 * jan,jul sun-tue", "59 23 31 12 *", "7-11 3 * * 7", "0 8 * * 0,6", "10/20 5 * * *",
]  # fmt: skip
_INEXACT = ["0 9 L * *", "0 9 * * 1#2", "0 9 * * 5L", "0 9 */2 * mon"]
_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="apt-get install systemd")


def _plan(**environ: str) -> Plan:
    """Return the plan of an environment."""
    return plan(
        load(environ, lambda path: _SECRET),
        environ,
        titles={"weekly_reports": "envoi des rapports hebdomadaires", "cleanup": "nettoyage"},
        variables=variables(),
        now=NOW,
        program=Path("/usr/local/bin/cavecron"),
        version="1.2.3",
    )


def _export(engine: str, *options: str, **environ: str) -> Result:
    environ["SMTP_ENCRYPTION_KEY"] = _SECRET
    return command("export", engine, *options, at=None, **environ)


@pytest.mark.parametrize("text", _SCHEDULES)
def test_every_cron_reads_the_same_slots(text: str) -> None:
    """The expression has only numbers, and cronsim computes from it the same slots as cavecron."""
    schedule = parse(text, _PARIS)
    assert is_exact(schedule)
    assert re.fullmatch(r"[0-9*/,\- ]+", expression(schedule))
    assert "7" not in expression(schedule).split()[4]
    at = NOW
    for call in islice(CronSim(expression(schedule), NOW.astimezone(_PARIS)), 20):
        slot = next_slot(schedule, at)
        assert slot is not None
        assert call == slot
        at = slot


@pytest.mark.parametrize("text", _INEXACT)
def test_a_schedule_that_cron_cannot_express_is_called_more_often(text: str) -> None:
    """Each slot is among the calls; `run --due` finds nothing to run at the others."""
    schedule = parse(text, _PARIS)
    assert not is_exact(schedule)
    calls = set(islice(CronSim(expression(schedule), NOW.astimezone(_PARIS)), 400))
    at = NOW
    while (slot := next_slot(schedule, at)) and slot < NOW + timedelta(days=365):
        assert slot in calls
        at = slot
    for render in (crontab.render, kubernetes.render):
        assert f"« {text} » ne s'écrit pas" in render(_plan(SCHEDULER_CLEANUP_CRON=text))


@_systemd
@pytest.mark.parametrize("text", [*_SCHEDULES, "0 9 */2 * mon"])
def test_systemd_elapses_when_a_slot_comes(text: str) -> None:
    """The calculation of systemd gives the same instants several times in a row."""
    schedule = parse(text, _PARIS)
    lines = calendar(schedule)
    elapses = sorted({at for line in lines for at in _elapses(line)})[:5]
    at = NOW
    for elapse in elapses:
        slot = next_slot(schedule, at)
        assert slot is not None
        assert elapse == slot
        at = slot


def _elapses(line: str) -> list[datetime]:
    output = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=5", f"--base-time={NOW:%Y-%m-%d %H:%M:%S} UTC", line],
        check=True, capture_output=True, text=True, env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
    ).stdout  # fmt: skip
    instants = re.findall(r"(?:Next elapse|Iter\w*\.? #\d+): \w+ (\S+ \S+) UTC", output)
    assert len(instants) == 5, output
    return [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in instants]


def _documents(**environ: str) -> list[dict[str, Any]]:
    result = _export("kubernetes", **environ)
    assert result.code == 0, result.err
    return [document for document in yaml.safe_load_all(result.out) if document]


@pytest.mark.slow  # not slow, but its schemas have 108 MB, which the usual tests should not need
def test_kubernetes_accepts_the_cron_jobs() -> None:
    """Each is valid by the schema of the API, which allows no unknown fields."""
    validator = pytest.importorskip("kubernetes_validate")
    documents = _documents(SCHEDULER_WEEKLY_REPORT_PING_URL=_PING, DATABASE_URL="sqlite:////cave/é \"'.db")
    assert [document["metadata"]["name"] for document in documents] == [
        "cavecron-weekly-reports",
        "cavecron-cleanup",
    ]
    for document in documents:
        validator.validate(document, validator.latest_version(), strict=True)


def test_a_cron_job_has_a_zone_and_limits() -> None:
    """The zone, a deadline under an hour and no overlap keep slots from running late or twice."""
    report, _cleanup = _documents(
        SCHEDULER_TIMEZONE="America/Montreal", SCHEDULER_WEEKLY_REPORT_TIMEOUT="600"
    )
    spec = report["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 8 * * 1", "America/Montreal")
    assert spec["startingDeadlineSeconds"] == 3540
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    assert (job["activeDeadlineSeconds"], job["backoffLimit"]) == (660, 3)
    (container,) = job["template"]["spec"]["containers"]
    assert container["args"] == ["run", "--due", "weekly_reports"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    values = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert values["SCHEDULER_TIMEZONE"] == "America/Montreal"
    assert values["SCHEDULER_WEEKLY_REPORT_TIMEOUT"] == "600"


@pytest.mark.parametrize("engine", ["kubernetes", "systemd", "crontab"])
def test_secrets_are_named_and_never_shown(engine: str) -> None:
    """The names of variables that contain a secret are shown, and the values of other variables."""
    result = _export(
        engine,
        SCHEDULER_CLEANUP_PING_URL=_PING,
        CAVECRON_ALERT_TO="marie@example.org",
        SCHEDULER_CLEANUP_HOUR="4",
    )
    assert result.code == 0, result.err
    assert _SECRET not in result.out
    assert "4b1d" not in result.out
    for name in ("SMTP_ENCRYPTION_KEY", "SCHEDULER_CLEANUP_PING_URL", "marie@example.org"):
        assert name in result.out


@_systemd
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """Percent signs, quotes and backslashes are escaped, and each unit has its own file."""
    awkward = {"DATABASE_URL": r"sqlite:////srv/100% \"vin\"/wine.db", "CAVECRON_ALERT_TO": "a@example.org"}
    result = _export("systemd", "-o", str(tmp_path), SCHEDULER_WEEKLY_REPORT_CRON="0 9 13 * 5", **awkward)
    assert result.code == 0, result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"cavecron-{job}.{kind}" for job in ("cleanup", "weekly-reports") for kind in ("service", "timer")
    ]
    for path in tmp_path.glob("*.service"):
        path.write_text(path.read_text().replace("=/usr/local/bin/cavecron", "=/bin/true"))
    verification = subprocess.run(
        ["systemd-analyze", "verify", *sorted(tmp_path.glob("*.timer"))],
        check=False, capture_output=True, text=True, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    assert (verification.returncode, verification.stdout + verification.stderr) == (0, "")


@_systemd
def test_the_services_of_the_timers_are_hardened(tmp_path: Path) -> None:
    """Their exposure score is below the limit that the example of the daemon has too."""
    path = tmp_path / "cavecron-cleanup.service"
    path.write_text(units(_plan())[path.name])
    result = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-500:]


def test_a_crontab_is_valid() -> None:
    """A parser of crontabs reads the variables, and one line for each job."""
    result = _export("crontab", SCHEDULER_TIMEZONE="Asia/Tokyo", SCHEDULER_CLEANUP_CRON="@daily")
    assert result.code == 0, result.err
    table = CronTab(tab=result.out)
    assert [(str(job.slices), job.command) for job in table] == [
        ("0 8 * * 1", "/usr/local/bin/cavecron run --due weekly_reports"),
        (
            "0 0 * * *" if str(list(table)[1].slices) != "@daily" else "@daily",
            "/usr/local/bin/cavecron run --due cleanup",
        ),
    ]
    assert all(job.is_valid() for job in table)
    variables = {name: value for job in table for name, value in job.env.items()} | dict(table.env)
    assert variables["CRON_TZ"] == "Asia/Tokyo"
    assert variables["SMTP_ENCRYPTION_KEY_FILE"] == "/etc/cavecron/SMTP_ENCRYPTION_KEY"


@pytest.mark.parametrize("engine", ["kubernetes", "systemd", "crontab"])
def test_a_clock_change_that_moves_a_slot_is_in_a_comment(engine: str) -> None:
    """The date in the coming year is shown; a slot at eight in the morning has no such note."""
    night = _export(engine, SCHEDULER_CLEANUP_HOUR="2", SCHEDULER_CLEANUP_MINUTE="30").out
    assert "l'heure de printemps saute 02:30 : à 03:00" in night
    assert "l'heure de printemps" not in _export(engine).out


def test_disabled_jobs_are_left_out() -> None:
    """If all jobs are disabled, the exit code is 1 and a message says so."""
    assert [call.job for call in _plan(SCHEDULER_CLEANUP_ENABLED="0").calls] == ["weekly_reports"]
    without_jobs = _export("crontab", SCHEDULER_CLEANUP_ENABLED="0", SCHEDULER_WEEKLY_REPORT_ENABLED="0")
    assert without_jobs.code == 1
    assert "aucun job n'est activé" in without_jobs.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nomad"], "moteur inconnu : 'nomad' ; kubernetes, systemd, crontab sont connus"),
        (["crontab", "-o", "/tmp"], "-o écrit les unités de systemd"),
        (["systemd", "-o", "/absent/ici"], "impossible d'écrire (il n'existe pas)"),
        ([], "il manque : MOTEUR"),
    ],
    ids=["engine", "folder-of-crontab", "folder", "nothing"],
)
def test_wrong_arguments_are_an_error(arguments: list[str], message: str) -> None:
    """The exit code is not 0, and a sentence says what is wrong."""
    result = command("export", *arguments)
    assert result.code in (1, 2)
    assert message in result.err


_TITLE_WITH_LINE_BREAKS = "titre\n* * * * * root rm -rf /\r\nExecStart=/bin/false\u2028\x85kind: Pod"
_JOB = """
from cavecron import job

@job("mine", title={title!r}, cron="0 9 L * *")
def mine(run):
    pass
"""


@pytest.mark.parametrize("engine", ["kubernetes", "systemd", "crontab"])
def test_a_line_break_in_a_title_adds_no_line(engine: str, tmp_path: Path) -> None:
    """The author of a job chooses its title, which goes into comments and descriptions."""
    file = tmp_path / "jobs.py"
    outputs = []
    for title in ("titre", _TITLE_WITH_LINE_BREAKS):
        file.write_text(_JOB.format(title=title), encoding="utf-8")
        outputs.append(_export(engine, CAVECRON_JOBS=str(file)).out.splitlines())
    assert len(outputs[0]) == len(outputs[1]) > 10


@pytest.mark.parametrize("engine", ["kubernetes", "systemd", "crontab"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCHEDULER_CLEANUP_CRON", "0 3\n* * 5L"),
        ("DATABASE_URL", "sqlite:////data/a\nKind: b/wine.db"),
    ],
)
def test_a_line_break_in_a_value_adds_no_line(engine: str, name: str, value: str) -> None:
    """A crontab cannot express a line break, so there the value is refused with a message."""
    lines = _export(engine, **{name: value.replace("\n", " ")}).out.splitlines()
    result = _export(engine, **{name: value})
    if result.code:
        assert (engine, result.out) == ("crontab", "")
        assert "une crontab ne peut contenir de retour à la ligne" in result.err
    assert len(result.out.splitlines()) == (0 if result.code else len(lines))
