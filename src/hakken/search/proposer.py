"""Which parameters the next trial trains: a pure function of space, trials, seed and number."""

from __future__ import annotations

from collections.abc import Iterable

from hakken.errors import HakkenError
from hakken.names import nearest
from hakken.search import samplers
from hakken.search.space import Space
from hakken.search.trial import Trial, Value

SAMPLERS = ("bayesian", "random", "sobol")
STARTUP = 3


def propose(
    space: Space,
    trials: Iterable[Trial],
    *,
    number: int,
    seed: int,
    maximise: bool = True,
    sampler: str = "bayesian",
    startup: int = STARTUP,
) -> dict[str, Value]:
    """Return the parameters of trial ``number`` given all other ``trials``, finished and running.

    The same arguments give the same parameters, in whatever order the trials come. `bayesian` follows the Sobol
    sequence until ``startup`` trials have an objective. No finished or running point is proposed again unless all have
    been. Inactive parameters are absent; values are plain booleans, numbers and texts. Raises HakkenError for an
    unknown sampler, a negative number, and a trial whose parameters are not a point of ``space``.
    """
    if sampler not in SAMPLERS:
        raise HakkenError(f"unknown sampler `{sampler}`{nearest(sampler, SAMPLERS)}; known: {', '.join(SAMPLERS)}")
    if number < 0:
        raise HakkenError(f"trial number {number}: must be 0 or more")
    history = _history(space, trials, number)
    seen = {space.key(trial.parameters) for trial in history}
    if sampler == "random":
        return samplers.random_point(space, number, seed, seen)
    measured = sum(trial.measured for trial in history)
    if sampler == "sobol" or measured < max(startup, 1) or _is_point(space):
        return samplers.sobol_point(space, number, seed, seen)
    from hakken.search.bayesian import bayesian_point

    return bayesian_point(space, history, number=number, seed=seed, maximise=maximise, seen=seen)


def _history(space: Space, trials: Iterable[Trial], number: int) -> list[Trial]:
    """Return the other trials by number, after making sure that their parameters belong to the space."""
    history = [trial for trial in trials if trial.number != number or not trial.pending]
    for trial in history:
        space.check(trial.parameters, f"trial {trial.number}")
    return sorted(history, key=lambda trial: (trial.number, trial.state, space.key(trial.parameters), str(trial.value)))


def _is_point(space: Space) -> bool:
    return all(dimension.count == 1 for dimension in space.dimensions)
