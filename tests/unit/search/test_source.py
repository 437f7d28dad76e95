from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from hakken.search import Space, Trial, cube, propose
from hakken.search.bayesian import targets
from hakken.search.source import STRENGTH, agree, source_weight

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
    loud, half = weight(trials(hill), []), weight(trials(hill), trials(hill, 1))
    np.testing.assert_allclose(half, loud / 2)
    np.testing.assert_allclose(weight(trials(hill), trials(hill, 7)), loud / 8)
    values = [hill(*point) for point in POINTS.u]
    # standardised values of the source times the strength
    known = np.array([trial.value for trial in trials(hill)])
    clipped = targets(trials(hill), maximise=True)
    assert loud.max() == pytest.approx(STRENGTH * clipped[np.argmax(known)], rel=0.2)
    assert np.argmax(loud) == np.argmax(values)


@pytest.mark.parametrize("maximise", [True, False])
def test_a_source_that_disagrees_is_switched_off_after_eight_results(maximise: bool) -> None:
    assert weight(trials(hill), trials(valley, 7), maximise).any()
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
    ("values", "agreed"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8], True),
        ([8, 7, 6, 5, 4, 3, 2, 1], False),
        ([2, 1, 4, 3, 6, 5, 8, 7], True),
        ([1, 1, 1, 1, 1, 1, 1, 1], False),
        # rho = 1 - 6 * sum of squared rank differences / (8 * 63): 66 gives 0.214, 68 gives 0.190
        ([1, 2, 7, 8, 5, 6, 4, 3], True),
        ([1, 2, 7, 8, 6, 5, 4, 3], False),
    ],
)
def test_agreement_is_a_rank_correlation_of_a_fifth(values: list[float], agreed: bool) -> None:
    assert agree(np.arange(8.0), np.array(values, float)) is agreed
