"""Names that the project's source defines, and whether a name on a page is one of them."""

import ast
from collections.abc import Iterator
from functools import cache

from tests.support.sources import Module, package

#: What a page names in backticks: `name`, `Class.method` or `folder.module.name`, perhaps as a call.
NAME = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?:\([\w, ]*\))?"


def defined(module: Module) -> Iterator[str]:
    """Yield the dotted names of functions, classes and their members in a module."""
    yield from _defined_in(module.tree, "")


def _defined_in(node: ast.AST, prefix: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{prefix}{child.name}"
            if isinstance(child, ast.ClassDef):
                yield from _defined_in(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.Assign | ast.AnnAssign):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            for target in targets:
                yield from (f"{prefix}{name.id}" for name in ast.walk(target) if isinstance(name, ast.Name))


@cache
def full_names() -> frozenset[str]:
    """Return all modules, folders and definitions of the package, by their dotted names below cavecron."""
    names: set[str] = set()
    for module in package():
        parts = module.name.split(".")
        names.update(".".join(parts[:count]) for count in range(1, len(parts) + 1))
        names.update(f"{module.name}.{name}" for name in defined(module))
    return frozenset(names)


def is_known(name: str, known: frozenset[str]) -> bool:
    """Return whether `name` is one of the `known` dotted names, or the last parts of one."""
    name = name.partition("(")[0]
    return any(full == name or full.endswith(f".{name}") for full in known)
