from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from hakken.search import Space, cube
from hakken.search.acquisition import best_candidates, log_expected_improvement, log_h, mutate
from hakken.search.gaussian import Prediction

from .spaces import MIXED


@pytest.mark.parametrize(("mean", "deviation", "incumbent"), [(0.3, 0.5, 0.0), (0.0, 1.0, 0.0), (-1.0, 0.7, 1.0)])
def test_expected_improvement_is_the_integral(mean: float, deviation: float, incumbent: float) -> None:
    integral = quad(lambda f: (f - incumbent) * norm.pdf(f, mean, deviation), incumbent, mean + 12 * deviation)[0]
    prediction = Prediction(np.array([[mean]]), np.array([deviation]))
    assert log_expected_improvement(prediction, np.array([incumbent]))[0] == pytest.approx(np.log(integral), abs=1e-6)


def test_the_average_is_over_improvements_not_over_logarithms() -> None:
    deviation = np.array([0.5])
    each = [
        log_expected_improvement(Prediction(np.array([[mean]]), deviation), np.array([incumbent]))[0]
        for mean, incumbent in ((0.0, 0.2), (1.0, 0.1))
    ]
    both = log_expected_improvement(Prediction(np.array([[0.0], [1.0]]), deviation), np.array([0.2, 0.1]))[0]
    assert both == pytest.approx(np.log(np.mean(np.exp(each))))


def test_the_logarithm_is_smooth_and_rising_where_the_improvement_underflows() -> None:
    z = -np.concatenate([np.geomspace(1e5, 1e-3, 4000), [0.0]])
    values = log_h(z)
    assert np.isfinite(values).all()
    assert (np.diff(values) > 0).all()
    slope = np.diff(values) / np.diff(z)
    assert (slope[1:] <= slope[:-1] * 1.01).all()  # log-concave: the slope falls


def test_h_at_zero() -> None:
    assert log_h(np.array([0.0]))[0] == pytest.approx(-0.5 * np.log(2 * np.pi))


def test_mutants_are_valid_and_differ_from_their_parents() -> None:
    space = Space.from_mapping(MIXED)
    rng = np.random.default_rng(3)
    parents = cube.snap(space, rng.random((5, len(space.dimensions))))
    mutants = mutate(space, parents, 64, rng)
    for row in range(64):
        space.check(cube.decode(space, mutants, row))
    known = {space.key(cube.decode(space, parents, row)) for row in range(5)}
    fresh = [space.key(cube.decode(space, mutants, row)) not in known for row in range(64)]
    assert sum(fresh) > 32


def test_the_search_climbs_to_the_top_of_a_known_score() -> None:
    space = Space.from_mapping(MIXED)
    goal = cube.encode(space, [{"optimizer": "adam", "layers": 5, "kernel": 0.5, "learning_rate": 1e-3}])

    def score(points: cube.Points) -> cube.Floats:
        return -np.sum((points.u - goal.u) ** 2, axis=1) - np.sum(points.active != goal.active, axis=1)

    nowhere = cube.encode(space, [])
    best = best_candidates(space, score, nowhere, np.random.default_rng(0))
    found = cube.decode(space, best, 0)
    assert (found["layers"], found["kernel"], found["optimizer"]) == (5, 0.5, "adam")
    assert found["learning_rate"] == pytest.approx(1e-3, rel=0.2)
    scores = score(best)
    assert (np.diff(scores) <= 0).all()
