"""Each rule of the scheduler broken once: the model has to find it.

`python -m tests.mutations` copies the project, breaks one rule at a time in the copy, and has some lives
lived there. It prints what found each, and exits with 1 if something went unnoticed.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.commands import ROOT

#: Lives that each broken rule gets: the first seeds of the model, at most.
_LIVES, _AT_ONCE = 240, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A rule, and how it is broken: in `file`, `right` becomes `wrong`."""

    rule: str
    file: str
    right: str
    wrong: str


MUTATIONS = (
    Mutation(
        rule="an hour late is too late",
        file="schedule/slots.py",
        right="if now - latest >= GRACE:",
        wrong="if now - latest >= 24 * GRACE:",
    ),
    Mutation(
        rule="less than an hour late is made up for",
        file="schedule/slots.py",
        right="if now - latest >= GRACE:",
        wrong="if now - latest >= GRACE / 2:",
    ),
    Mutation(
        rule="looking goes on where it ended",
        file="ledger/looking.py",
        right="since = max((known for known in (stored, self.watch.looked) if known), default=self.now)",
        wrong="since = self.now",
    ),
    Mutation(
        rule="a changed schedule has missed nothing",
        file="ledger/looking.py",
        right='if known.get(name, "") != identity:',
        wrong="if name not in known:",
    ),
    Mutation(
        rule="one run of a job at a time",
        file="ledger/looking.py",
        right="if is_held(run, self.ledger, self.now):",
        wrong="if False:",
    ),
    Mutation(
        rule="what passed is noted",
        file="ledger/looking.py",
        right="parts = list(self._unaccounted(passed_by)) if passed_by else []",
        wrong="parts: list[Gap] = []",
    ),
)


def main() -> int:
    """Try each; return how many went unnoticed, at most 1."""
    unnoticed = 0
    for mutation in MUTATIONS:
        finding = tried(mutation)
        unnoticed += not finding
        print(f"{mutation.rule}: {finding or 'NOT FOUND'}", flush=True)
    return min(unnoticed, 1)


def tried(mutation: Mutation) -> str:
    """Return what the model says of a project in which the rule is broken, '' where it finds nothing."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("cavecron", "tests"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / "cavecron" / mutation.file
        source = path.read_text(encoding="utf-8")
        assert source.count(mutation.right) == 1, f"{mutation.file} does not say: {mutation.right}"
        path.write_text(source.replace(mutation.right, mutation.wrong), encoding="utf-8")
        return next(_findings(copy), "")


def _findings(project: Path) -> Iterator[str]:
    for first in range(1, _LIVES, _AT_ONCE):
        done = subprocess.run(
            [sys.executable, "-m", "tests.model", f"{first}-{first + _AT_ONCE - 1}"],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            yield (done.stdout or done.stderr).splitlines()[0][:120]


if __name__ == "__main__":
    sys.exit(main())
