"""Volumes of known diffusion parameters: regions, ratios, noise, and that all of it depends on seed and case alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hakken.cohort.phantom import phantom_cases
from hakken.imaging.diffusion import RANGES, signals
from hakken.phantoms.diffusion.draw import SCALE, Volume, draw_case
from hakken.study import Study
from hakken.study.reading import parse_study

SNR, REGIONS, VOXELS = (2.0, 5.0), 30, 40


def study(seed: int = 1, **options: Any) -> Study:
    phantom = {
        "generator": "diffusion",
        "cases": {"train": 0, "validation": 2, "test": 1},
        "snr": SNR,
        "regions": REGIONS,
        "voxels": VOXELS,
    }
    content = {
        "name": "signals",
        "seed": seed,
        "method": "parameter_regression",
        "cohort": {"kind": "items", "files": ["signals", "truth"], "phantom": phantom | options},
        "outcomes": {"numbers": {"quantities": ["D"]}},
    }
    return parse_study(content)


def drawn(number: int = 0, **changes: Any) -> Volume:
    chosen = study(**changes)
    return draw_case(phantom_cases(chosen)[number], chosen)


def test_each_region_has_one_truth_and_is_measured_at_each_ratio() -> None:
    volume = drawn()
    truth = volume.files(study())["truth"]
    each = len(SNR) * VOXELS
    assert volume.truth == {"regions": REGIONS, "voxels": REGIONS * each, "signal": "ivim"}
    for name in ("D", "D_star", "f"):
        regions = truth[name].reshape(REGIONS, each)
        assert (regions == regions[:, :1]).all()
        low, high = RANGES[name]
        assert (low <= regions).all()
        assert (regions <= high).all()
        assert len(np.unique(regions)) == REGIONS
    assert truth["snr"].reshape(REGIONS, len(SNR), VOXELS)[:, :, 0].tolist() == [list(SNR)] * REGIONS


def test_signals_are_those_of_the_model_with_rician_noise() -> None:
    files = drawn().files(study())
    measured, truth = files["signals"]["signals"].astype(float) / SCALE, files["truth"]
    b = files["signals"]["b"]
    clean = signals("ivim", b, [truth["D"], truth["D_star"], truth["f"]])
    assert files["signals"]["signals"].dtype == np.float32
    np.testing.assert_array_equal(files["signals"]["snr"], truth["snr"])
    for snr in SNR:
        chosen = truth["snr"] == snr
        excess = (measured[chosen] ** 2 - clean[chosen] ** 2).mean()
        assert excess == pytest.approx(2 / snr**2, rel=0.1)


@pytest.mark.parametrize("signal", ["ivim", "dki"])
def test_the_signal_and_its_ranges_are_those_of_the_study(signal: str) -> None:
    truth = drawn(signal=signal, ranges={"D": [0.001, 0.0011]}).files(study())["truth"]
    assert list(truth) == [*(("D", "D_star", "f") if signal == "ivim" else ("D", "K")), "snr"]
    assert 0.001 <= truth["D"].min() < truth["D"].max() <= 0.0011


def test_a_volume_depends_on_seed_and_case_alone() -> None:
    first = drawn().files(study())["signals"]["signals"]
    np.testing.assert_array_equal(drawn().files(study())["signals"]["signals"], first)
    for other in (drawn(1), drawn(seed=2)):
        assert not np.array_equal(other.files(study())["signals"]["signals"], first)
