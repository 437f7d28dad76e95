"""The largest diameter of a mask: exact for boxes, within a voxel for balls, the same whichever way it is turned."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hakken.evaluation.extent import largest_diameter, largest_of_pieces


@pytest.mark.parametrize(
    ("shape", "spacing", "expected"),
    [
        ((1, 1, 7), (1.0, 1.0, 0.5), 3.5),
        ((3, 1, 1), (2.0, 1.0, 1.0), 6.0),
        ((1, 1, 1), (2.0, 3.0, 1.0), 3.0),  # a flat mask knows no depth, and its one voxel is 3 mm high
        ((2, 2, 2), (1.0, 1.0, 1.0), math.sqrt(4 + 1 + 1)),  # from a face to the opposite one, a voxel across
        ((1, 3, 4), (1.0, 1.0, 1.0), math.sqrt(16 + 4)),
    ],
)
def test_boxes(shape: tuple[int, ...], spacing: tuple[float, ...], expected: float) -> None:
    assert largest_diameter(np.ones(shape, bool), spacing) == pytest.approx(expected)


def test_a_ball_and_nothing() -> None:
    z, y, x = np.indices((40, 40, 40)) - 19.5
    ball = z**2 + y**2 + x**2 <= 15**2
    assert largest_diameter(ball, (1.0, 1.0, 1.0)) == pytest.approx(30, abs=1)
    assert largest_diameter(np.zeros((4, 4, 4), bool), (1.0, 1.0, 1.0)) is None


@given(arrays.arrays(bool, (3, 4, 5)))
def test_it_is_that_of_all_pairs_of_faces(mask: np.ndarray) -> None:  # type: ignore[type-arg]
    spacing = np.array((2.0, 1.0, 0.7))
    found = largest_diameter(mask, spacing.tolist())
    halves = np.concatenate([np.eye(3), -np.eye(3)]) / 2
    points = [(place + half) * spacing for place in np.argwhere(mask) for half in halves]
    pairs = [float(np.linalg.norm(one - other)) for one, other in itertools.combinations(points, 2)]
    assert (found is None) == (not pairs)
    assert found is None or found == pytest.approx(max(pairs))
    assert found == pytest.approx(largest_diameter(mask[::-1, :, ::-1], spacing.tolist())) if found else True


@given(st.integers(2, 9))
def test_a_line_in_any_direction_is_as_long(count: int) -> None:
    for axis in range(3):
        shape = [2, 2, 2]
        shape[axis] = count
        mask = np.zeros(shape, bool)
        mask[tuple(slice(None) if each == axis else 0 for each in range(3))] = True
        assert largest_diameter(mask, (1.0, 1.0, 1.0)) == pytest.approx(count)


def test_of_several_lesions_it_is_that_of_the_longest_and_not_their_span() -> None:
    mask = np.zeros((5, 9, 9), bool)
    mask[0, 0, 0], mask[2, 4, 1:6] = True, True
    mask[4, 8, 8] = True
    assert largest_of_pieces(mask, (3.0, 1.0, 1.0)) == pytest.approx(5)
    assert largest_of_pieces(mask[:1], (3.0, 1.0, 1.0)) == pytest.approx(1)  # flat: a pixel of 1 mm
    assert largest_of_pieces(mask[:2], (3.0, 1.0, 1.0)) == pytest.approx(3)  # a voxel 3 mm high
    assert largest_of_pieces(0 * mask, (1.0, 1.0, 1.0)) is None
