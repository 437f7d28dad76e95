"""Where a result comes from: digests of the code that made it."""

from __future__ import annotations

import ast
import functools
import hashlib
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "hakken"


@functools.cache
def code_digest(module: str) -> str:
    """Return a digest of a module of this package and of every module of the package that it imports, however deep.

    Comments, docstrings and layout do not count: editing them re-runs nothing.
    """
    digest = hashlib.sha256()
    for name in sorted(_closure(module)):
        digest.update(f"{name}:{_meaning(name)}\n".encode())
    return digest.hexdigest()[:16]


def _closure(module: str) -> set[str]:
    """Return ``module`` and all modules of the package that it reaches by imports."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imports(name))
    return found


@functools.cache
def _imports(module: str) -> tuple[str, ...]:
    """Return the modules of the package that a module names in its import statements."""
    names: list[str] = []
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.partition(".")[0] == PACKAGE and _source(name) is not None)


@functools.cache
def _meaning(module: str) -> str:
    """Return a digest of what a module does: its syntax tree without docstrings, and the templates that it names."""
    tree = _tree(module)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0] = ast.Pass()
    meaning = ast.dump(tree)
    digest = hashlib.sha256(meaning.encode())
    source = _source(module)
    for template in sorted(source.parent.glob("templates/*")) if source is not None else ():
        if template.name in meaning:
            digest.update(template.read_bytes())
    return digest.hexdigest()


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _tree(module: str) -> ast.Module:
    path = _source(module)
    return ast.parse(path.read_text()) if path is not None else ast.Module(body=[], type_ignores=[])


@functools.cache
def _source(module: str) -> Path | None:
    """Return the file of a module of this package, or None where the name is no module (a function, say)."""
    root = Path(str(find_spec(PACKAGE).origin)).parent  # type: ignore[union-attr]
    path = root.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None
