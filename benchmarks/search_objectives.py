"""The objectives of the benchmark: those to develop on, and those held out, which were fixed before anything was tuned.

Development has functions of BBOB, plain and with noise, on a logarithmic scale, mixed and conditional. What is held out
comes from other families: tables of real trainings, of which losses are taken as they are and as logarithms, functions
of CEC 2022 and of BoTorch's collection. Nothing of hakken may be chosen by looking at them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from search_functions import Function, of_botorch, of_ioh, problem_of
from search_problem import Problem
from search_tables import cells, fcnet, mlp


@dataclass(frozen=True)
class Objective:
    """A family of problems, one a seed, and whether it is ``held_out`` from development."""

    problem: Callable[[int], Problem]
    held_out: bool


def _function(make: Callable[[int], Function], held_out: bool, name: str, **form: Any) -> Objective:
    return Objective(lambda seed: problem_of(name, make(seed), seed, **form), held_out)


def _bbob(number: int, dimensions: int, **form: Any) -> Callable[[str], Objective]:
    return lambda name: _function(partial(of_ioh, "BBOB", number, dimensions), False, name, **form)


def _cec(number: int, **form: Any) -> Callable[[str], Objective]:
    return lambda name: _function(partial(of_ioh, "CEC2022", number, 10), True, name, **form)


def _botorch(function: str, dimensions: int | None, **form: Any) -> Callable[[str], Objective]:
    return lambda name: _function(partial(of_botorch, function, dimensions), True, name, **form)


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
OBJECTIVES: dict[str, Objective] = {
    **{name: make(name) for name, make in FUNCTIONS.items()},
    **{name: Objective(problem, True) for name, problem in TABLES.items()},
}
