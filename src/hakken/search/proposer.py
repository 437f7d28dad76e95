"""Which parameters the next trial trains: a pure function of space, trials, seed and number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.search import samplers
from hakken.search.optuna_samplers import Kind, optuna_point
from hakken.search.space import Key, Space
from hakken.search.trial import Trial, Value

SAMPLERS = ("bayesian", "skopt", "random", "sobol", "optuna-tpe", "optuna-gp")
OPTUNA: Mapping[str, Kind] = {"optuna-tpe": "tpe", "optuna-gp": "gp"}
STARTUP = 3
FROM_SOURCE = 4  # of so many trials before the first proposal of the model, one is the best of a related study


def propose(
    space: Space,
    trials: Iterable[Trial],
    *,
    number: int,
    seed: int,
    maximise: bool = True,
    sampler: str = "bayesian",
    startup: int = STARTUP,
    first: Sequence[Mapping[str, Value]] = (),
    prior: Sequence[Trial] = (),
) -> dict[str, Value]:
    """Return the parameters of trial ``number`` given all other ``trials``, finished and running.

    The same arguments give the same parameters, in whatever order the trials come. The points ``first`` come before all
    others, whatever the sampler. `bayesian` and `skopt` begin in the middle of all ranges and follow the Sobol sequence
    in their inner part until ``startup`` trials have an objective. ``prior`` holds the trials of a related study as
    points of this space; for these two samplers its best points are every fourth of these, and its model weighs the
    acquisition (`hakken.search.source`). No finished or running point is proposed again unless all have been. Inactive
    parameters are absent; values are plain booleans, numbers and texts. Raises HakkenError for an unknown sampler, a
    negative number, a sampler that is not installed, and a trial or first point that is not a point of ``space``.
    """
    if sampler not in SAMPLERS:
        raise HakkenError(f"unknown sampler `{sampler}`{nearest(sampler, SAMPLERS)}; known: {', '.join(SAMPLERS)}")
    if number < 0:
        raise HakkenError(f"trial number {number}: must be 0 or more")
    history = _history(space, trials, number)
    seen = {space.key(trial.parameters) for trial in history}
    if (waiting := _unseen(space, first, seen)) is not None:
        return waiting
    if sampler == "random":
        return samplers.random_point(space, number, seed, seen)
    if sampler == "sobol" or _is_point(space):
        return samplers.sobol_point(space, number, seed, seen)
    if sampler in OPTUNA:
        kind = OPTUNA[sampler]
        return optuna_point(space, history, kind=kind, number=number, seed=seed, maximise=maximise, seen=seen)
    if sum(trial.measured for trial in history) < max(startup, 1):
        taken = _unseen(space, _best_points(prior, maximise), seen) if number % FROM_SOURCE == 1 else None
        return taken or samplers.opening_point(space, number, seed, seen)
    from hakken.search.bayesian import bayesian_point

    return bayesian_point(
        space, history, number=number, seed=seed, maximise=maximise, seen=seen, model=sampler, prior=prior
    )


def _unseen(space: Space, points: Sequence[Mapping[str, Value]], seen: Collection[Key]) -> dict[str, Value] | None:
    """Return the first of ``points`` that was not ``seen``, in the order of the space."""
    for place, point in enumerate(points):
        space.check(point, f"point {place} to begin with")
        if space.key(point) not in seen:
            return space.sorted(point)
    return None


def _best_points(prior: Sequence[Trial], maximise: bool) -> list[Mapping[str, Value]]:
    """Return the source's measured points, best first, the lowest number first among equals."""
    sign = -1.0 if maximise else 1.0
    measured = [trial for trial in prior if trial.measured]
    return [trial.parameters for trial in sorted(measured, key=lambda t: (sign * (t.value or 0.0), t.number))]


def _history(space: Space, trials: Iterable[Trial], number: int) -> list[Trial]:
    """Return the other trials by number, after making sure that their parameters belong to the space."""
    history = [trial for trial in trials if trial.number != number or not trial.pending]
    for trial in history:
        space.check(trial.parameters, f"trial {trial.number}")
    return sorted(history, key=lambda trial: (trial.number, trial.state, space.key(trial.parameters), str(trial.value)))


def _is_point(space: Space) -> bool:
    return all(dimension.count == 1 for dimension in space.dimensions)
