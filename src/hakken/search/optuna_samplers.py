"""Proposals of two samplers of Optuna: its tree-structured Parzen estimator (`tpe`) and its Gaussian process (`gp`).

An in-memory study is rebuilt from the trials for every proposal, so nothing is kept between proposals and no database
is needed. Both samplers run with the settings that they are published with: ten random trials first, and trials that
are still running count as bad (`tpe`) or as not yet known (`gp`). Optuna's models leave out failed trials, so these
enter with the worst value measured so far.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np

from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.search import cube, samplers
from hakken.search.space import Dimension, Key, Space
from hakken.search.trial import Trial, Value

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as Asked
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

Kind = Literal["tpe", "gp"]
TRIES = 4  # how often a sampler is asked for a point that was not tried yet


def optuna_point(
    space: Space,
    history: Sequence[Trial],
    *,
    kind: Kind,
    number: int,
    seed: int,
    maximise: bool,
    seen: Collection[Key],
) -> dict[str, Value]:
    """Return the point that Optuna's sampler proposes for trial ``number``, a random one if that was ``seen``.

    The order of ``history`` does not matter; randomness derives from ``seed``, ``kind`` and ``number`` alone. Inactive
    parameters are absent. Raises HakkenError where Optuna is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        message = f"sampler `optuna-{kind}` needs Optuna, which is not installed: pip install 'hakken[optuna]'"
        raise HakkenError(message) from error
    with _quiet():
        sampler = _sampler(kind, derive_seed(seed, f"optuna-{kind}", number))
        study = _study(space, sorted(history, key=lambda trial: trial.number), sampler, maximise, flat=kind == "gp")
        for _ in range(TRIES):
            parameters = _ask(space, study, flat=kind == "gp")
            if space.key(parameters) not in seen:
                return parameters
    return samplers.random_point(space, number, seed, seen)


def _sampler(kind: Kind, seed: int) -> BaseSampler:
    from optuna.samplers import GPSampler, TPESampler

    if kind == "gp":
        return GPSampler(seed=seed)
    return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


def _study(space: Space, history: Sequence[Trial], sampler: BaseSampler, maximise: bool, *, flat: bool) -> Study:
    """Return a study that holds the trials; ``flat``: with a value for every parameter, active or not.

    The Gaussian process draws parameters that a trial lacks at random, hence the flat space.
    """
    import optuna

    measured = [float(trial.value or 0.0) for trial in history if trial.measured]
    study = optuna.create_study(direction="maximize" if maximise else "minimize", sampler=sampler)
    if measured:
        worst = min(measured) if maximise else max(measured)
        study.add_trials(_frozen(space, trial, worst, flat=flat) for trial in history)
    return study


def _frozen(space: Space, trial: Trial, worst: float, *, flat: bool) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    names = [name for name in space.order if flat or name in trial.parameters]
    return create_trial(
        params={name: _internal(space[name], trial.parameters) for name in names},
        distributions={name: _distribution(space[name]) for name in names},
        state=TrialState.RUNNING if trial.pending else TrialState.COMPLETE,
        value=None if trial.pending else trial.value if trial.measured else worst,
    )


def _ask(space: Space, study: Study, *, flat: bool) -> dict[str, Value]:
    """Ask for a point; a ``flat`` space is sampled whole and its inactive parameters dropped."""
    trial = study.ask({name: _distribution(space[name]) for name in space.order} if flat else None)
    parameters: dict[str, Value] = {}
    for name in space.order:
        if name in space.active(parameters):
            parameters[name] = _suggest(trial, space[name])
    return space.sorted(parameters)


def _suggest(trial: Asked, dimension: Dimension) -> Value:
    """Return the value of one parameter."""
    if dimension.kind == "categorical":
        return dimension.choices[trial.suggest_categorical(dimension.name, range(len(dimension.choices)))]
    if dimension.kind == "integer":
        return trial.suggest_int(dimension.name, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(dimension.name, dimension.low, dimension.high, log=dimension.log)


def _distribution(dimension: Dimension) -> BaseDistribution:
    """Return Optuna's description of a parameter; choices by their places, because it takes True for 1."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.kind == "categorical":
        return CategoricalDistribution(range(len(dimension.choices)))
    if dimension.kind == "integer":
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _internal(dimension: Dimension, parameters: Mapping[str, Value]) -> int | float:
    """Return the value of a parameter as `_distribution` has it, the middle of its range where it is inactive."""
    if dimension.name not in parameters:
        middle = float(cube.from_unit(dimension, np.array([cube.NEUTRAL]))[0])
        return middle if dimension.kind == "real" else int(middle)
    value = parameters[dimension.name]
    place = dimension.index(value)
    if place is not None:
        return place
    return int(value) if dimension.kind == "integer" else min(max(float(value), dimension.low), dimension.high)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Optuna logs about every study and warns about its newer features."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
