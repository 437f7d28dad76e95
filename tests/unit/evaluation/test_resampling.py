from __future__ import annotations

import math

import numpy as np
import pytest

from hakken.evaluation import resampling
from hakken.evaluation.bootstrap import draw
from hakken.evaluation.resampling import Bootstrapped, Resampled, bootstrapped, over_patients, per_patient


def totals(counts: np.ndarray) -> dict[str, np.ndarray]:
    return {"first": counts[:, 0].astype(float), "all": counts.sum(axis=1).astype(float)}


def test_blocks_are_the_rows_of_one_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = np.arange(7)
    whole = over_patients(patient, 50, 3, totals)
    monkeypatch.setattr(resampling, "BLOCK", 20)
    blocks = over_patients(patient, 50, 3, totals)
    np.testing.assert_array_equal(whole.values["first"], draw(7, 50, 3)[:, 0])
    np.testing.assert_array_equal(blocks.values["first"], whole.values["first"])
    assert (blocks.values["all"] == 7).all()
    np.testing.assert_array_equal(
        over_patients(patient, 50, 3, totals, width=19).values["first"], whole.values["first"]
    )


def test_unusable_resamples_are_skipped_and_counted() -> None:
    found = over_patients(np.arange(2), 1000, 0, totals, lambda counts: counts[:, 0] > 0)
    assert found.drawn == 1000
    assert len(found.values["first"]) == 1000 - found.skipped
    assert 200 < found.skipped < 300  # a quarter
    assert found.values["first"].min() == 1


def test_one_patient_and_no_resamples_give_no_values() -> None:
    assert over_patients(np.zeros(5, np.int64), 100, 0, totals).values == {}
    assert over_patients(np.arange(5), 0, 0, totals).values == {}


def test_undefined_replicates_are_left_out_and_counted() -> None:
    values = {"x": np.concatenate([np.arange(101.0), [math.nan, math.nan]])}
    assert bootstrapped(50.0, Resampled(values, 103, 0, 0), "x") == Bootstrapped(2.5, 97.5, 2)
    assert bootstrapped(None, Resampled(values, 103, 0, 0), "x") == Bootstrapped(None, None, 0)
    assert bootstrapped(1.0, Resampled({}, 0, 0, 0), "x") == Bootstrapped(None, None, 0)


def test_sums_of_patients() -> None:
    sums = per_patient(np.array([0, 2, 0]), np.array([[1.0, 1], [5, 1], [3, 1]]))
    assert sums.tolist() == [[4, 2], [0, 0], [5, 1]]
