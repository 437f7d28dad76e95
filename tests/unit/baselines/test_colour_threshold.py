from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hakken.baselines.colour_threshold import choose_threshold, features_of, fit, predict, words
from hakken.core.errors import HakkenError
from hakken.imaging.prepared import PreparedCase

from ..methods.helpers import study
from .helpers import case_of


@pytest.fixture
def cases(tmp_path: Path) -> list[PreparedCase]:
    """Brightness tells nothing, the share of green everything."""
    random = np.random.default_rng(0)
    found = []
    for number in range(4):
        labels = np.zeros((1, 20, 20), np.int16)
        labels[0, 4 + number : 9 + number, 5:12] = 1
        total = random.uniform(0.5, 2, labels.shape)
        green = np.where(labels > 0, 0.2, 0.5) + random.uniform(-0.05, 0.05, labels.shape)
        red = random.uniform(0.3, 0.7, labels.shape) * (1 - green)
        image = np.stack([red, green, 1 - green - red]) * total
        found.append(case_of(tmp_path, f"c{number}", image, labels))
    return found


def test_the_best_threshold_of_all_is_found(cases: list[PreparedCase]) -> None:
    rule = choose_threshold(cases)
    assert (rule.feature, rule.above) == ("share of green", False)
    assert rule.dice > 0.95
    assert 0.24 < rule.level < 0.46
    overlap = [2 * (rule.mask(case) & (case.labels() > 0)).sum() / (rule.mask(case).sum() + 35) for case in cases]
    assert np.mean(overlap) == pytest.approx(rule.dice)


def test_what_is_kept_of_it_gives_the_same_mask(cases: list[PreparedCase]) -> None:
    values = fit(cases, study())
    (mask,) = predict(values, cases[0], study())["masks"].values()
    np.testing.assert_array_equal(mask, choose_threshold(cases).mask(cases[0]))
    assert words(values, study()).startswith("share of green <= 0.")


def test_shares_are_those_of_the_intensities_as_they_were(tmp_path: Path) -> None:
    raw = np.random.default_rng(0).uniform(10, 200, (3, 1, 8, 8))
    case = case_of(tmp_path, "a", (raw - 100) / 40, np.zeros((1, 8, 8), np.int16))
    records = {name: {"zero": 100.0, "one": 140.0} for name in case.channels}
    shares = features_of(replace(case, normalisation=records))["share of blue"]
    assert np.abs(shares - raw[2] / raw.sum(0)).max() < 1e-3


def test_a_channel_that_cases_may_lack_is_no_feature(tmp_path: Path) -> None:
    image = np.random.default_rng(0).uniform(0.2, 1, (3, 1, 8, 8))
    two = case_of(tmp_path, "two", image[:2], np.zeros((1, 8, 8), np.int16))
    case = case_of(tmp_path, "a", image, np.zeros((1, 8, 8), np.int16))
    lacking = replace(case, channels=("red", "green", "blue", "late", "late_present"), optional={"late": False})
    assert lacking.complete == ("red", "green", "blue")
    lacking = replace(case, channels=("red", "blue", "blue_present"), optional={"blue": False})
    assert list(features_of(lacking)) == ["red"]
    three = replace(case, channels=("red", "green", "green_present"), optional={"green": True})
    np.testing.assert_array_equal(features_of(three)["red"], features_of(two)["red"])


def test_one_channel_has_one_feature(tmp_path: Path) -> None:
    case = case_of(tmp_path, "a", np.ones((1, 1, 4, 4)), np.zeros((1, 4, 4), np.int16))
    assert list(features_of(case)) == ["red"]
    with pytest.raises(HakkenError, match="no case has a lesion, so there is no threshold to choose"):
        choose_threshold([case])
