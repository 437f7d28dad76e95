"""SMAC as a peer: its facade for hyper-parameters as it comes, with every training measured once.

Random forest, expected improvement, one proposal in five at random, and for the first quarter of the trainings a Sobol
design, which is the same for the whole sweep; everything else is drawn anew for each proposal. Trainings that are
running are marked so. The facade is rebuilt from the trials, and its selector asked for one point: the intensifier in
between would only measure points again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hakken.core.seeds import derive_seed
from hakken.search import Dimension, Space, Trial
from hakken.search.samplers import random_point
from hakken.search.trial import Value

TRIALS = 50  # of which the design may be a quarter


def smac_point(space: Space, trials: Sequence[Trial], *, number: int, seed: int, maximise: bool) -> dict[str, Value]:
    """Return SMAC's proposal for trial ``number``; failed trials enter with the worst value."""
    seen = {space.key(trial.parameters) for trial in trials}
    with TemporaryDirectory() as folder:
        designed = _design(space, derive_seed(seed, "smac"), folder)
        if number < len(designed):
            proposed = designed[number]
        else:
            facade = _facade(_scenario(space, derive_seed(seed, "smac", number), folder))
            _tell(facade, trials, -1.0 if maximise else 1.0, space)
            proposed = next(facade.intensifier.config_generator)
    parameters = _parameters(space, dict(proposed))
    return random_point(space, number, seed, seen) if space.key(parameters) in seen else parameters


def _scenario(space: Space, seed: int, folder: str) -> Any:
    from smac import Scenario

    return Scenario(_described(space), deterministic=True, n_trials=TRIALS, seed=seed, output_directory=Path(folder))


def _facade(scenario: Any) -> Any:
    from smac import HyperparameterOptimizationFacade as Facade

    design = Facade.get_initial_design(scenario, n_configs=0)
    once = Facade.get_intensifier(scenario, max_config_calls=1)
    return Facade(scenario, initial_design=design, intensifier=once, overwrite=True, logging_level=logging.ERROR)


def _design(space: Space, seed: int, folder: str) -> list[Any]:
    from smac import HyperparameterOptimizationFacade as Facade

    return list(Facade.get_initial_design(_scenario(space, seed, folder)).select_configurations())


def _tell(facade: Any, trials: Sequence[Trial], sign: float, space: Space) -> None:
    from ConfigSpace import Configuration
    from smac.runhistory.dataclasses import TrialInfo, TrialValue

    measured = [sign * float(trial.value or 0.0) for trial in trials if trial.measured]
    for trial in trials:
        values = {name: _told(space[name], value) for name, value in trial.parameters.items()}
        info = TrialInfo(Configuration(facade.scenario.configspace, values=values), seed=0)
        if trial.pending:
            facade.runhistory.add_running_trial(info)
        elif measured:
            cost = sign * float(trial.value or 0.0) if trial.measured else max(measured)
            facade.tell(info, TrialValue(cost=cost), save=False)


def _described(space: Space) -> Any:
    """Return the space as SMAC has it; choices by their places, because it takes True for 1."""
    from ConfigSpace import AndConjunction, ConfigurationSpace, InCondition

    described = ConfigurationSpace()
    described.add([_parameter(dimension) for dimension in space.dimensions])
    for dimension in space.dimensions:
        conditions = [
            InCondition(
                described[dimension.name], described[parent], [_told(space[parent], value) for value in allowed]
            )
            for parent, allowed in dimension.when.items()
        ]
        if conditions:
            described.add(conditions[0] if len(conditions) == 1 else AndConjunction(*conditions))
    return described


def _parameter(dimension: Dimension) -> Any:
    from ConfigSpace import CategoricalHyperparameter, UniformFloatHyperparameter, UniformIntegerHyperparameter

    if dimension.kind == "categorical":
        return CategoricalHyperparameter(dimension.name, list(range(len(dimension.choices))))
    if dimension.kind == "integer":
        return UniformIntegerHyperparameter(dimension.name, int(dimension.low), int(dimension.high), log=dimension.log)
    return UniformFloatHyperparameter(dimension.name, dimension.low, dimension.high, log=dimension.log)


def _told(dimension: Dimension, value: Value) -> int | float:
    place = dimension.index(value)
    if place is not None:
        return place
    return int(value) if dimension.kind == "integer" else float(value)


def _parameters(space: Space, proposed: dict[str, Any]) -> dict[str, Value]:
    parameters: dict[str, Value] = {}
    for name in space.order:
        if name in space.active(parameters):
            dimension, value = space[name], proposed[name]
            if dimension.kind == "categorical":
                parameters[name] = dimension.choices[int(value)]
            else:
                parameters[name] = int(value) if dimension.kind == "integer" else float(value)
    return space.sorted(parameters)
