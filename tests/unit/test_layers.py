"""The layers, checked from the source: which folder imports which, and which modules are pure.

Each rule is a function that yields its findings in a parsed module. It is tested on samples that break it
and then applied to the package.
"""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest

from cavecron.appdb.tables import NEEDED
from cavecron.demo import schema
from tests.support.commands import ROOT
from tests.support.sources import Module, Rule, findings, imports, modules, package

#: A folder imports only from the folders before it, and no two modules of a folder import each other.
FOLDERS = (
    *("schedule", "database", "mail", "config", "report", "ledger", "appdb", "export", "demo"),
    *("jobs", "status", "scheduler", "simulation", "cli"),
)
#: Modules beside the folders, which every folder can import.
ROOT_MODULES = frozenset({"atomic_file", "errors", "clock", "french", "lazy", "text"})

#: Folders and modules without effects; they take the time as an argument. Their headers say "Pure".
PURE = frozenset(
    {
        "appdb.exclusions",
        "cli.french_argparse",
        "config",
        "database.backup_names",
        "database.timestamps",
        "errors",
        "export",
        "french",
        "jobs.clock_guard",
        "lazy",
        "ledger.models",
        "ledger.overdue_job",
        "ledger.records",
        "ledger.states",
        "mail.delivery.limits",
        "mail.delivery.queue",
        "mail.errors",
        "mail.headers",
        "mail.message",
        "mail.models",
        "mail.smtp.auth",
        "mail.smtp.certificates",
        "mail.smtp.config",
        "mail.smtp.errors",
        "mail.smtp.redaction",
        "mail.smtp.refusal",
        "mail.transport",
        "report",
        "schedule",
        "simulation.models",
        "simulation.page",
        "simulation.timeline",
        "simulation.wording",
        "status.calendar",
        "status.charts",
        "status.coming_slots",
        "status.document",
        "status.facts",
        "status.html",
        "status.job_section",
        "status.lanes",
        "status.marks",
        "status.markup",
        "status.metrics",
        "status.past_slots",
        "status.phrases",
        "status.problems",
        "status.run_charts",
        "status.style",
        "status.terminal",
        "status.year",
        "text",
    }
)
IMPURE_IMPORTS = frozenset(
    {"asyncio", "os", "time", "sqlite3", "smtplib", "logging", "random", "socket", "subprocess", "threading"}
)
#: Modules that can be asynchronous: the clock, the scheduler and the commands that start runs.
ASYNC = frozenset(
    {
        *("clock", "simulation.machine", "cli.run", "cli.run_due", "cli.scheduler"),
        *(
            f"scheduler.{name}"
            for name in (
                "context",
                "database_calls",
                "finish",
                "given_up",
                "lease",
                "runner",
                "scheduler",
                "status_files",
            )
        ),
    }
)
#: Only these folders use Cave à Vin's tables; `demo` creates them for the demonstration.
KNOWS_TABLES = ("appdb.", "demo.")
#: The names of all modules of the package.
MODULES = frozenset(module.name for module in package())


def imported_modules(module: Module) -> Iterator[str]:
    """Yield the modules of cavecron that `module` imports, by their names below `cavecron`."""
    for imported in imports(module):
        source, _, name = imported.partition(":")
        if source.split(".")[0] == "cavecron":
            inner = ".".join((*source.split(".")[1:], name)).strip(".")
            yield inner if inner in MODULES else source.removeprefix("cavecron").strip(".")


def imports_from_below(module: Module) -> Iterator[str]:
    """Find imports of a later folder, of a module that does not exist, and relative imports."""
    yield from (f"relative import: {name}" for name in imports(module) if name.startswith("."))
    for name in imported_modules(module):
        if name and (name not in MODULES or layer(name) > layer(module.name)):
            yield f"imports {name}"


def layer(name: str) -> int:
    """Return the position of a module's folder in FOLDERS, 0 for the root modules."""
    folder = name.split(".", maxsplit=1)[0]
    return FOLDERS.index(folder) + 1 if folder in FOLDERS else 0 if name in ROOT_MODULES else len(FOLDERS) + 1


def is_pure(name: str) -> bool:
    """Return whether a module is in PURE or in one of its folders."""
    return any(name == pure or name.startswith(f"{pure}.") for pure in PURE)


def impurities(module: Module) -> Iterator[str]:
    """Find imports of modules with effects or that are not pure, and calls that read clock or files."""
    yield from (f"imports {name}" for name in imports(module) if re.split("[.:]", name)[0] in IMPURE_IMPORTS)
    yield from (
        f"imports an impure module: {name}" for name in imported_modules(module) if name and not is_pure(name)
    )
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in {"now", "today", "utcnow", "open", "read_text", "read_bytes", "exists", "print"}:
                yield f"calls {called}()"


def misleading_header(module: Module) -> Iterator[str]:
    """Find a header that says "Pure" although the module is not in PURE, or the other way round."""
    header = ast.get_docstring(module.tree) or ""
    if bool(re.search(r"\bPure\b", header)) != is_pure(module.name):
        yield "does not say Pure" if is_pure(module.name) else "says Pure and is not in PURE"


