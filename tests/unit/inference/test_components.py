"""Connected components of a map as candidates: 26 neighbours, highest value, its place, whole volume."""

from __future__ import annotations

import numpy as np
import pytest

from hakken.core.volume import Geometry
from hakken.inference.components import components

GRID = Geometry((6, 7, 8), (2.0, 3.0, 4.0), (10.0, 20.0, 30.0))


def test_a_component_is_ranked_by_its_maximum_and_placed_there() -> None:
    values = np.zeros(GRID.shape_zyx, np.float32)
    values[1, 1, 1], values[1, 1, 2], values[2, 2, 3] = 3.5, 3.2, 4.0  # joined by a corner
    values[5, 5, 5] = 6.0
    values[0, 6, 7] = 2.99
    found = components(values, GRID, threshold=3.0, maximum=10)
    assert found.score.tolist() == pytest.approx([6.0, 4.0])
    assert found.voxel.tolist() == [[5, 5, 5], [2, 2, 3]]
    assert found.xyz.tolist() == [[20, 35, 50], [16, 26, 38]]
    assert found.size.tolist() == [24, 72]


def test_the_threshold_itself_belongs_to_a_component_and_the_mask_limits_it() -> None:
    values = np.full(GRID.shape_zyx, 3.0, np.float32)
    mask = np.zeros(GRID.shape_zyx, np.uint8)
    mask[2, 3] = 1
    found = components(values, GRID, mask, threshold=3.0, maximum=10)
    assert found.size.tolist() == [8 * 24]
    assert found.voxel.tolist() == [[2, 3, 0]]


def test_the_best_are_kept_and_equals_come_in_order() -> None:
    values = np.zeros(GRID.shape_zyx)
    values[4, 4, 4] = values[0, 2, 0] = values[0, 0, 2] = values[2, 0, 0] = 5.0
    found = components(values, GRID, threshold=3.0, maximum=3)
    assert found.voxel.tolist() == [[0, 0, 2], [0, 2, 0], [2, 0, 0]]


def test_nothing_above_the_threshold_is_no_candidate() -> None:
    found = components(np.zeros(GRID.shape_zyx), GRID, threshold=3.0, maximum=3)
    assert len(found) == 0
    assert found.xyz.shape == (0, 3)
