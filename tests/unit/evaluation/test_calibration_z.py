"""Calibration of z: worked by hand, normal where it is normal, and intervals by patient instead of by voxel."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hakken.evaluation.calibration_z import BINS, END, WIDTH, Voxels, calibrate_z, edges, histogram, quantile


def test_worked_by_hand() -> None:
    # mean (1 + 3 - 2 + 0 + 4) / 5 = 6 / 5, variance 30 / 5 - 36 / 25 = 114 / 25
    found = calibrate_z(Voxels.of([np.array([1.0, 3.0]), np.array([-2.0, 0.0, 4.0])], ["a", "b"]), 100, 0)
    assert found.mean.value == pytest.approx(6 / 5)
    assert found.sd.value == pytest.approx(np.sqrt(114 / 25))
    assert {level: share.value for level, share in found.beyond.items()} == pytest.approx(
        {"2": 2 / 5, "3": 2 / 5, "4": 1 / 5}
    )
    assert [case.mean for case in found.each] == pytest.approx([2, 2 / 3])
    assert [case.sd for case in found.each] == pytest.approx([1, np.sqrt(56) / 3])
    assert (found.cases, found.patients, found.mean_met, found.sd_met) == (2, 2, False, False)
    # Two patients, drawn with replacement: twice the first, twice the second, or both.
    assert (found.mean.low, found.mean.high) == pytest.approx((2 / 3, 2))


def test_standard_normal_voxels_are_calibrated() -> None:
    random = np.random.default_rng(0)
    voxels = Voxels.of([random.standard_normal(20_000) for _ in range(12)], [f"p{n}" for n in range(12)])
    found = calibrate_z(voxels, 200, 1)
    assert found.mean_met
    assert found.sd_met
    for level, share in found.beyond.items():
        assert share.value == pytest.approx(found.expected_beyond[level], abs=5e-4)
    for share, z in found.quantiles.items():
        assert z == pytest.approx(stats.norm.ppf(float(share)), abs=0.06)
    assert found.expected_beyond["3"] == pytest.approx(0.00134990, rel=1e-4)


def test_what_patients_share_widens_the_interval() -> None:
    random = np.random.default_rng(1)
    offsets = random.normal(0, 0.3, 16)
    cases = [offset + random.standard_normal(5000) for offset in offsets]
    found = calibrate_z(Voxels.of(cases, [f"p{n}" for n in range(16)]), 1000, 1)
    assert found.mean.low is not None
    assert found.mean.high is not None
    half = (found.mean.high - found.mean.low) / 2
    assert half == pytest.approx(1.96 * offsets.std() / 4, rel=0.2)  # voxels alone would give 1.96 / 283
    twice = Voxels.of(cases, [f"p{n // 2}" for n in range(16)])
    assert calibrate_z(twice, 100, 1).patients == 8


def test_one_patient_has_no_interval() -> None:
    found = calibrate_z(Voxels.of([np.arange(5.0), np.arange(3.0)], ["a", "a"]), 100, 0)
    assert (found.mean.low, found.sd.high) == (None, None)


def test_the_histogram_keeps_every_voxel() -> None:
    z = np.array([-99.0, -END, -0.01, 0.0, 0.01, WIDTH, END, 99.0])
    counts = histogram(z)
    assert counts.sum() == len(z)
    assert (counts[0], counts[-1]) == (1, 2)
    middle = int(np.searchsorted(edges(), 0.0)) + 1
    assert counts[middle - 1 : middle + 2].tolist() == [1, 2, 1]


def test_quantiles_are_interpolated_and_unknown_in_the_end_bins() -> None:
    counts = np.zeros(BINS)
    counts[int(np.searchsorted(edges(), 1.0)) + 1] = 10  # all in [1, 1.05)
    assert quantile(counts, 0.5) == pytest.approx(1.025)
    counts[-1] = 10
    assert quantile(counts, 0.9) is None


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf]])
def test_bad_voxels_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="every case needs voxels, and every z must be finite"):
        Voxels.of([np.array(values)], ["a"])
