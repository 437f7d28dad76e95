from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.evaluation.bootstrap import Estimate, draw
from hakken.evaluation.summary import pool, summarise, weighted_medians


def test_mean_median_and_spread_by_hand() -> None:
    found = summarise([1.0, None, 2.0, 6.0], np.arange(4), draw(4, 500, 0))
    # Squares about the mean 3: 4 + 1 + 9 = 14, divided by 3 - 1.
    assert (found.cases, found.nulls, found.mean.value, found.median.value) == (3, 1, 3, 2)
    assert found.sd == pytest.approx(np.sqrt(7))


def test_replicates_are_the_cohorts_they_stand_for() -> None:
    rng = np.random.default_rng(1)
    patient = rng.integers(0, 6, 20)
    values = rng.normal(size=20)
    counts = draw(6, 300, 3)
    written = [np.repeat(values, row[patient]) for row in counts]
    found = summarise(values.tolist(), patient, counts)
    for entry, measure in ((found.mean, np.mean), (found.median, np.median)):
        ends = np.quantile([measure(cohort) for cohort in written], (0.025, 0.975))
        assert (entry.low, entry.high) == (pytest.approx(ends[0]), pytest.approx(ends[1]))
    hits, total = rng.integers(0, 3, 20), rng.integers(2, 5, 20)
    shares = [np.repeat(hits, row[patient]).sum() / np.repeat(total, row[patient]).sum() for row in counts]
    share = pool(hits, total, patient, counts).share
    assert share.value == pytest.approx(hits.sum() / total.sum())
    assert (share.low, share.high) == tuple(pytest.approx(end) for end in np.quantile(shares, (0.025, 0.975)))


def test_resamples_without_a_value_are_skipped_and_counted() -> None:
    counts = draw(2, 1000, 0)
    empty = int((counts[:, 0] == 0).sum())
    found = summarise([0.5, None], np.arange(2), counts)
    assert (found.skipped, found.mean) == (empty, Estimate(0.5, 0.5, 0.5))
    assert pool(np.array([1, 0]), np.array([2, 0]), np.arange(2), counts).skipped == empty > 0


def test_one_patient_and_no_value_have_no_interval() -> None:
    found = summarise([1.0, 3.0], np.zeros(2, int), draw(1, 100, 0))
    assert (found.mean, found.skipped) == (Estimate(2.0), 0)
    assert pool(np.array([1]), np.array([2]), np.zeros(1, int), draw(1, 100, 0)).share == Estimate(0.5)
    nothing = summarise([None, None], np.arange(2), draw(2, 100, 0))
    assert (nothing.cases, nothing.nulls, nothing.mean, nothing.sd) == (0, 2, Estimate(None), None)
    assert pool(np.array([0]), np.array([0]), np.arange(1), draw(1, 9, 0)).share == Estimate(None)
    assert summarise([4.0], np.arange(1), draw(1, 10, 0)).sd is None


@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 3)), min_size=1, max_size=9))
def test_a_weighted_median_is_that_of_the_values_written_out(pairs: list[tuple[float, int]]) -> None:
    values, weights = np.array([value for value, _ in pairs]), np.array([many for _, many in pairs])
    weights[0] += 1
    assert weighted_medians(values, weights[None])[0] == np.median(np.repeat(values, weights))


def test_where_all_or_none_count_the_interval_is_wilson_s_over_the_patients() -> None:
    # 0 of 6 lesions of two patients, a third has none: z² / (2 + z²)
    counts = draw(3, 200, 0)
    found = pool(np.array([0, 0, 0]), np.array([4, 2, 0]), np.arange(3), counts).share
    assert (found.value, found.low, found.high) == (0, 0, pytest.approx(3.8415 / 5.8415, abs=1e-4))
    every = pool(np.array([4, 2, 0]), np.array([4, 2, 0]), np.arange(3), counts).share
    assert (every.value, every.low, every.high) == (1, pytest.approx(2 / 5.8415, abs=1e-4), 1)
