"""The house, checked from the source: who imports whom, and what stays pure.

Each rule is a function from a parsed module to the findings in it, and is tried on a sample that breaks it
before it is held against the package. A new module needs a line in HOUSE.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from cavecron.cellar.tables import NEEDED
from cavecron.demo import schema
from tests.commands import ROOT
from tests.sources import Module, Rule, findings, imports, modules, package

#: A module imports only what stands above it.
HOUSE = [
    "errors",
    "french",
    "clock",
    "threads",
    "variables",
    "schedule.fields",
    "schedule.zones",
    "schedule.local",
    "schedule.slots",
    "schedule.words",
    "schedule",
    "settings",
    "log",
    "cellar",
    "cellar.access",
    "cellar.database",
    "cellar.maturity",
    "cellar.report",
    "cellar.draft",
    "cellar.tables",
    "cellar.reader",
    "cellar.smtp_config",
    "cellar.logs",
    "mail",
    "mail.wording",
    "mail.text",
    "mail.html",
    "mail.message",
    "mail.letter",
    "mail.trouble",
    "mail.dial",
    "mail.tongue",
    "mail.wire",
    "mail.diagnosis",
    "mail.smtp",
    "mail.outbox",
    "mail.sorting",
    "mail.pace",
    "mail.crew",
    "mail.dispatch",
    "mail.post",
    "ledger",
    "ledger.values",
    "ledger.turn",
    "ledger.owners",
    "ledger.store",
    "ledger.claims",
    "ledger.looking",
    "ledger.deliveries",
    "ledger.history",
    "jobs",
    "jobs.registry",
    "jobs.calling",
    "jobs.loading",
    "jobs.notice",
    "jobs.mailing",
    "jobs.weekly_reports",
    "jobs.cleanup",
    "notify",
    "endings",
    "sentences",
    "runner",
    "environment",
    "export",
    "export.fields",
    "export.plan",
    "export.kubernetes",
    "export.systemd",
    "export.crontab",
    "daemon",
    "virtual",
    "simulate",
    "check",
    "demo",
    "demo.schema",
    "demo.households",
    "demo.cellar",
    "usage",
    "arguments",
    "signals",
    "commands",
    "commands.run",
    "commands.scheduler",
    "commands.next",
    "commands.history",
    "commands.health",
    "commands.preview",
    "commands.check",
    "commands.demo",
    "commands.simulate",
    "commands.export",
    "cli",
    "__main__",
]

#: Time is an argument here, and effects are somebody else's.
PURE = frozenset(
    {
        *(name for name in HOUSE if name.startswith(("schedule", "export"))),
        *("french", "variables", "settings", "cellar.maturity", "cellar.report", "cellar.draft"),
        *("mail.wording", "mail.text", "mail.html", "mail.message"),
        *("mail.trouble", "mail.letter", "mail.sorting", "mail.pace", "ledger.values", "errors", "usage"),
    }
)
IMPURE_IMPORTS = frozenset(
    {"asyncio", "os", "time", "sqlite3", "smtplib", "logging", "random", "socket", "subprocess", "threading"}
)
#: Functions without effects that live beside an edge.
PURE_FUNCTIONS = frozenset({"cavecron.cellar.database:read_utc", "cavecron.cellar.database:utc_text"})
#: The clock, and the shell around the core.
ASYNC = frozenset({"clock", "runner", "daemon", "virtual", "commands.run", "commands.scheduler"})
#: Cave à Vin's tables are known here, and made here for the demonstration.
KNOWS_TABLES = ("cellar.", "demo.")


def imported_modules(module: Module) -> Iterator[str]:
    """Yield the modules of ours that it imports, by their names in HOUSE."""
    for imported in imports(module):
        source, _, name = imported.partition(":")
        if source.split(".")[0] == "cavecron":
            inner = ".".join((*source.split(".")[1:], name)).strip(".")
            yield inner if inner in HOUSE else source.removeprefix("cavecron").strip(".")


def imports_from_below(module: Module) -> Iterator[str]:
    """Find imports of what stands below, of what has no place, and relative ones."""
    above = HOUSE[: HOUSE.index(module.name)]
    yield from (f"relative import: {name}" for name in imports(module) if name.startswith("."))
    yield from (f"imports {name}" for name in imported_modules(module) if name and name not in above)


def impurities(module: Module) -> Iterator[str]:
    """Find imports with effects, imports of edges, and looks at the time or at files."""
    yield from (f"imports {name}" for name in imports(module) if re.split("[.:]", name)[0] in IMPURE_IMPORTS)
    for name in imports(module):
        of_ours = name.startswith("cavecron.") and name not in PURE_FUNCTIONS
        inner = name.removeprefix("cavecron.").replace(":", ".")
        if of_ours and not inner.startswith((*PURE, "errors.")) and inner not in PURE:
            yield f"imports from an edge: {name}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in {"now", "today", "utcnow", "open", "read_text", "read_bytes", "exists", "print"}:
                yield f"calls {called}()"


def foreign_tables(module: Module) -> Iterator[str]:
    """Find SQL in string constants that names a table of the application."""
    tables = "|".join(sorted({*NEEDED, *re.findall(r'CREATE TABLE "?(\w+)', "".join(schema.TABLES))}))
    sql = re.compile(rf'\b(?:FROM|INTO|UPDATE|JOIN|TABLE|EXISTS)\s+["\[`]?(?:{tables})\b', re.IGNORECASE)
    for node in ast.walk(module.tree):
        text = _text_of(node)
        if sql.search(text):
            yield f"line {getattr(node, 'lineno', '?')} knows a table: {text[:60]!r}"


def _text_of(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(part) or "…" for part in node.values)
    return ""


def asynchronous(module: Module) -> Iterator[str]:
    """Find async functions and whatever awaits."""
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    yield from (f"line {node.lineno} is async" for node in ast.walk(module.tree) if isinstance(node, kinds))


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (imports_from_below, "errors", "import cavecron.settings"),
        (imports_from_below, "errors", "from cavecron import settings"),
        (imports_from_below, "settings", "def f():\n    from cavecron.runner import carry_out"),
        (imports_from_below, "cellar.maturity", "from cavecron.cellar.draft import Draft"),
        (imports_from_below, "cellar.maturity", "from cavecron.nowhere import x"),
        (imports_from_below, "cli", "from . import errors"),
        (impurities, "settings", "import os"),
        (impurities, "settings", "from os.path import join"),
        (impurities, "settings", "from datetime import datetime\nx = datetime.now()"),
        (impurities, "mail.message", "from cavecron.mail.smtp import SmtpTransport"),
        (impurities, "cellar.draft", "from cavecron.cellar.database import Database"),
        (foreign_tables, "runner", "q = 'SELECT 1 FROM email_log'"),
        (foreign_tables, "runner", "q = f'DELETE FROM \"user\" WHERE {x}'"),
        (foreign_tables, "runner", "q = 'SELECT 1 FROM a JOIN wine_insight'"),
        (asynchronous, "settings", "async def f(): pass"),
    ],
)
def test_a_broken_rule_is_found(rule: Rule, name: str, source: str) -> None:
    """Each rule is seen to find something before its silence means anything."""
    assert findings(rule, [Module(name=name, source=source)])


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (imports_from_below, "settings", "import re\nfrom cavecron.errors import CavecronError"),
        (imports_from_below, "cli", "from cavecron import __version__"),
        (impurities, "cellar.draft", "from cavecron.cellar.database import read_utc"),
        (foreign_tables, "runner", "x = 'email_log'; q = 'SELECT 1 FROM cavecron_runs'"),
    ],
)
def test_what_keeps_the_rule_is_left_alone(rule: Rule, name: str, source: str) -> None:
    """A rule that finds something everywhere says nothing either."""
    assert not findings(rule, [Module(name=name, source=source)])


def test_every_module_has_its_place_in_the_house() -> None:
    """A module that HOUSE lacks would be checked by nobody; and HOUSE names nothing that is gone."""
    assert sorted(module.name for module in package()) == sorted(HOUSE)
    assert set(HOUSE) >= PURE | ASYNC


def test_imports_go_one_way() -> None:
    """A file imports only what stands above it in HOUSE."""
    assert not findings(imports_from_below, (module for module in package() if module.name in HOUSE))


def test_the_package_itself_imports_nothing_of_its_own() -> None:
    """`from cavecron import job` is resolved on first use: a short command does not pay for it."""
    (door,) = (module for module in modules(ROOT / "cavecron") if not module.name)
    at_the_top = Module(name="", source="\n".join(ast.unparse(node) for node in _unguarded(door.tree)))
    assert not list(imported_modules(at_the_top))


def _unguarded(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield what is executed on import."""
    for node in tree.body:
        guarded = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not guarded and not isinstance(node, ast.FunctionDef):
            yield node


def test_pure_modules_are_pure() -> None:
    """No clock, no file, no database, no server: what they need is an argument."""
    assert not findings(impurities, (module for module in package() if module.name in PURE))


def test_only_the_cellar_knows_the_applications_tables() -> None:
    """When Cave à Vin changes a table, one folder changes."""
    others = (module for module in package() if not module.name.startswith(KNOWS_TABLES))
    assert not findings(foreign_tables, others)


def test_async_stays_in_the_clock_and_the_shell() -> None:
    """The core can be called from anywhere."""
    assert not findings(asynchronous, (module for module in package() if module.name not in ASYNC))
