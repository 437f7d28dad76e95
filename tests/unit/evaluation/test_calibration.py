from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from hakken.evaluation.calibration import calibrate, defined, quantile_bins
from hakken.evaluation.proportions import wilson

from .test_roc import POSITIVE, SCORE, cohorts


def test_two_bins_by_hand() -> None:
    found = calibrate(POSITIVE, SCORE, bins=2)
    low, high = found.bins
    assert (low.low, low.high, low.count, low.share) == (0.1, 0.6, 5, 2 / 5)  # both 0.6 stay in one bin
    assert (high.low, high.high, high.count, high.share) == (0.7, 0.9, 3, 2 / 3)
    assert (low.mean_score, high.mean_score) == pytest.approx((0.36, 0.8))
    assert (low.wilson.low, low.wilson.high) == wilson(2 / 5, 5)
    assert found.expected_error == pytest.approx((5 * 0.04 + 3 * (0.8 - 2 / 3)) / 8)  # 0.075
    assert found.brier == pytest.approx((0.01 + 0.04 + 0.16 + 0.49 + 0.49 + 0.36 + 0.04 + 0.01) / 8)  # 0.2


def test_the_parts_of_the_brier_score_by_hand() -> None:
    parts = calibrate(POSITIVE, SCORE, bins=2).decomposition
    assert parts.reliability == pytest.approx((5 * 0.04**2 + 3 * (2 / 15) ** 2) / 8)
    assert parts.resolution == pytest.approx((5 * 0.1**2 + 3 * (1 / 6) ** 2) / 8)
    assert parts.uncertainty == 1 / 4
    assert parts.within_variance == pytest.approx((0.212 + 0.02) / 8)
    assert parts.within_covariance == pytest.approx(2 * (0.18 + 0.1) / 8)


@given(cohorts(), st.integers(1, 12))
def test_the_parts_add_up_to_the_brier_score(cohort: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    positive, score = cohort[0], (cohort[1] + 6) / 12
    found = calibrate(positive, score, bins)
    parts = found.decomposition
    three = parts.reliability - parts.resolution + parts.uncertainty
    assert three + parts.within_variance - parts.within_covariance == pytest.approx(found.brier, abs=1e-12)
    assert found.brier == pytest.approx(brier_score_loss(positive, score))
    assert 0 <= found.expected_error <= 1
    assert sum(part.count for part in found.bins) == len(score)
    assert len(found.bins) <= bins


def test_bins_of_distinct_scores_are_of_like_size_and_ties_stay_together() -> None:
    assert np.bincount(quantile_bins(np.linspace(0, 1, 100), 10)).tolist() == [10] * 10
    assert quantile_bins(np.array([0.5, 0.5, 0.5, 0.1]), 10).tolist() == [1, 1, 1, 0]
    assert quantile_bins(np.full(4, 0.3), 10).tolist() == [0, 0, 0, 0]


def test_a_perfect_forecast() -> None:
    found = calibrate(POSITIVE, POSITIVE.astype(float))
    assert (found.expected_error, found.brier, found.decomposition.resolution) == (0, 0, 0.25)


def test_scores_beyond_probabilities_are_refused() -> None:
    assert not defined(np.array([0.5, 1.01]))
    assert not defined(np.array([-0.01, 0.5]))
    assert defined(np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"within \[0, 1\]"):
        calibrate(POSITIVE, SCORE + 1)
