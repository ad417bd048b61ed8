"""Each rule of the scheduler broken once: the model has to find it.

`python -m tests.model.mutations` copies the project, breaks one rule at a time in the copy, and has some
lives lived there. It prints what found each, and exits with 1 if something went unnoticed.
"""

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.commands import ROOT

#: Lives that each broken rule gets, at most.
_LIVES = 600

_SCHEDULER, _PLAN, _SLOTS = "scheduler/scheduler.py", "scheduler/plan.py", "schedule/slots.py"
_FINISH, _LEASE = "scheduler/finish.py", "scheduler/lease.py"
_SCAN, _RUNS, _TABLES = "ledger/catch_up.py", "ledger/runs.py", "ledger/tables.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A rule, and how it is broken: in a file below `cavecron`, what is right becomes wrong.

    Both are Python, an expression or a statement: how it is laid out there is no matter.

    `first` is the seed to begin with: when this was written it was the first life that found it.
    """

    rule: str
    first: int
    edits: tuple[tuple[str, str, str], ...]


def _broken(first: int, rule: str, *edit: str) -> Mutation:
    return Mutation(rule=rule, first=first, edits=tuple(zip(edit[::3], edit[1::3], edit[2::3], strict=True)))


MUTATIONS = (
    # Promise 1: every slot is accounted for.
    _broken(
        1,
        "what passed is noted",
        _SCAN,
        "parts = list(self._unaccounted(slots)) if slots else []",
        "parts = []",
    ),
    _broken(
        1,
        "all that passed is noted, not only the latest",
        _SLOTS,
        "slots_between(schedule, since, latest - timedelta.resolution)",
        "None",
    ),
    _broken(
        1,
        "looking goes on where it ended",
        _SCAN,
        "since = max((until for until in (stored, self.cursor.accounted_until) if until), default=self.now)",
        "since = self.now",
    ),
    _broken(
        39,
        "a slot waits for its own run, not for one by a clock that was ahead",
        _SCAN,
        "slots_that_ran(self.connection, self.cursor.job, slots.due, slots.due)",
        "slots_that_ran(self.connection, self.cursor.job, slots.due, slots.due + 9999 * GRACE)",
    ),
    _broken(
        36,
        "what ran is not told as missed",
        _SCAN,
        "ran = slots_that_ran(self.connection, self.cursor.job, slots.first, slots.last)",
        "ran = []",
    ),
    _broken(
        39,
        "a step back of the clock is seen",
        _PLAN,
        "now < expected - _STEP_BACK",
        "False",
    ),
    _broken(
        38, "the clock is looked at twice a minute", "clock.py", "LONGEST_SLEEP = 30.0", "LONGEST_SLEEP = 9e4"
    ),
    _broken(
        9,
        "a database that was away is tried again",
        _SCHEDULER,
        "self._plan.add(state, now + _PAUSE)",
        "None",
    ),
    # Promise 2: no slot runs twice.
    _broken(
        1,
        "a slot that ran is not claimed again: the index",
        _SCAN,
        "slots.due is None or slots_that_ran(self.connection, self.cursor.job, slots.due, slots.due)",
        "slots.due is None",
        _TABLES,
        'f"UNIQUE INDEX {{}} ON cavecron_run (job, slot) WHERE {SLOT_RUN}"',
        'f"INDEX {{}} ON cavecron_run (job, slot) WHERE {SLOT_RUN}"',
    ),
    _broken(
        1,
        "what is settled is not taken up",
        _SCAN,
        "latest is None or latest.is_settled",
        "latest is None",
    ),
    _broken(
        74,
        "an end that cannot be noted is noted later",
        _FINISH,
        "is_over or not can_retry or isinstance(error, LeaseLostError)",
        "True",
    ),
    _broken(
        4,
        "one run of a job at a time",
        _SCAN,
        "return LeaseState.VALID",
        "return LeaseState.OWNER_DEAD",
    ),
    _broken(
        122,
        "a run by hand is refused beside another one",
        _RUNS,
        "lease_is_valid(run, ledger, now)",
        "False",
    ),
    _broken(
        4,
        "a lease is renewed",
        _LEASE,
        "ledger.lease.total_seconds() / _RENEWALS",
        "ledger.lease.total_seconds() * 99",
    ),
    _broken(
        10,
        "a lease that has run out is left alone for a while",
        _SCAN,
        "_PATIENCE = timedelta(seconds=15)",
        "_PATIENCE = timedelta()",
    ),
    _broken(
        7,
        "a process that cannot be seen is not dead",
        _SCAN,
        'lease is None or owner == "dead"',
        'lease is None or owner != "alive"',
    ),
    _broken(
        5,
        "an attempt that failed is over, for want of a thread too",
        "scheduler/runner.py",
        "error = failure",
        "raise failure",
    ),
    # Promise 3: what was missed by less than an hour is made up for, once.
    _broken(1, "an hour late is too late", _SLOTS, "now - latest >= GRACE", "now - latest >= 24 * GRACE"),
    _broken(
        4,
        "less than an hour late is made up for",
        _SLOTS,
        "now - latest >= GRACE",
        "now - latest >= GRACE / 2",
    ),
    _broken(
        10,
        "after an hour nothing is taken up",
        _SCAN,
        "self.now - latest.slot >= GRACE",
        "self.now - latest.slot >= 24 * GRACE",
    ),
    # Promise 4: only what was really missed.
    _broken(
        14,
        "a job seen for the first time has missed nothing",
        _SCAN,
        "_store_cursor(connection, name, identity, now)",
        "_store_cursor(connection, name, identity, now - GRACE)",
    ),
    _broken(
        192,
        "a changed schedule has missed nothing",
        _SCAN,
        'registered.get(name, "") != identity',
        "name not in registered",
    ),
    _broken(
        192,
        "a disabled job misses nothing",
        _SCAN,
        'registered.get(name, "") != identity',
        'schedule and registered.get(name, "") != identity',
    ),
    _broken(
        20,
        "a clock that went back starts looking from now",
        _SCAN,
        "since > latest",
        "False",
    ),
    _broken(
        77,
        "what comes again is not missed yet",
        _SCAN,
        "retract_missed(self.connection, self.ledger, job, latest, schedule=schedule)",
        "None",
    ),
    _broken(9, "a clock of 1970 is not believed", _SCAN, "now < _EARLIEST", "False"),
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
        for file, right, wrong in mutation.edits:
            path = copy / "cavecron" / file
            source = path.read_text(encoding="utf-8")
            path.write_text(broken_source(source, right, wrong), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "tests.model", "--first", f"{mutation.first}-{mutation.first + _LIVES}"],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
    finding = done.stdout.splitlines()[0] if done.stdout else ""
    if done.returncode == 0:
        return ""
    assert re.match(r"\d+: ", finding), f"no finding: {done.stdout}{done.stderr}"
    return finding[:120]


class _Break(ast.NodeTransformer):
    """Puts one piece of syntax in the place of another, wherever it stands."""

    def __init__(self, right: str, wrong: str) -> None:
        self._right, self._wrong = ast.dump(_syntax(right)), _syntax(wrong)
        self.times = 0

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Replace a node, or look into it."""
        if ast.dump(node) != self._right:
            return super().generic_visit(node)
        self.times += 1
        return self._wrong


def broken_source(source: str, right: str, wrong: str) -> str:
    """Return the source of a module in which what is right there, once, is wrong."""
    tree, breaking = ast.parse(source), _Break(right, wrong)
    tree = breaking.visit(tree)
    assert breaking.times == 1, f"{breaking.times} times there: {right}"
    return ast.unparse(ast.fix_missing_locations(tree))


def _syntax(text: str) -> ast.AST:
    """Return an expression, or a statement that is more than that."""
    (statement,) = ast.parse(text).body
    return statement.value if isinstance(statement, ast.Expr) else statement


if __name__ == "__main__":
    sys.exit(main())
