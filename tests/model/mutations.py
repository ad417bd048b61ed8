"""Each rule of the scheduler is broken once: the model has to notice it.

`python -m tests.model.mutations` copies the project, breaks one rule at a time in the copy, and simulates
scenarios there. It prints the first violation for each rule, and exits with 1 if one was not noticed.
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

#: The largest number of scenarios for each broken rule.
_SCENARIOS = 600

_SCHEDULER, _QUEUE, _SLOTS = "scheduler/scheduler.py", "scheduler/scan_queue.py", "schedule/slots.py"
_FINISH, _LEASE = "scheduler/finish.py", "scheduler/lease.py"
_SCAN, _RUNS, _TABLES = "ledger/catch_up.py", "ledger/runs.py", "ledger/tables.py"
_LEASES = "ledger/leases.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A rule, and the edits that break it: in a file below `cavecron`, right source is replaced by wrong.

    Both are Python, an expression or a statement; their layout does not matter. `first` is the seed to begin
    with: the first scenario that noticed the mutation when it was written.
    """

    rule: str
    first: int
    edits: tuple[tuple[str, str, str], ...]


def _mutation(first: int, rule: str, *edit: str) -> Mutation:
    return Mutation(rule=rule, first=first, edits=tuple(zip(edit[::3], edit[1::3], edit[2::3], strict=True)))


MUTATIONS = (
    # Promise 1: every slot is accounted for.
    _mutation(
        1,
        "every slot that passed is recorded",
        _SCAN,
        "parts = list(self._unaccounted(slots)) if slots else []",
        "parts = []",
    ),
    _mutation(
        1,
        "all slots that passed are recorded, not only the latest",
        _SLOTS,
        "slots_between(schedule, since, latest - timedelta.resolution)",
        "None",
    ),
    _mutation(
        1,
        "a scan continues where the last one ended",
        _SCAN,
        "since = max((until for until in (stored, self.cursor.accounted_until) if until), default=self.now)",
        "since = self.now",
    ),
    _mutation(
        39,
        "a slot counts as run by its own run, not by one under a clock ahead",
        _SCAN,
        "slots_that_ran(self.connection, self.cursor.job, slots.due, slots.due)",
        "slots_that_ran(self.connection, self.cursor.job, slots.due, slots.due + 9999 * GRACE)",
    ),
    _mutation(
        36,
        "a slot that ran is not recorded as missed",
        _SCAN,
        "run_slots = slots_that_ran(self.connection, self.cursor.job, slots.first, slots.last)",
        "run_slots = []",
    ),
    _mutation(
        39,
        "a clock that was set back is noticed",
        _QUEUE,
        "now < expected - _STEP_BACK",
        "False",
    ),
    _mutation(
        38, "the clock is read twice a minute", "clock.py", "LONGEST_SLEEP = 30.0", "LONGEST_SLEEP = 9e4"
    ),
    _mutation(
        9,
        "a database that was unavailable is tried again",
        _SCHEDULER,
        "self._queue.add(state, now + RETRY_PAUSE)",
        "None",
    ),
    # Promise 2: no slot runs twice.
    _mutation(
        1,
        "a slot that ran is not claimed again (unique index)",
        _SCAN,
        "slots.due is None or slots_that_ran(self.connection, self.cursor.job, slots.due, slots.due)",
        "slots.due is None",
        _TABLES,
        'f"UNIQUE INDEX {{}} ON cavecron_run (job, slot) WHERE {SLOT_RUN}"',
        'f"INDEX {{}} ON cavecron_run (job, slot) WHERE {SLOT_RUN}"',
    ),
    _mutation(
        1,
        "a run with a final result is not resumed",
        _SCAN,
        "latest is None or latest.is_settled",
        "latest is None",
    ),
    _mutation(
        74,
        "a result that cannot be recorded is recorded later",
        _FINISH,
        "is_over or not can_retry or isinstance(error, LeaseLostError)",
        "True",
    ),
    _mutation(
        4,
        "one run of a job at a time",
        _LEASES,
        "return LeaseState.VALID",
        "return LeaseState.OWNER_DEAD",
    ),
    _mutation(
        122,
        "a run by hand is refused beside another one",
        _RUNS,
        "lease_is_valid(run, ledger, now)",
        "False",
    ),
    _mutation(
        4,
        "a lease is renewed",
        _LEASE,
        "ledger.lease.total_seconds() / _RENEWALS",
        "ledger.lease.total_seconds() * 99",
    ),
    _mutation(
        10,
        "a run whose lease has expired is not taken over at once",
        _SCAN,
        "_LEASE_PATIENCE = timedelta(seconds=15)",
        "_LEASE_PATIENCE = timedelta()",
    ),
    _mutation(
        7,
        "a process that cannot be seen does not count as dead",
        _LEASES,
        'lease is None or owner == "dead"',
        'lease is None or owner != "alive"',
    ),
    _mutation(
        5,
        "an attempt that gets no thread ends as failed",
        "scheduler/runner.py",
        "error = failure",
        "raise failure",
    ),
    # Promise 3: a slot missed by less than an hour runs late, once.
    _mutation(
        1, "a slot an hour late is missed", _SLOTS, "now - latest >= GRACE", "now - latest >= 24 * GRACE"
    ),
    _mutation(
        4,
        "a slot less than an hour late runs",
        _SLOTS,
        "now - latest >= GRACE",
        "now - latest >= GRACE / 2",
    ),
    _mutation(
        10,
        "no run is resumed after an hour",
        _SCAN,
        "self.now - latest.slot >= GRACE",
        "self.now - latest.slot >= 24 * GRACE",
    ),
    # Promise 4: only slots that were really missed count as missed.
    _mutation(
        14,
        "a job seen for the first time has missed nothing",
        _SCAN,
        "_store_cursor(connection, name, identity, now)",
        "_store_cursor(connection, name, identity, now - GRACE)",
    ),
    _mutation(
        192,
        "a changed schedule has missed nothing",
        _SCAN,
        'registered.get(name, "") != identity',
        "name not in registered",
    ),
    _mutation(
        192,
        "a disabled job misses nothing",
        _SCAN,
        'registered.get(name, "") != identity',
        'schedule and registered.get(name, "") != identity',
    ),
    _mutation(
        20,
        "after the clock was set back, slots count from now on",
        _SCAN,
        "since > latest",
        "False",
    ),
    _mutation(
        77,
        "a slot that is in the future again is not missed",
        _SCAN,
        "retract_missed(self.connection, self.ledger, job, latest, schedule=schedule)",
        "None",
    ),
    _mutation(9, "a clock of 1970 is refused", _SCAN, "now < _EARLIEST", "False"),
)


