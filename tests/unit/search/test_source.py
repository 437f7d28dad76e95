from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from hakken.search import Space, Trial, cube, propose
from hakken.search.bayesian import targets
from hakken.search.source import STRENGTH, source_weight, trust

SPACE = Space.from_mapping({"x": {"type": "real", "low": 0, "high": 1}, "y": {"type": "real", "low": 0, "high": 1}})
PLACES = [propose(SPACE, [], number=number, seed=0, sampler="sobol") for number in range(16)]
POINTS = cube.snap(SPACE, np.random.default_rng(0).random((30, 2)))


def hill(x: float, y: float) -> float:
    return -((x - 0.7) ** 2) - 0.2 * (y - 0.4) ** 2


def valley(x: float, y: float) -> float:
    return -hill(x, y)


def trials(objective: Callable[..., float], count: int = 16) -> list[Trial]:
    return [Trial(n, place, "complete", objective(**place)) for n, place in enumerate(PLACES[:count])]


def weight(prior: list[Trial], finished: list[Trial], maximise: bool = True) -> np.ndarray:
    return source_weight(SPACE, prior, finished, maximise, partial(targets, maximise=maximise))(POINTS)


def test_before_any_result_the_source_speaks_loudest_and_then_fades() -> None:
    loud = weight(trials(hill), [])
    # one result ranks nothing: 2 / 3 of the trust, half of the strength; seven in agreement: all trust, an eighth
    np.testing.assert_allclose(weight(trials(hill), trials(hill, 1)), loud / 3)
    agreed = weight(trials(hill), trials(hill, 7))
    assert loud.max() / 9 < agreed.max() <= loud.max() / 8
    known = np.array([trial.value for trial in trials(hill)])
    clipped = targets(trials(hill), maximise=True)
    assert loud.max() == pytest.approx(STRENGTH * clipped[np.argmax(known)], rel=0.2)
    assert np.argmax(loud) == np.argmax([hill(*point) for point in POINTS.u])


@pytest.mark.parametrize("maximise", [True, False])
def test_a_source_that_disagrees_is_switched_off(maximise: bool) -> None:
    assert weight(trials(hill), trials(valley, 1), maximise).any()
    assert not weight(trials(hill), trials(valley, 4), maximise).any()
    assert not weight(trials(hill), trials(valley, 8), maximise).any()
    assert not weight(trials(hill), trials(valley, 16), maximise).any()
    assert weight(trials(hill), trials(hill, 8), maximise).any()


def test_only_the_first_eight_by_number_judge_the_source() -> None:
    mixed = [*trials(hill, 8), *(trial for trial in trials(valley) if trial.number >= 8)]
    assert weight(trials(hill), list(reversed(mixed))).any()


def test_a_source_of_fewer_than_four_results_says_nothing() -> None:
    failed = [Trial(trial.number, trial.parameters, "failed") for trial in trials(hill)[3:]]
    assert not weight([*trials(hill, 3), *failed], []).any()
    assert weight([*trials(hill, 4), *failed], []).any()


@pytest.mark.parametrize(
    ("values", "trusted"),
    [
        ([], 1.0),
        ([3], 2 / 3),
        ([1, 2, 3, 4], 1.0),
        ([4, 3, 2, 1], 0.0),
        ([2, 1], 0.0),
        # rho = 1 - 6 * sum of squared rank differences / (n (n² - 1)) = 1 - 6 * 10 / 60 = 0, so 2 / 6
        ([2, 4, 1, 3], 1 / 3),
        ([1, 1, 1, 1], 1 / 3),
        ([1, 1, 1, 1, 1, 1, 1, 1], 0.0),
        # of eight: 66 gives 0.214, so (2 + 8 * 0.214) / 10; 68 gives 0.190, less than a fifth
        ([1, 2, 7, 8, 5, 6, 4, 3], (2 + 8 * (1 - 6 * 66 / 504)) / 10),
        ([1, 2, 7, 8, 6, 5, 4, 3], 0.0),
    ],
)
def test_trust_is_a_rank_correlation_that_has_to_be_earned(values: list[float], trusted: float) -> None:
    assert trust(np.arange(float(len(values))), np.array(values, float)) == pytest.approx(trusted)
