"""The project's parsed source, for tests of its style and layers."""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tests.support.commands import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file: its name below cavecron ('' for the package itself), and its source."""

    name: str
    source: str

    @property
    def tree(self) -> ast.Module:
        """Return the parsed source, which nobody changes."""
        return _parsed(self.source)


@lru_cache(maxsize=256)  # all of the package; several rules read each of its modules
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


Rule = Callable[[Module], Iterator[str]]


def imports(module: Module) -> Iterator[str]:
    """Yield what is imported anywhere in it: `package.module`, or `package.module:name`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            yield from (f"{source}:{alias.name}" for alias in node.names)


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions and methods in it."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function has, without its decorators."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def package() -> list[Module]:
    """Return cavecron's modules without the package's own file, which only exports names."""
    all_modules = modules(ROOT / "cavecron")
    return [module for module in all_modules if module.name]


def modules(top: Path) -> list[Module]:
    """Return all modules below a folder, the folder's own file under a blank name."""
    return [
        Module(
            name=".".join(path.relative_to(top).with_suffix("").parts).removesuffix("__init__").strip("."),
            source=path.read_text(encoding="utf-8"),
        )
        for path in sorted(top.rglob("*.py"))
    ]


def findings(rule: Rule, modules: Iterable[Module]) -> list[str]:
    """Return the findings of a rule in these modules, each with its module's name."""
    return [f"{module.name}: {finding}" for module in modules for finding in rule(module)]
