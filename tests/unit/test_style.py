"""The style, checked from the source: lengths, parameters and broad excepts.

Each rule is tried on samples that break it before it is held against the package.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.commands import ROOT
from tests.support.sources import Module, Rule, findings, functions, lines, modules, package

MOST_LINES_OF_A_FILE, MOST_LINES_OF_A_FUNCTION, MOST_POSITIONAL = 300, 50, 4
SHORT_FUNCTION = 25
#: Where a broad except is the point; elsewhere it has to raise again.
CATCHES_ALL = frozenset(
    {
        *("scheduler.runner", "scheduler.lease", "scheduler.given_up", "scheduler.scheduler", "cli.main"),
        *(
            "scheduler.threads",
            "simulation.machine",
            "mail.delivery.workers",
            "mail.delivery.single",
        ),  # hand it over to another thread
        *("jobs.invoke", "jobs.loader"),  # code of somebody else's
    }
)


def too_long(module: Module) -> Iterator[str]:
    """Find a file, and functions in it, that are longer than the style allows."""
    length = module.source.count("\n")
    if length > MOST_LINES_OF_A_FILE:
        yield f"has {length} lines"
    for function in functions(module):
        if lines(function) > MOST_LINES_OF_A_FUNCTION:
            yield f"{function.name} has {lines(function)} lines"


def too_many_positional(module: Module) -> Iterator[str]:
    """Find functions with many positional parameters, or with a positional boolean."""
    for function in functions(module):
        given = [a for a in (*function.args.posonlyargs, *function.args.args) if a.arg not in ("self", "cls")]
        if len(given) > MOST_POSITIONAL:
            yield f"{function.name} takes {len(given)} positional parameters"
        for argument in given:
            if argument.annotation and ast.unparse(argument.annotation) == "bool":
                yield f"{function.name} takes the boolean {argument.arg} by position"


def broad_excepts(module: Module) -> Iterator[str]:
    """Find handlers of everything that do not raise again."""
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
    ],
)
def test_a_broken_rule_is_found(rule: Rule, source: str) -> None:
    """Each rule is seen to find something before its silence means anything."""
    assert findings(rule, [Module(name="settings", source=source)])


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (broad_excepts, "try: pass\nexcept BaseException:\n    raise"),
        (too_many_positional, "def f(self, a, b, c, d, *, e: bool): pass"),
    ],
)
def test_what_keeps_the_rule_is_left_alone(rule: Rule, source: str) -> None:
    """A rule that finds something everywhere says nothing either."""
    assert not findings(rule, [Module(name="settings", source=source)])


def test_everything_is_caught_in_two_places_only() -> None:
    """The runner and the command line: elsewhere an unknown error has to get through."""
    assert not findings(broad_excepts, (module for module in package() if module.name not in CATCHES_ALL))


def test_files_and_functions_are_short() -> None:
    """Of the package, and of its tests."""
    assert not findings(too_long, [*package(), *modules(ROOT / "tests")])


def test_most_functions_are_shorter_than_that() -> None:
    """Nine in ten, so that the longest allowed does not become the usual."""
    lengths = [lines(function) for module in package() for function in functions(module)]
    assert sum(length < SHORT_FUNCTION for length in lengths) >= 0.9 * len(lengths)


def test_parameters_are_few_or_named() -> None:
    """Four by position at most, and a boolean never: `f(True)` tells nobody anything."""
    assert not findings(too_many_positional, package())
