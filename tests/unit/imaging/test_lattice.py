from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.core.volume import Geometry, Volume
from hakken.imaging.convert import from_image, to_image
from hakken.imaging.lattice import onto_lattice

from .conftest import TILT

GRID = Geometry((3, 4, 5), (0.7, 1.1, 2.5), (10.0, -20.0, 30.0), TILT)
VALUES = np.arange(60, dtype=np.int16).reshape(3, 4, 5)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(product([False, True], repeat=3)))
def test_every_order_of_the_axes_comes_back_exactly(order: Any, flips: Any) -> None:
    image = sitk.Flip(sitk.PermuteAxes(to_image(Volume.on(GRID, VALUES)), order), flips)
    found = onto_lattice(from_image(image), GRID)
    assert found is not None
    assert np.array_equal(found.array, VALUES)
    assert found.array.dtype == np.int16
    assert found.geometry == GRID


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": (10.2, -20.0, 30.0)},
        {"spacing": (0.7, 1.1, 2.6)},
        {"direction": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)},
    ],
)
def test_another_lattice_is_none_of_it(changed: Any) -> None:
    content = {"spacing": GRID.spacing, "origin": GRID.origin, "direction": GRID.direction} | changed
    assert onto_lattice(Volume(VALUES, **content), GRID) is None


def test_another_shape_is_another_lattice() -> None:
    assert onto_lattice(Volume(VALUES[:2], GRID.spacing, GRID.origin, GRID.direction), GRID) is None


def test_rounding_of_headers_is_allowed() -> None:
    near = Volume(VALUES, GRID.spacing, (10.004, -20.0, 30.0), GRID.direction)
    found = onto_lattice(near, GRID)
    assert found is not None
    assert found.geometry == GRID
