"""A person who follows README.md: an empty folder, a real cellar in /data, and its mail server."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.fernet import Fernet

from cavecron.cellar.database import utc_text
from cavecron.demo.cellar import create
from tests.authority import authority
from tests.commands import environment
from tests.hostile import HostileServer

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
    server: HostileServer

    def run(self, command: str) -> tuple[int, str]:
        """Run a command of the page; return its exit code and all that it printed."""
        here = re.sub(r"/data\b", str(self.data), command)
        done = subprocess.run(
            ["bash", "-euc", f'. "{self.state}"\ntrap \'export -p >"{self.state}"\' EXIT\n{here}'],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.replace(str(self.data), "/data")


@contextmanager
def sandbox_in(top: Path) -> Iterator[Sandbox]:
    """Yield a sandbox below `top`, with the command `cavecron` in its PATH."""
    folder, data, state, programs = (top / name for name in ("empty", "data", "state", "bin"))
    for made in (folder, data, programs):
        made.mkdir()
    (programs / "cavecron").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cavecron "$@"\n')
    (programs / "cavecron").chmod(0o755)
    trusted = authority(top)
    variables = environment(PATH=f"{programs}:{os.environ['PATH']}", SMTP_CA_FILE=str(trusted.ca_file))
    state.write_text("".join(f"export {name}='{value}'\n" for name, value in variables.items()))
    with HostileServer(tls="starttls", context=trusted.context(), login=_LOGIN) as server:
        _fill(data, server.port)
        yield Sandbox(folder=folder, data=data, state=state, server=server)


def _fill(data: Path, port: int) -> None:
    """Put the sample cellar there, with a mail configuration, and the key to its password."""
    key = Fernet.generate_key()
    (data / "smtp.key").write_bytes(key)
    now = datetime.now(UTC)
    create(data / "wine.db", now)
    name, password = _LOGIN
    locked = Fernet(key).encrypt(password.encode()).decode()
    with closing(sqlite3.connect(data / "wine.db", isolation_level=None)) as connection:
        connection.execute(_SMTP, (port, name, locked, name, utc_text(now), utc_text(now)))
