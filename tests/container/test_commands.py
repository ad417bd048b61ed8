"""The commands inside the hardened container: read-only, no capabilities, 64 MB, mostly no network."""

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
from tests.support.fake_smtp.server import HostileServer

_LOGIN = ("cave", "motdepasse")
_REPORTS = ("run", "weekly_reports")


@pytest.fixture
def house(data: Path) -> Iterator[CellarFile]:
    """Return the application's database as it lies on the volume."""
    cellar = CellarFile(data / "wine.db")
    shutil.chown(cellar.path, NONROOT, NONROOT)
    yield cellar
    cellar.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """A server's TLS context, and what a container is given to reach it: its authority and the key."""

    context: ssl.SSLContext
    volumes: Mapping[Path, str]
    environ: Mapping[str, str]

    def server(self) -> HostileServer:
        """Return an honest server that wants STARTTLS and a login."""
        return HostileServer(tls="starttls", context=self.context, login=_LOGIN)


@pytest.fixture
def mailing(tmp_path: Path) -> Mailing:
    """Return an authority that no system knows, and secrets as files that the container may read."""
    made, secret = authority(tmp_path), tmp_path / "key"
    secret.write_text(f"{KEY}\n")
    for path in (made.ca_file, secret):
        path.chmod(0o444)
    return Mailing(
        context=made.context(),
        volumes={made.ca_file: "/run/secrets/ca.pem:ro", secret: "/run/secrets/smtp_key:ro"},
        environ={"SMTP_CA_FILE": "/run/secrets/ca.pem", "SMTP_ENCRYPTION_KEY_FILE": "/run/secrets/smtp_key"},
    )


def test_the_demonstration_writes_into_the_volume(engine: Engine, data: Path) -> None:
    """And nowhere else: the rest is read-only, and there is no folder for temporary files."""
    result = engine.run("demo", data=data)
    assert (result.code, result.err) == (0, "")
    assert (data / "cave-demo/rapport-Claire.html").stat().st_uid == NONROOT
    assert len(list((data / "cave-demo/courrier/new").iterdir())) == 10


def test_everything_is_checked(engine: Engine, house: CellarFile, data: Path, mailing: Mailing) -> None:
    """The secret from a file, a private authority, STARTTLS and a login."""
    house.user("marie")
    with mailing.server() as server:
        house.smtp(server.port, use_tls=1, username=_LOGIN[0], password_encrypted=encrypted(_LOGIN[1]))
        result = engine.run(
            "check", data=data, network="host", volumes=mailing.volumes, environ=mailing.environ
        )
    assert result.code == 0, result.out
    assert "STARTTLS, identifié comme cave" in result.out


def test_the_reports_go_out_encrypted(
    engine: Engine, house: CellarFile, data: Path, mailing: Mailing
) -> None:
    """To a real server on this machine, whose authority only the container was told of."""
    for name in ("marie", "jean", "luc"):
        house.wine(house.user(name), house.cellar(1), quantity=3)
    with mailing.server() as server:
        house.smtp(server.port, use_tls=1, username=_LOGIN[0], password_encrypted=encrypted(_LOGIN[1]))
        result = engine.run(
            *_REPORTS, data=data, network="host", volumes=mailing.volumes, environ=mailing.environ
        )
        refused = engine.run(*_REPORTS, data=data, network="host", environ={"SMTP_ENCRYPTION_KEY": KEY})
    assert result.code == 0, result.out + result.err
    assert "Rapports hebdomadaires: 3 envoyés, 0 échecs" in result.out
    assert server.copies() == {f"{name}@example.org": 1 for name in ("marie", "jean", "luc")}
    assert refused.code == 1
    assert "SMTP_CA_FILE" in refused.out


def test_the_zone_of_the_schedules_is_known_inside(engine: Engine, house: CellarFile, data: Path) -> None:
    """The log's times are in it, from the time zones that travel along."""
    house.user("marie")
    environ = {"SCHEDULER_TIMEZONE": "Pacific/Kiritimati", "CAVECRON_MAIL": "maildir:/data/courrier"}
    result = engine.run("run", "weekly_reports", data=data, environ=environ)
    there = datetime.now(UTC) + timedelta(hours=14)
    assert result.code == 0, result.out
    assert f"{there:%Y-%m-%d}" in result.out


def test_old_rows_are_deleted(engine: Engine, house: CellarFile, data: Path) -> None:
    """With a sort that would not fit into memory pages alone: SQLite has no folder for temporary files."""
    old = utc_text(datetime.now(UTC) - timedelta(days=365))
    house.user("marie")
    house.execute("BEGIN")
    for _ in range(20_000):
        house.execute("INSERT INTO activity_log (user_id, action, created_at) VALUES (1, 'x', ?)", (old,))
    house.execute("COMMIT")
    result = engine.run("run", "cleanup", data=data)
    assert result.code == 0, result.out
    assert "activity_log 20000" in result.out
    assert house.rows("SELECT count(*) FROM activity_log") == [(0,)]


@pytest.mark.parametrize("arguments", [["next", "--json"], ["history", "--json"]], ids=["next", "history"])
def test_the_plan_and_the_past_can_be_asked_for(
    engine: Engine, house: CellarFile, data: Path, arguments: list[str]
) -> None:
    """`docker exec` finds the same answers as any shell."""
    house.user("marie")
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


def test_a_job_of_ones_own_runs_inside(engine: Engine, house: CellarFile, data: Path, tmp_path: Path) -> None:
    """Mounted read-only; every module that we promise is there, and the public authorities."""
    house.wine(house.user("marie"), house.cellar(1))
    path = tmp_path / "inventory.py"
    path.write_text(_OWN_JOB, encoding="utf-8")
    result = engine.run(
        "run", "inventory", data=data, volumes={path: "/jobs/inventory.py:ro"},
        environ={"CAVECRON_JOBS": "/jobs/inventory.py", "CAVECRON_MAIL": "maildir:/data/courrier"},
    )  # fmt: skip
    assert result.code == 0, result.out + result.err
    found = re.search(r"1 vins, (\d+) autorités, asserts actifs", result.out)
    assert found is not None, result.out
    assert int(found[1]) > 100
    assert len(list((data / "courrier/new").iterdir())) == 1


def test_another_user_can_be_chosen(engine: Engine, house: CellarFile, data: Path) -> None:
    """As on a NAS, where the shared folder belongs to somebody: `user:` in compose."""
    house.user("marie")
    for path in (data, house.path):
        shutil.chown(path, 1026, 100)
    assert "n° 65532" in engine.run("check", data=data).out
    result = engine.run("run", "cleanup", data=data, user="1026:100")
    assert result.code == 0, result.out
