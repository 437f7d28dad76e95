from __future__ import annotations

import numpy as np
import pytest

from hakken.search import Space, Trial, cube
from hakken.search.bayesian import oriented, targets, within

from .spaces import MIXED


def finished(*values: float | None) -> list[Trial]:
    return [Trial(number, {}, "failed" if value is None else "complete", value) for number, value in enumerate(values)]


def test_targets_are_standardised_and_keep_the_order() -> None:
    learnt = targets(finished(0.3, 0.9, -5.0, 0.8), maximise=True)
    assert learnt.mean() == pytest.approx(0)
    assert learnt.std() == pytest.approx(1)
    assert np.argsort(learnt).tolist() == [2, 0, 3, 1]


def test_the_lowest_is_best_when_minimising() -> None:
    np.testing.assert_allclose(
        targets(finished(0.3, 0.9, 0.1), maximise=False), targets(finished(-0.3, -0.9, -0.1), maximise=True)
    )


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), float("-inf")])
def test_a_failed_trial_counts_as_the_worst_measured_one(bad: float | None) -> None:
    learnt = targets(finished(0.3, bad, 0.9, 0.5), maximise=True)
    assert np.isfinite(learnt).all()
    assert learnt[1] == learnt[0] < learnt[3] < learnt[2]


def test_one_catastrophe_leaves_the_differences_between_good_trials() -> None:
    mild = targets(finished(0.3, 0.9, 0.5, 0.6, -0.4), maximise=True)
    wild = targets(finished(0.3, 0.9, 0.5, 0.6, -1e9), maximise=True)
    # median 0.5, best 0.9: nothing counts as worse than 0.5 - 3 * 0.4 = -0.7
    np.testing.assert_allclose(wild, targets(finished(0.3, 0.9, 0.5, 0.6, -0.7), maximise=True), atol=1e-12)
    assert mild[1] - mild[0] == pytest.approx(wild[1] - wild[0], rel=0.3)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_the_size_of_the_values_does_not_matter(size: float) -> None:
    values = (0.3, 0.9, 0.5)
    scaled = finished(*(value * size for value in values))
    np.testing.assert_allclose(targets(scaled, maximise=True), targets(finished(*values), maximise=True))


def test_equal_values_teach_nothing() -> None:
    np.testing.assert_array_equal(targets(finished(0.1, 0.1, None), maximise=True), [0, 0, 0])


def test_values_are_turned_so_that_larger_is_better() -> None:
    assert oriented(finished(2.0, None, -4.0), maximise=True).tolist() == [0.5, -1.0, -1.0]
    assert oriented(finished(2.0, None, -4.0), maximise=False).tolist() == [-0.5, -0.5, 1.0]


def test_points_in_the_middle_of_their_ranges_are_expected_and_choices_are_alike() -> None:
    space = Space.from_mapping(MIXED)
    numeric = [dimension.kind != "categorical" for dimension in space.dimensions]
    u = np.full((4, len(numeric)), 0.5)
    u[1, [*space.by_name].index("learning_rate")] = 0.9
    u[2, :] = np.where(numeric, 0.5, 0.0)
    u[3, :] = np.where(numeric, 0.1, 0.5)
    points = cube.Points(u, np.ones(u.shape, dtype=bool))
    np.testing.assert_allclose(within(space, points), [0, -0.5, 0, -0.5 * sum(numeric)])
