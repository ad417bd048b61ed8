"""The style, checked from the source: lengths, parameters, fields and handlers of all exceptions.

Each rule is tested on samples that break it and then applied to the package.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.commands import ROOT
from tests.support.sources import Module, Rule, findings, functions, lines, modules, package

MOST_LINES_OF_A_FILE, MOST_LINES_OF_A_FUNCTION, MOST_POSITIONAL = 300, 50, 4
SHORT_FUNCTION = 25
#: Four fields, for samples of dataclasses.
FIELDS = "".join(f"\n {name}: int" for name in "abcd")
#: Modules that may catch all exceptions; elsewhere such a handler has to raise again.
CATCHES_EVERYTHING = frozenset(
    {
        *("scheduler.runner", "scheduler.lease", "scheduler.given_up", "scheduler.scheduler", "cli.main"),
        *(
            "scheduler.threads",
            "simulation.machine",
            "mail.delivery.workers",
            "mail.delivery.single",
        ),  # they pass the exception to another thread
        *("jobs.invoke", "jobs.loader"),  # they execute foreign code
    }
)


def too_long(module: Module) -> Iterator[str]:
    """Find files and functions that are longer than the style allows."""
    length = module.source.count("\n")
    if length > MOST_LINES_OF_A_FILE:
        yield f"has {length} lines"
    for function in functions(module):
        if lines(function) > MOST_LINES_OF_A_FUNCTION:
            yield f"{function.name} has {lines(function)} lines"


def too_many_positional(module: Module) -> Iterator[str]:
    """Find functions with too many positional parameters or with a positional boolean."""
    for function in functions(module):
        positional = [
            a for a in (*function.args.posonlyargs, *function.args.args) if a.arg not in ("self", "cls")
        ]
        if len(positional) > MOST_POSITIONAL:
            yield f"{function.name} takes {len(positional)} positional parameters"
        for argument in positional:
            if argument.annotation and ast.unparse(argument.annotation) == "bool":
                yield f"{function.name} takes the boolean {argument.arg} by position"


def positional_fields(module: Module) -> Iterator[str]:
    """Find dataclasses with too many fields that are not keyword-only."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ClassDef):
            continue
        decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
        fields = [
            line.target
            for line in node.body
            if isinstance(line, ast.AnnAssign) and not ast.unparse(line.annotation).startswith("ClassVar")
        ]
        if "dataclass" in decorators and "kw_only=True" not in decorators and len(fields) > MOST_POSITIONAL:
            yield f"{node.name} takes {len(fields)} fields by position"


def broad_excepts(module: Module) -> Iterator[str]:
    """Find handlers of all exceptions that do not raise again."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "BaseException"
            raises = isinstance(node.body[-1], ast.Raise)
            if re.search(r"\b(Base)?Exception\b", caught) and not raises:
                yield f"line {node.lineno} catches {caught}"


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (broad_excepts, "try: pass\nexcept Exception: pass"),
        (broad_excepts, "try: pass\nexcept: pass"),
        (broad_excepts, "try: pass\nexcept (OSError, BaseException) as error: pass"),
        (too_long, "x = 1\n" * 301),
        (too_long, "def f():\n" + "    x = 1\n" * 50),
        (too_many_positional, "def f(self, a, b, c, d, e): pass"),
        (too_many_positional, "def f(a: bool): pass"),
        (positional_fields, f"@dataclass(frozen=True)\nclass Five:{FIELDS}\n e: int = 5"),
    ],
)
def test_a_broken_rule_is_found(rule: Rule, source: str) -> None:
    """Each rule finds a violation in a sample, so that no finding in the package means something."""
    assert findings(rule, [Module(name="settings", source=source)])


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (broad_excepts, "try: pass\nexcept BaseException:\n    raise"),
        (too_many_positional, "def f(self, a, b, c, d, *, e: bool): pass"),
        (positional_fields, f"@dataclass(kw_only=True)\nclass Five:{FIELDS}\n e: int = 5"),
        (positional_fields, f"@dataclass\nclass Four:{FIELDS}\n n: ClassVar[int] = 4"),
        (positional_fields, f"class Any:{FIELDS}\n e: int"),
    ],
)
def test_source_that_follows_the_rule_has_no_findings(rule: Rule, source: str) -> None:
    """Each rule finds nothing in source that follows it."""
    assert not findings(rule, [Module(name="settings", source=source)])


def test_only_listed_modules_catch_everything() -> None:
    """Elsewhere than in the listed modules, an unknown error must not be caught."""
    assert not findings(
        broad_excepts, (module for module in package() if module.name not in CATCHES_EVERYTHING)
    )


def test_files_and_functions_are_short() -> None:
    """The limits of length hold for the package and for its tests."""
    assert not findings(too_long, [*package(), *modules(ROOT / "tests")])


def test_most_functions_are_shorter_than_that() -> None:
    """Nine functions in ten have less than 25 lines, so that the limit of 50 stays the exception."""
    lengths = [lines(function) for module in package() for function in functions(module)]
    assert sum(length < SHORT_FUNCTION for length in lengths) >= 0.9 * len(lengths)


def test_parameters_are_few_or_named() -> None:
    """Parameters by position are four at most, and never booleans: nobody understands `f(True)`."""
    assert not findings(too_many_positional, package())


def test_fields_are_few_or_named() -> None:
    """A dataclass has four fields at most, or all of them are keyword-only."""
    assert not findings(positional_fields, package())
