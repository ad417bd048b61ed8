"""The commands in the restricted container: read-only, no capabilities, 64 MB, mostly no network."""

import json
import re
import shutil
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cavecron.database.timestamps import utc_text
from tests.container.bases import NONROOT
from tests.container.engine import Engine
from tests.support.app_database import CellarFile
from tests.support.authority import authority
from tests.support.check_helpers import KEY, encrypted
from tests.support.commands import ROOT
from tests.support.fake_smtp.server import FakeSmtpServer

_LOGIN = ("cave", "motdepasse")
_REPORTS = ("run", "weekly_reports")


@pytest.fixture
def household(data: Path) -> Iterator[CellarFile]:
    """Yield the application's database on the volume."""
    cellar = CellarFile(data / "wine.db")
    shutil.chown(cellar.path, NONROOT, NONROOT)
    yield cellar
    cellar.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """A server's TLS context, and what a container needs to reach it: its authority and the key."""

    context: ssl.SSLContext
    volumes: Mapping[Path, str]
    environ: Mapping[str, str]

    def server(self) -> FakeSmtpServer:
        """Return a mail server without faults that requires STARTTLS and a login."""
        return FakeSmtpServer(tls="starttls", context=self.context, login=_LOGIN)


@pytest.fixture
def mailing(tmp_path: Path) -> Mailing:
    """Return an unknown authority, and secrets as files that the container can read."""
    ca, secret = authority(tmp_path), tmp_path / "key"
    secret.write_text(f"{KEY}\n")
    for path in (ca.ca_file, secret):
        path.chmod(0o444)
    return Mailing(
        context=ca.context(),
        volumes={ca.ca_file: "/run/secrets/ca.pem:ro", secret: "/run/secrets/smtp_key:ro"},
        environ={"SMTP_CA_FILE": "/run/secrets/ca.pem", "SMTP_ENCRYPTION_KEY_FILE": "/run/secrets/smtp_key"},
    )


def test_the_demonstration_writes_into_the_volume(engine: Engine, data: Path) -> None:
    """The demo writes into the volume only, because everything else is read-only."""
    result = engine.run("demo", data=data)
    assert (result.code, result.err) == (0, "")
    assert (data / "cave-demo/rapport-Claire.html").stat().st_uid == NONROOT
    assert len(list((data / "cave-demo/courrier/new").iterdir())) == 10


def test_everything_is_checked(engine: Engine, household: CellarFile, data: Path, mailing: Mailing) -> None:
    """`check` uses a secret from a file, a private authority, STARTTLS and a login."""
    household.user("marie")
    with mailing.server() as server:
        household.smtp(server.port, use_tls=1, username=_LOGIN[0], password_encrypted=encrypted(_LOGIN[1]))
        result = engine.run(
            "check", data=data, network="host", volumes=mailing.volumes, environ=mailing.environ
        )
    assert result.code == 0, result.out
    assert "STARTTLS, identifié comme cave" in result.out


def test_the_reports_go_out_encrypted(
    engine: Engine, household: CellarFile, data: Path, mailing: Mailing
) -> None:
    """The mails reach a server on this machine with an authority that only the container knows."""
    for name in ("marie", "jean", "luc"):
        household.wine(household.user(name), household.cellar(1), quantity=3)
    with mailing.server() as server:
        household.smtp(server.port, use_tls=1, username=_LOGIN[0], password_encrypted=encrypted(_LOGIN[1]))
        result = engine.run(
            *_REPORTS, data=data, network="host", volumes=mailing.volumes, environ=mailing.environ
        )
        refused = engine.run(*_REPORTS, data=data, network="host", environ={"SMTP_ENCRYPTION_KEY": KEY})
    assert result.code == 0, result.out + result.err
    assert "Rapports hebdomadaires: 3 envoyés, 0 échecs" in result.out
    assert server.copies() == {f"{name}@example.org": 1 for name in ("marie", "jean", "luc")}
    assert refused.code == 1
    assert "SMTP_CA_FILE" in refused.out


