from __future__ import annotations

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.search import Space, Trial, cube
from hakken.search.surrogate import surrogate

SPACE = Space.from_mapping({"x": {"type": "real", "low": 0, "high": 1}, "y": {"type": "real", "low": 0, "high": 1}})
RNG = np.random.default_rng(0)
PLACES = RNG.random((20, 2))


def bowl(x: float, y: float) -> float:
    return 0.8 - (x - 0.3) ** 2 - 0.1 * y


def trials(sign: float = 1.0) -> list[Trial]:
    return [
        Trial(number, {"x": float(x), "y": float(y)}, "complete", sign * bowl(x, y))
        for number, (x, y) in enumerate(PLACES)
    ]


@pytest.mark.parametrize("maximise", [True, False])
def test_it_predicts_in_units_of_the_objective(maximise: bool) -> None:
    model = surrogate(SPACE, trials(), maximise=maximise)
    points = [{"x": 0.25, "y": 0.5}, {"x": 0.6, "y": 0.2}]
    means, deviations = model.predict(cube.encode(SPACE, points))
    assert means == pytest.approx([bowl(**point) for point in points], abs=0.02)
    assert (deviations < 0.05).all()
    assert (deviations > 0).all()


def test_the_order_of_trials_and_unfinished_or_failed_ones_do_not_matter() -> None:
    more = [*reversed(trials()), Trial(90, {"x": 0.0, "y": 0.0}, "running"), Trial(91, {"x": 1.0, "y": 0.0}, "failed")]
    points = cube.snap(SPACE, RNG.random((5, 2)))
    np.testing.assert_array_equal(
        surrogate(SPACE, more).predict(points)[0], surrogate(SPACE, trials()).predict(points)[0]
    )


def test_one_trial_or_equal_ones_predict_what_they_found() -> None:
    points = cube.snap(SPACE, RNG.random((3, 2)))
    for known in (trials()[:1], [Trial(n, t.parameters, "complete", 0.4) for n, t in enumerate(trials())]):
        means, deviations = surrogate(SPACE, known).predict(points)
        assert means == pytest.approx([known[0].value] * 3)
        assert np.isfinite(deviations).all()


def test_the_average_over_points() -> None:
    model = surrogate(SPACE, trials()[:6])
    points = cube.snap(SPACE, RNG.random((2, 2)))
    means, deviations = model.predict(points)
    assert model.average(points.take(slice(0, 1))) == pytest.approx((means[0], deviations[0]))
    assert model.average(points.take(np.array([0, 0]))) == pytest.approx((means[0], deviations[0]))
    mean, deviation = model.average(points)
    assert mean == pytest.approx(means.mean())
    assert deviation < deviations.mean()


def test_without_an_objective_there_is_nothing_to_learn_from() -> None:
    with pytest.raises(HakkenError, match=r"^no trial has an objective to learn from$"):
        surrogate(SPACE, [Trial(0, {"x": 0.5, "y": 0.5}, "failed"), Trial(1, {"x": 0.1, "y": 0.5}, "running")])
