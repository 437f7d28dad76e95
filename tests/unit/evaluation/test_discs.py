"""Discs of flat images: what they share, against numbers of a textbook and against counted pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.evaluation.discs import disc_overlaps, lens_area
from hakken.evaluation.findings import Candidates, Lesions


def test_two_equal_discs_one_radius_apart() -> None:
    # Weisstein: 2 pi / 3 - sqrt(3) / 2 of radius 1.
    (area,) = lens_area(np.ones(1), np.ones(1), np.ones(1))
    assert area == pytest.approx(2 * math.pi / 3 - math.sqrt(3) / 2)


@given(st.floats(2, 40), st.floats(2, 40), st.floats(0, 90))
@settings(max_examples=50, deadline=None)
def test_as_many_pixels_are_shared(a: float, b: float, distance: float) -> None:
    y, x = np.mgrid[-60:60:600j, -60:150:1050j]
    both = (np.hypot(y, x) < a) & (np.hypot(y, x - distance) < b)
    counted = np.count_nonzero(both) * (120 / 599) * (210 / 1049)
    (area,) = lens_area(np.array([a]), np.array([b]), np.array([distance]))
    assert area == pytest.approx(counted, abs=0.02 * math.pi * min(a, b) ** 2 + 1.5)


def test_pairs_of_a_case_that_touch() -> None:
    lesions = Lesions.of([0, 1], [(0, 0, 0), (0, 0, 0)], [4, 4])
    marks = Candidates.of([0, 0, 1], [(1, 0, 7), (9, 0, 0), (0, 0, 0)], [0.9, 0.8, 0.7], diameter_mm=[2, 2, 4])
    found = disc_overlaps(lesions, marks)
    assert (found.mark.tolist(), found.lesion.tolist()) == ([0, 2], [0, 1])
    assert found.iou.tolist() == pytest.approx([1 / 4, 1])  # a disc of radius 1 in one of radius 2; spheres: 1/8
