"""An environment in which README.md can be followed: an empty folder, a database, and a mail server."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from threading import Timer

from cryptography.fernet import Fernet

from cavecron.database.timestamps import utc_text
from cavecron.demo.cellar import create
from tests.support.authority import authority
from tests.support.commands import ROOT, environment
from tests.support.fake_smtp.server import FakeSmtpServer

_LOGIN = ("cave@example.org", "sésame")
_SMTP = (
    "INSERT INTO smtp_config (name, host, port, username, password_encrypted, use_tls, use_ssl, sender_email,"
    " sender_name, timeout, is_active, is_default, created_at, updated_at) VALUES"
    " ('maison', '127.0.0.1', ?, ?, ?, 1, 0, ?, 'Cave à Vin', 10, 1, 1, ?, ?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The person stands in `folder`; the page's /data is `data`; `state` keeps what they export."""

    folder: Path
    data: Path
    state: Path
    server: FakeSmtpServer

    def run(self, command: str) -> tuple[int, str]:
        """Run a command of the page; return its exit code and all that it printed."""
        with self._started(f"trap 'export -p >\"{self.state}\"' EXIT\n{command}") as process:
            printed, _ = process.communicate(timeout=60)
        return process.returncode, self._on_the_page(printed)

    def run_until(self, command: str, *, lines: int) -> str:
        """Run a command that does not end, stop it after so many lines, and return its output."""
        with self._started(f"exec {command}") as process:
            assert process.stdout
            limit = Timer(60, process.kill)
            limit.start()
            printed = "".join(islice(process.stdout, lines))
            process.terminate()
            printed += process.stdout.read()
            limit.cancel()
        assert process.returncode == 0
        return self._on_the_page(printed)

    def _started(self, script: str) -> "subprocess.Popen[str]":
        here = re.sub(r"/data\b", str(self.data), script)
        return subprocess.Popen(
            ["bash", "-uc", f'. "{self.state}"\n{here}'],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def _on_the_page(self, printed: str) -> str:
        return printed.replace(str(self.data), "/data")


@contextmanager
def sandbox_in(top: Path) -> Iterator[Sandbox]:
    """Yield a sandbox below `top`, with the command `cavecron` in its PATH."""
    folder, data, state, programs = (top / name for name in ("empty", "data", "state", "bin"))
    for made in (folder, data, programs):
        made.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    (programs / "cavecron").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cavecron "$@"\n')
    (programs / "cavecron").chmod(0o755)
    trusted = authority(top)
    variables = environment(PATH=f"{programs}:{os.environ['PATH']}", SMTP_CA_FILE=str(trusted.ca_file))
    state.write_text("".join(f"export {name}='{value}'\n" for name, value in variables.items()))
    with FakeSmtpServer(tls="starttls", context=trusted.context(), login=_LOGIN) as server:
        _fill(data, server.port)
        yield Sandbox(folder=folder, data=data, state=state, server=server)


def _fill(data: Path, port: int) -> None:
    """Create the sample database with a mail configuration, and the key to its password."""
    key = Fernet.generate_key()
    (data / "smtp.key").write_bytes(key)
    now = datetime.now(UTC)
    create(data / "wine.db", now)
    name, password = _LOGIN
    locked = Fernet(key).encrypt(password.encode()).decode()
    with closing(sqlite3.connect(data / "wine.db", isolation_level=None)) as connection:
        connection.execute(_SMTP, (port, name, locked, name, utc_text(now), utc_text(now)))
