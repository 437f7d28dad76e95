"""The one look-up of what a study names: `method: glow` is the package `hakken.methods.glow`.

A name is a module or a package in the folder of its kind; one that begins with an underscore is a helper and no name.
Packages outside the tree bring further names by entry points, in the groups `hakken.methods`, `hakken.phantoms` and so
on. Nothing else lists names, so that adding one touches nothing that is there.
"""

from __future__ import annotations

import ast
import functools
import pkgutil
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args

from hakken.core.errors import HakkenError
from hakken.core.names import nearest

Kind = Literal["methods", "phantoms", "outcomes", "baselines", "figures"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def names(kind: Kind) -> tuple[str, ...]:
    """Return all names of a kind, in the order of the alphabet."""
    return tuple(sorted(_modules(kind)))


def module_name(kind: Kind, name: str) -> str:
    """Return the full name of the module that ``name`` stands for, without loading it.

    Raises HakkenError naming the nearest name where there is none.
    """
    known = _modules(kind)
    if name not in known:
        one = kind.removesuffix("s")
        raise HakkenError(f"no {one} `{name}`, there are {', '.join(sorted(known))}{nearest(name, known)}")
    return known[name]


def load(kind: Kind, name: str, part: str = "") -> ModuleType:
    """Return the module that ``name`` stands for, or the module ``part`` of its package.

    Raises HakkenError as `module_name`.
    """
    module = module_name(kind, name)
    return import_module(f"{module}.{part}" if part else module)


@functools.cache
def literals(kind: Kind, name: str) -> dict[str, Any]:
    """Return the literal constants of the module that ``name`` stands for, read from its source and not run.

    What a figure needs is asked for in every plan, and must not cost what drawing it does. Raises HakkenError as
    `module_name`.
    """
    spec = find_spec(module_name(kind, name))
    assert spec is not None
    assert spec.origin is not None
    found = {}
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with suppress(ValueError):
                found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


@functools.cache
def _modules(kind: Kind) -> dict[str, str]:
    """Return the full names of the modules of a kind by name; the tree's own come first."""
    folder = find_spec(f"hakken.{kind}")
    assert folder is not None
    assert folder.submodule_search_locations is not None
    own = [info.name for info in pkgutil.iter_modules(folder.submodule_search_locations)]
    brought = {point.name: point.value for point in entry_points(group=f"hakken.{kind}")}
    return brought | {name: f"hakken.{kind}.{name}" for name in own if not name.startswith("_")}