def test_the_zone_of_the_schedules_is_known_inside(engine: Engine, household: CellarFile, data: Path) -> None:
    """The log has times of that zone, from the time zones in the image."""
    household.user("marie")
    environ = {"SCHEDULER_TIMEZONE": "Pacific/Kiritimati", "CAVECRON_MAIL": "maildir:/data/courrier"}
    result = engine.run("run", "weekly_reports", data=data, environ=environ)
    local_now = datetime.now(UTC) + timedelta(hours=14)
    assert result.code == 0, result.out
    assert f"{local_now:%Y-%m-%d}" in result.out


def test_old_rows_are_deleted(engine: Engine, household: CellarFile, data: Path) -> None:
    """SQLite sorts many rows although there is no folder for temporary files."""
    stamp = utc_text(datetime.now(UTC) - timedelta(days=365))
    household.user("marie")
    household.execute("BEGIN")
    for _ in range(20_000):
        household.execute(
            "INSERT INTO activity_log (user_id, action, created_at) VALUES (1, 'x', ?)", (stamp,)
        )
    household.execute("COMMIT")
    result = engine.run("run", "cleanup", data=data)
    assert result.code == 0, result.out
    assert "activity_log 20000" in result.out
    assert household.rows("SELECT count(*) FROM activity_log") == [(0,)]


@pytest.mark.parametrize("arguments", [["next", "--json"], ["history", "--json"]], ids=["next", "history"])
def test_the_plan_and_the_past_can_be_asked_for(
    engine: Engine, household: CellarFile, data: Path, arguments: list[str]
) -> None:
    """`next` and `history` work in the container."""
    household.user("marie")
    engine.run("run", "cleanup", data=data)
    result = engine.run(*arguments, data=data)
    assert result.code == 0, result.err
    assert {entry["job"] for entry in json.loads(result.out)} >= {"cleanup"}


_MODULES = (ROOT / "packaging/modules-in.txt").read_text(encoding="ascii").split()
_OWN_JOB = f"""
import importlib
import ssl
import sys

from cavecron import Run, job


@job("inventory", title="inventaire", day="mon", hour=9)
def inventory(run: Run) -> str:
    for name in {_MODULES!r}:
        importlib.import_module(name)
    with run.database.reading() as connection:
        (count,) = connection.execute("SELECT count(*) FROM wine").fetchone()
    run.send(to="marie@example.org", subject="Inventaire", text=f"{{count}} vins")
    known = len(ssl.create_default_context().get_ca_certs())
    return f"{{count}} vins, {{known}} autorités, asserts {{'ignorés' if sys.flags.optimize else 'actifs'}}"
"""


def test_a_job_of_ones_own_runs_inside(
    engine: Engine, household: CellarFile, data: Path, tmp_path: Path
) -> None:
    """A job is mounted read-only; all promised modules and the public authorities exist in the image."""
    household.wine(household.user("marie"), household.cellar(1))
    path = tmp_path / "inventory.py"
    path.write_text(_OWN_JOB, encoding="utf-8")
    result = engine.run(
        "run", "inventory", data=data, volumes={path: "/jobs/inventory.py:ro"},
        environ={"CAVECRON_JOBS": "/jobs/inventory.py", "CAVECRON_MAIL": "maildir:/data/courrier"},
    )  # fmt: skip
    assert result.code == 0, result.out + result.err
    match = re.search(r"1 vins, (\d+) autorités, asserts actifs", result.out)
    assert match is not None, result.out
    assert int(match[1]) > 100
    assert len(list((data / "courrier/new").iterdir())) == 1


def test_another_user_can_be_chosen(engine: Engine, household: CellarFile, data: Path) -> None:
    """Another user works, as on a NAS where the folder belongs to somebody (`user:` in compose)."""
    household.user("marie")
    for path in (data, household.path):
        shutil.chown(path, 1026, 100)
    assert "n° 65532" in engine.run("check", data=data).out
    result = engine.run("run", "cleanup", data=data, user="1026:100")
    assert result.code == 0, result.out
