"""Scales of intensities: shares of a window and back, in order, with the ends at 0 and 1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.imaging.scales import in_units, intensities_of, shares_of


@pytest.mark.parametrize("scale", ["linear", "log", "asinh"])
@given(values=st.lists(st.floats(0, 40, width=32), min_size=2, max_size=8), high=st.floats(5, 60))
def test_there_and_back(scale: str, values: list[float], high: float) -> None:
    given = np.array(sorted(values), np.float32)
    shares = shares_of(given, 0, high, scale)
    assert (np.diff(shares) >= 0).all()
    assert intensities_of(shares, 0, high, scale) == pytest.approx(given, rel=1e-3, abs=1e-3)
    assert shares_of(np.array([0.0, high]), 0, high, scale).tolist() == pytest.approx([0, 1], abs=1e-6)


def test_small_uptake_gets_more_room_on_the_other_scales() -> None:
    """The liver at SUV 2 of 40: a twentieth of the window, or three tenths."""
    assert shares_of(np.array(2.0), 0, 40) == pytest.approx(0.05)
    assert shares_of(np.array(2.0), 0, 40, "log") == pytest.approx(np.log(3) / np.log(41), rel=1e-5)
    assert shares_of(np.array(2.0), 0, 40, "asinh") == pytest.approx(np.arcsinh(2) / np.arcsinh(40), rel=1e-5)


def test_what_was_not_normalised_stays_as_it_is() -> None:
    assert in_units(np.array([0.25, 2.0]), {}).tolist() == [0.25, 2.0]
    record = {"zero": -1000.0, "one": 1000.0}
    assert in_units(np.array([0.0, 0.5, 1.0]), record).tolist() == [-1000, 0, 1000]
