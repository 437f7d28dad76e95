"""What a result depends on in code: the modules of its stage, and those of the plug-ins that its study names.

A digest follows imports from the stage's module through this package, and through the package of a plug-in that comes
from outside. Of a module it takes the meaning: comments, docstrings and layout do not count. Of the sections of a study
the fields do not count either, neither their descriptions nor their defaults: what a study says is a parameter of its
own, with the versions of sections whose defaults have changed (`hakken.study.slices`). Plug-ins are found by name at
run time and so lie behind no import; a stage takes those kinds into its digest that it, or a module that it imports,
loads by `plugins.load("methods", ...)`, and of them the ones that the study names.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hakken import plugins

PACKAGE = "hakken"
STUDY = "hakken.study"
LOADER = "load"


def code_digest(stage: str, named: Mapping[plugins.Kind, Collection[str]]) -> str:
    """Return a digest of the code of a stage and of the plug-ins that are ``named``, of the kinds that it loads."""
    return _digest(stage, tuple(sorted((kind, tuple(sorted(chosen))) for kind, chosen in named.items())))


@functools.cache
def _digest(stage: str, named: tuple[tuple[plugins.Kind, tuple[str, ...]], ...]) -> str:
    modules = _closure(f"hakken.stages.{stage}")
    waiting = {kind: names for kind, names in named if names}
    while kinds := _kinds(modules) & waiting.keys():  # a plug-in may load others: a figure does outcomes
        for kind in kinds:
            for name in waiting.pop(kind):
                modules |= _closure_of_plugin(plugins.module_name(kind, name))
    return digest_of(modules)


def digest_of(modules: Collection[str]) -> str:
    """Return a digest of the meaning of modules."""
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(f"{name}:{_meaning(name)}\n".encode())
    return digest.hexdigest()[:16]


def _closure(module: str) -> set[str]:
    """Return ``module`` and all modules of its package that it reaches by imports, and of this package."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imports(name, module.partition(".")[0]))
    return found


def _closure_of_plugin(module: str) -> set[str]:
    """Return the closure of a plug-in: of its module, and of all modules below it where it is a package."""
    return set().union(*(_closure(name) for name in (module, *_below(module))))


@functools.cache
def _below(module: str) -> tuple[str, ...]:
    source = _source(module)
    if source is None or source.name != "__init__.py":
        return ()
    return tuple(f"{module}.{path.stem}" for path in sorted(source.parent.glob("*.py")) if path.name != "__init__.py")


def _kinds(modules: Collection[str]) -> set[plugins.Kind]:
    """Return the kinds of plug-ins that the modules load by name; the study model only reads their sections."""
    return {kind for name in modules if not _of_study(name) for kind in _facts(name).kinds}


@dataclass(frozen=True)
class _Facts:
    """What the source of a module says: the names in its imports, the kinds of plug-ins it loads, its meaning."""

    imports: tuple[str, ...]
    kinds: frozenset[plugins.Kind]
    meaning: str


@functools.cache
def _facts(module: str) -> _Facts:
    """Read a module once; its meaning is its syntax tree without what only people read."""
    path = _source(module)
    tree = ast.parse(path.read_text(encoding="utf-8")) if path is not None else ast.Module(body=[], type_ignores=[])
    names: list[str] = []
    kinds: set[plugins.Kind] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call):
            kinds |= _loaded(node)
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = _without(node.body, isinstance(node, ast.ClassDef) and _is_section(node))
    return _Facts(tuple(names), frozenset(kinds), ast.dump(tree))


def _loaded(call: ast.Call) -> set[plugins.Kind]:
    """Return the kind that a call loads by name, where it is written out."""
    function, first = call.func, call.args[0] if call.args else None
    loads = getattr(function, "id", None) == LOADER or (
        getattr(function, "attr", None) == LOADER and getattr(getattr(function, "value", None), "id", None) == "plugins"
    )
    return {kind for kind in plugins.KINDS if loads and isinstance(first, ast.Constant) and first.value == kind}


@functools.cache
def _imports(module: str, root: str) -> tuple[str, ...]:
    """Return the modules of this package, and of the package ``root``, that a module names in its imports."""
    roots = {PACKAGE, root}
    return tuple(
        name for name in _facts(module).imports if name.partition(".")[0] in roots and _source(name) is not None
    )


@functools.cache
def _meaning(module: str) -> str:
    """Return a digest of what a module does, and of the templates beside it that it names."""
    meaning = _facts(module).meaning
    digest = hashlib.sha256(meaning.encode())
    for template in _templates(module):
        if template.name in meaning:
            digest.update(template.read_bytes())
    return digest.hexdigest()


def _without(body: list[ast.stmt], section: bool) -> list[ast.stmt]:
    """Return statements without docstrings and, of a section of a study, without its fields and its version."""
    kept = [statement for statement in body if not _is_docstring(statement)]
    return [one for one in kept if not (section and isinstance(one, ast.AnnAssign))] or [ast.Pass()]


def _is_section(node: ast.ClassDef) -> bool:
    """Whether a class is a section of a study: it or a base of it has fields by `Field`, or is called so."""
    fields = [one.value for one in node.body if isinstance(one, ast.AnnAssign)]
    return any(isinstance(value, ast.Call) and ast.unparse(value.func) == "Field" for value in fields)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _of_study(module: str) -> bool:
    return module == STUDY or module.startswith(f"{STUDY}.")


def _templates(module: str) -> Iterator[Path]:
    source = _source(module)
    if source is not None:
        yield from sorted(source.parent.glob("templates/*"))


@functools.cache
def _source(module: str) -> Path | None:
    """Return the file of a module of this package or of a plug-in's; None where the name is no module (a function)."""
    root, *rest = module.split(".")
    spec = find_spec(root)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent.joinpath(*rest) if spec.submodule_search_locations else Path(spec.origin)
    if not rest:
        return Path(spec.origin)
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None
