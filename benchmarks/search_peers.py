"""The proposers that are compared, and the digest of what each of them does.

A peer is rebuilt from the trials for every proposal, as a job of a cluster would. Its ``version`` changes with its own
source (hakken's modules of the search, or the adapter of a library together with the library's version), comments and
docstrings aside, so that stored sweeps are known to be still those of the present code.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from search_botorch import botorch_point
from search_skopt import skopt_point
from search_smac import smac_point

import hakken.search
from hakken.search import Space, Trial, propose
from hakken.search.optuna_samplers import optuna_point
from hakken.search.trial import Value

Propose = Callable[..., dict[str, Value]]
MISSING = "missing"  # in place of a version
HERE, SEARCH = Path(__file__).parent, Path(hakken.search.__file__).parent


@dataclass(frozen=True)
class Peer:
    """A proposer: how it proposes, what it is made of, how dear it is, and how many times the trials it gets.

    ``rank`` orders the work: 0 costs nothing, 3 seconds a proposal.
    """

    propose: Propose
    sources: tuple[Path, ...]
    libraries: tuple[str, ...]
    rank: int
    lengthen: int = 1

    @property
    def missing(self) -> tuple[str, ...]:
        """The libraries that it needs and that are not installed."""
        return tuple(name for name in self.libraries if _installed(name) == MISSING)

    @property
    def version(self) -> str:
        """Return a digest of the sources and the versions of the libraries; text, short."""
        libraries = [f"{name}={_installed(name)}" for name in self.libraries]
        return hashlib.sha256("\n".join([*map(_source, self.sources), *libraries]).encode()).hexdigest()[:12]


def optuna_peer(
    space: Space, trials: Sequence[Trial], *, number: int, seed: int, maximise: bool, kind: Literal["tpe", "gp"]
) -> dict[str, Value]:
    """Ask Optuna's sampler from the first trial on: it has its own random start of ten."""
    seen = {space.key(trial.parameters) for trial in trials}
    return optuna_point(space, trials, kind=kind, number=number, seed=seed, maximise=maximise, seen=seen)


def reached(module: str, without: Collection[str]) -> tuple[Path, ...]:
    """Return the files of a ``module`` of the search and of those that it imports, directly or not."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        module = waiting.pop()
        path = SEARCH / f"{module}.py"
        if module in {*found, *without} or not path.is_file():
            continue
        found.add(module)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hakken.search"):
                inside = (node.module or "").split(".")[2:]
                waiting.update(inside or [name.name for name in node.names])
    return tuple(SEARCH / f"{module}.py" for module in sorted(found))


@cache
def _source(path: Path) -> str:
    """Return a module's code without comments and docstrings."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


@cache
def _installed(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return MISSING


def _ours(sampler: str, without: Collection[str], libraries: Sequence[str] = ()) -> Peer:
    """Return a proposer of our own; ``without`` the modules that only other proposers and warm starts use."""
    sources = reached("proposer", {"optuna_samplers", "source", *without})
    return Peer(partial(propose, sampler=sampler), sources, ("numpy", "scipy", *libraries), 1)


def _simple(sampler: str, lengthen: int = 1) -> Peer:
    """Return a proposer that ignores results, which no change of the model touches."""
    sources = tuple(SEARCH / f"{module}.py" for module in ("space", "cube", "samplers", "trial"))
    return Peer(partial(propose, sampler=sampler), sources, (), 0, lengthen)


PEERS: dict[str, Peer] = {
    "random": _simple("random"),
    "random-3x": _simple("random", lengthen=3),
    "sobol": _simple("sobol"),
    "hakken": _ours("bayesian", without={"scikit"}),
    "hakken-skopt": _ours("skopt", without=(), libraries=("scikit-optimize", "scikit-learn")),
    "optuna-tpe": Peer(partial(optuna_peer, kind="tpe"), (SEARCH / "optuna_samplers.py",), ("optuna",), 1),
    "optuna-gp": Peer(partial(optuna_peer, kind="gp"), (SEARCH / "optuna_samplers.py",), ("optuna", "torch"), 3),
    "botorch-qlognei": Peer(botorch_point, (HERE / "search_botorch.py",), ("botorch", "gpytorch", "torch"), 3),
    "smac": Peer(smac_point, (HERE / "search_smac.py",), ("smac", "configspace"), 2),
    "skopt-constant-liar": Peer(skopt_point, (HERE / "search_skopt.py",), ("scikit-optimize", "scikit-learn"), 2),
}
