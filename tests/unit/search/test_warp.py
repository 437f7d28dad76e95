"""On what scale the model learns: exact scales, their derivatives, and the choice among them."""

from __future__ import annotations

import numpy as np
import pytest

from hakken.search import warp
from hakken.search.gaussian import Encoder, most_telling
from hakken.search.warp import KNEES, learn, scaled

PLAIN = Encoder((0, 1, 2), np.zeros(3, dtype=bool))


def features(count: int, seed: int = 0) -> np.ndarray:
    """Features (n, 6) of points of three active numbers."""
    u = np.random.default_rng(seed).random((count, 3))
    return np.hstack([u, np.ones_like(u)])


def test_a_logarithm_of_what_lacks_to_the_best() -> None:
    # best 4, median 2: s = 2; with a knee of 0.5 the values are -log(1 + 4 - value)
    targets, _ = scaled(np.array([0.0, 2.0, 4.0]), 0.5)
    raw = -np.log([5.0, 3.0, 1.0])
    np.testing.assert_allclose(targets, (raw - raw.mean()) / raw.std())


def test_where_most_are_the_best_the_mean_distance_counts() -> None:
    targets, _ = scaled(np.array([0.0, 4.0, 4.0]), 0.75)  # s = 4 / 3
    raw = -np.log([5.0, 1.0, 1.0])
    np.testing.assert_allclose(targets, (raw - raw.mean()) / raw.std())


@pytest.mark.parametrize("knee", KNEES)
def test_the_derivative_of_a_scale_is_that_of_its_differences(knee: float) -> None:
    values = np.array([-3.0, 0.2, 0.25, 0.9, 1.0, 1.0])
    targets, logarithms = scaled(values, knee)
    assert targets.mean() == pytest.approx(0, abs=1e-12)
    assert targets.std() == pytest.approx(1)
    step, gap = 1e-6, values.max() - values
    spread = np.median(gap)

    def raw(lack: np.ndarray) -> np.ndarray:
        return -np.log(knee * spread + lack) if np.isfinite(knee) else -lack

    slopes = (raw(gap - step) - raw(gap + step)) / (2 * step) / raw(gap).std()
    np.testing.assert_allclose(logarithms, np.log(slopes), atol=1e-4)


def chosen(values: np.ndarray, x: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Return the probabilities of the scales."""
    told: list[np.ndarray] = []
    real = warp._probabilities

    def tell(*arguments: object) -> np.ndarray:
        told.append(real(*arguments))  # type: ignore[arg-type]
        return told[-1]

    monkeypatch.setattr(warp, "_probabilities", tell)
    learn(PLAIN, x, values, np.random.default_rng(0))
    return told[0]


def test_well_scaled_values_are_learnt_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    x = features(40)
    probabilities = chosen(np.sin(3 * x[:, 0]) + x[:, 1], x, monkeypatch)
    assert probabilities[:2].sum() > 0.5  # as measured, or hardly bent
    assert probabilities.sum() == pytest.approx(1)


def test_values_with_a_heavy_tail_are_learnt_as_logarithms(monkeypatch: pytest.MonkeyPatch) -> None:
    x = features(40)
    probabilities = chosen(-np.exp(6 * (np.sin(3 * x[:, 0]) + x[:, 1])), x, monkeypatch)
    assert probabilities[0] < 0.01


def test_one_catastrophe_leaves_good_trials_apart() -> None:
    x = features(12)
    values = x[:, 0] / 1e9
    values[3] = -1.0
    model = learn(PLAIN, x, values, np.random.default_rng(0))
    expected = model.predict(x).means[0]
    others = np.delete(np.arange(12), 3)
    assert np.corrcoef(np.argsort(np.argsort(expected[others])), np.argsort(np.argsort(values[others])))[0, 1] > 0.9


def test_equal_values_teach_nothing() -> None:
    model = learn(PLAIN, features(5), np.full(5, 0.3), np.random.default_rng(0))
    np.testing.assert_array_equal(model.predict(features(4, seed=1)).means[0], 0)


def test_all_trials_count_where_the_scales_are_compared_on_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warp, "MOST_JUDGED", 10)
    x = features(30)
    model = learn(PLAIN, x, x[:, 0] + x[:, 1], np.random.default_rng(0))
    assert len(model.x) == 30
    np.testing.assert_allclose(np.argsort(model.predict(x).means[0])[-5:], np.argsort(x[:, 0] + x[:, 1])[-5:])


def test_the_best_half_and_an_even_choice_of_the_rest_tell_most() -> None:
    # by rank 1, 3 are the best; of 2, 5, 4, 0 the first and the last
    assert most_telling(np.array([0.1, 0.9, 0.5, 0.8, 0.2, 0.3]), 4).tolist() == [0, 1, 2, 3]
    assert most_telling(np.array([0.1, 0.9]), 4).tolist() == [0, 1]
