from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.evaluation.bland_altman import agreement, bland_altman
from hakken.evaluation.bootstrap import Estimate

# Bland and Altman, Lancet 1986;1:307-310, table 1: peak expiratory flow in l/min, first readings of two meters.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_the_flow_meters_of_bland_and_altman() -> None:
    found = bland_altman(np.array(WRIGHT, float), np.array(MINI, float))
    assert found.cases == 17
    assert found.mean.value == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert found.mean.low == pytest.approx(-22.0, abs=0.1)  # printed: -22.0 to 17.8
    assert found.mean.high == pytest.approx(17.8, abs=0.1)


def test_the_blood_pressures_of_bland_and_altman() -> None:
    # Statistical Methods in Medical Research 1999: 85 differences of observer less machine, mean -16.29, SD 19.61.
    found = agreement(85, -16.29, 19.61)
    assert (found.lower.value, found.upper.value) == (pytest.approx(-54.7, abs=0.05), pytest.approx(22.1, abs=0.05))
    # The standard error of a limit is 19.61 * sqrt(1 / 85 + 1.96^2 / 168) = 3.6520; t with 84 degrees is 1.9886.
    assert (found.lower.low, found.lower.high) == (pytest.approx(-61.99, abs=0.01), pytest.approx(-47.46, abs=0.01))
    assert (found.upper.low, found.upper.high) == (pytest.approx(14.88, abs=0.01), pytest.approx(29.41, abs=0.01))


def test_three_pairs_by_hand() -> None:
    # Differences 1, 2, 3: mean 2, SD 1; t with 2 degrees of freedom is 4.3027.
    found = bland_altman(np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0]))
    assert (found.mean.value, found.sd) == (2, 1)
    assert found.mean.high == pytest.approx(2 + 4.302653 / np.sqrt(3))
    assert found.upper.value == pytest.approx(3.96)
    assert found.upper.high == pytest.approx(3.96 + 4.302653 * np.sqrt(1 / 3 + 1.96**2 / 4))


def test_one_pair_has_a_mean_alone_and_no_pair_is_an_error() -> None:
    found = bland_altman(np.array([3.0]), np.array([1.0]))
    assert (found.mean, found.sd, found.upper) == (Estimate(2.0), None, Estimate(None))
    with pytest.raises(HakkenError, match=r"^0 and 0 measurements: pairs of them are needed$"):
        bland_altman(np.empty(0), np.empty(0))


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=2, max_size=12))
def test_turning_the_measurements_round_turns_the_limits_round(pairs: list[tuple[float, float]]) -> None:
    one, other = np.array(pairs).T
    found, turned = bland_altman(one, other), bland_altman(other, one)
    assert found.lower.value is not None and turned.upper.value is not None
    assert found.lower.value == pytest.approx(-turned.upper.value)
    assert found.sd == pytest.approx(turned.sd)
