from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from hakken.evaluation.proportions import Interval, clopper_pearson, share, wilson


@pytest.mark.parametrize(
    ("count", "total", "score", "exact"),
    [  # Newcombe, Statistics in Medicine 1998;17:857-872, table I, methods 3 and 5
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_the_published_intervals(
    count: int, total: int, score: tuple[float, float], exact: tuple[float, float]
) -> None:
    assert tuple(round(end, 4) for end in wilson(count / total, total)) == score
    assert tuple(round(end, 4) for end in clopper_pearson(count, total)) == exact


@given(st.integers(1, 400), st.data())
def test_intervals_hold_the_share_and_agree_with_scipy(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    found = share(count, total)
    reference = binomtest(count, total)
    for interval, method in ((found.wilson, "wilson"), (found.clopper_pearson, "exact")):
        assert interval.low is not None and interval.high is not None and found.value is not None
        assert 0 <= interval.low <= found.value <= interval.high <= 1
        ends = reference.proportion_ci(0.95, method=method)
        assert (interval.low, interval.high) == pytest.approx((ends.low, ends.high), abs=1e-12)


def test_a_share_of_nothing_is_undefined() -> None:
    found = share(0, 0)
    assert (found.value, found.wilson, found.clopper_pearson) == (None, Interval(None, None), Interval(None, None))
