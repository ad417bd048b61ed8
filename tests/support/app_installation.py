"""An application database with two users, and running cavecron on it at a chosen instant."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from tests.support.app_database import NOW, CellarFile
from tests.support.commands import Result
from tests.support.in_process import live_command

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class AppInstallation:
    """An application database with two users who get reports."""

    def __init__(self, cellar: CellarFile) -> None:
        self.cellar = cellar
        self.folder = cellar.path.with_name("backups")
        self.outbox = cellar.path.with_name("outbox")
        for name in ("marie", "paul"):
            user = cellar.user(name)
            cellar.wine(user, cellar.cellar(user))

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment."""
        url = f"sqlite:///{self.cellar.path}"
        return {"DATABASE_URL": url, "CAVECRON_MAIL": f"maildir:{self.outbox}", **more}

    def run(self, *arguments: str, at: datetime = NOW) -> Result:
        """Run a command at an instant (aware)."""
        return live_command(*arguments, at=at, **self.variables())

    def backup(self, at: datetime) -> Path:
        """Make a backup; return its path."""
        assert self.run("run", "backup", at=at).code == 0
        return max(self.folder.iterdir())

    def restore(self, copy: Path, *options: str, at: datetime = NOW) -> Result:
        """Restore a backup, or list what would be lost."""
        return self.run("restore", str(copy), *options, at=at)

    @property
    def mails(self) -> int:
        """Return how many mails were sent."""
        return len(list((self.outbox / "new").iterdir())) if self.outbox.exists() else 0

    def names(self) -> list[object]:
        """Return the names of the wines in the present database."""
        with closing(sqlite3.connect(self.cellar.path)) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM wine ORDER BY id")]