def main() -> int:
    """Try each mutation; return 1 if any was not noticed."""
    unnoticed = 0
    for mutation in MUTATIONS:
        violation = noticed_violation(mutation)
        unnoticed += not violation
        print(f"{mutation.rule}: {violation or 'NOT FOUND'}", flush=True)
    return min(unnoticed, 1)


def noticed_violation(mutation: Mutation) -> str:
    """Return the first violation that the model finds in a copy with the mutation, or '' if it finds none."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("cavecron", "tests"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for file, right, wrong in mutation.edits:
            path = copy / "cavecron" / file
            source = path.read_text(encoding="utf-8")
            path.write_text(mutated_source(source, right, wrong), encoding="utf-8")
        seeds = f"{mutation.first}-{mutation.first + _SCENARIOS}"
        result = subprocess.run(
            [sys.executable, "-m", "tests.model", "--first", seeds],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
    violation = result.stdout.splitlines()[0] if result.stdout else ""
    if result.returncode == 0:
        return ""
    assert re.match(r"\d+: ", violation), f"no finding: {result.stdout}{result.stderr}"
    return violation[:120]


class _Replacement(ast.NodeTransformer):
    """Replaces one piece of syntax by another wherever it occurs."""

    def __init__(self, right: str, wrong: str) -> None:
        self._right, self._wrong = ast.dump(_syntax(right)), _syntax(wrong)
        self.count = 0

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Replace a node, or visit its children."""
        if ast.dump(node) != self._right:
            return super().generic_visit(node)
        self.count += 1
        return self._wrong


def mutated_source(source: str, right: str, wrong: str) -> str:
    """Return the source of a module in which the one occurrence of `right` is replaced by `wrong`."""
    tree, replacement = ast.parse(source), _Replacement(right, wrong)
    tree = replacement.visit(tree)
    assert replacement.count == 1, f"{replacement.count} occurrences of {right}"
    return ast.unparse(ast.fix_missing_locations(tree))


def _syntax(text: str) -> ast.AST:
    """Return the expression that the text is, or else the statement."""
    (statement,) = ast.parse(text).body
    return statement.value if isinstance(statement, ast.Expr) else statement


if __name__ == "__main__":
    sys.exit(main())