def foreign_tables(module: Module) -> Iterator[str]:
    """Find SQL in string constants that names a table of the application."""
    tables = "|".join(sorted({*NEEDED, *re.findall(r'CREATE TABLE "?(\w+)', "".join(schema.TABLES))}))
    sql = re.compile(rf'\b(?:FROM|INTO|UPDATE|JOIN|TABLE|EXISTS)\s+["\[`]?(?:{tables})\b', re.IGNORECASE)
    for node in ast.walk(module.tree):
        text = _text_of(node)
        if sql.search(text):
            yield f"line {getattr(node, 'lineno', '?')} uses a table: {text[:60]!r}"


def _text_of(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(part) or "…" for part in node.values)
    return ""


def asynchronous(module: Module) -> Iterator[str]:
    """Find asynchronous functions and statements."""
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    yield from (f"line {node.lineno} is async" for node in ast.walk(module.tree) if isinstance(node, kinds))


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (imports_from_below, "errors", "import cavecron.config.settings"),
        (imports_from_below, "errors", "from cavecron.config import settings"),
        (
            imports_from_below,
            "config.settings",
            "def f():\n    from cavecron.scheduler.runner import execute_run",
        ),
        (imports_from_below, "database.sqlite", "from cavecron.mail.message import Sender"),
        (imports_from_below, "report.maturity", "from cavecron.report.nowhere import x"),
        (imports_from_below, "cli.main", "from . import errors"),
        (impurities, "config.settings", "import os"),
        (impurities, "config.settings", "from os.path import join"),
        (impurities, "config.settings", "from datetime import datetime\nx = datetime.now()"),
        (impurities, "report.message", "from cavecron.mail.smtp.transport import SmtpTransport"),
        (impurities, "report.builder", "from cavecron.database.sqlite import Database"),
        (misleading_header, "config.settings", '"""The settings."""'),
        (misleading_header, "scheduler.runner", '"""Executing a run. Pure."""'),
        (foreign_tables, "scheduler.runner", "q = 'SELECT 1 FROM email_log'"),
        (foreign_tables, "scheduler.runner", "q = f'DELETE FROM \"user\" WHERE {x}'"),
        (foreign_tables, "scheduler.runner", "q = 'SELECT 1 FROM a JOIN wine_insight'"),
        (asynchronous, "config.settings", "async def f(): pass"),
    ],
)
def test_a_broken_rule_is_found(rule: Rule, name: str, source: str) -> None:
    """Each rule finds a violation in a sample, so that no finding in the package means something."""
    assert findings(rule, [Module(name=name, source=source)])


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (imports_from_below, "config.settings", "import re\nfrom cavecron.errors import CavecronError"),
        (imports_from_below, "config.settings", "from cavecron.config.parsing import EnvReader"),
        (imports_from_below, "cli.main", "from cavecron import __version__"),
        (impurities, "report.builder", "from cavecron.database.timestamps import read_utc"),
        (misleading_header, "config.settings", '"""The settings.\n\nPure: …"""'),
        (misleading_header, "scheduler.runner", '"""Executing a run, on PurePath."""'),
        (foreign_tables, "scheduler.runner", "x = 'email_log'; q = 'SELECT 1 FROM cavecron_runs'"),
    ],
)
def test_source_that_follows_the_rule_has_no_findings(rule: Rule, name: str, source: str) -> None:
    """Each rule finds nothing in source that follows it."""
    assert not findings(rule, [Module(name=name, source=source)])


def test_every_module_belongs_to_a_known_folder() -> None:
    """Each module is in a folder that the rules know, and the lists name only modules that exist."""
    assert {name.split(".")[0] for name in MODULES} == {*FOLDERS, *ROOT_MODULES, "__main__"}
    assert {*PURE, *ASYNC} <= MODULES


def test_folders_import_only_from_the_folders_before_them() -> None:
    """Each folder can be understood with only the folders before it in mind."""
    assert not findings(imports_from_below, package())


def test_no_modules_import_each_other_in_a_circle() -> None:
    """No modules import each other in a circle, within a folder or across folders."""
    graph = {module.name: set(imported_modules(module)) for module in package()}
    assert set(TopologicalSorter(graph).static_order()) >= MODULES


def test_a_circle_is_found() -> None:
    """A circle of imports is reported, so that no report for the package means something."""
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


def test_the_package_itself_imports_nothing_of_its_own() -> None:
    """`from cavecron import job` is resolved on first use, so that a short command does not pay for it."""
    (root,) = (module for module in modules(ROOT / "cavecron") if not module.name)
    at_the_top = Module(name="", source="\n".join(ast.unparse(node) for node in _unguarded(root.tree)))
    assert not list(imported_modules(at_the_top))


def _unguarded(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements that are executed on import, without functions and type-checking imports."""
    for node in tree.body:
        guarded = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if not guarded and not isinstance(node, ast.FunctionDef):
            yield node


def test_pure_modules_are_pure() -> None:
    """Pure modules use no clock, file, database or server; they get what they need as arguments."""
    assert not findings(impurities, (module for module in package() if is_pure(module.name)))


def test_a_header_says_pure_where_it_is_true() -> None:
    """A reader learns from a module's header whether it has effects."""
    assert not findings(misleading_header, package())


def test_only_appdb_knows_the_applications_tables() -> None:
    """Only one folder has to change if Cave à Vin changes a table."""
    others = (module for module in package() if not module.name.startswith(KNOWS_TABLES))
    assert not findings(foreign_tables, others)


def test_only_the_clock_the_scheduler_and_commands_are_asynchronous() -> None:
    """The other modules are synchronous, so that they can be called from anywhere."""
    assert not findings(asynchronous, (module for module in package() if module.name not in ASYNC))
