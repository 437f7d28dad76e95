"""The units of what is measured: of volumes mm and ml, of flat images areas; px where no size of a pixel is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hakken.core.volume import Geometry, Unit
from hakken.imaging.prepared import PreparedCase

MM3_PER_ML = 1000.0
VOLUMES = Geometry((2, 2, 2))


def grid_of(cases: Sequence[PreparedCase]) -> Geometry:
    """Return the grid of one of the ``cases``, which tells the units of all; that of a volume where there is none."""
    return cases[0].geometry if cases else VOLUMES


def unit_of(cases: Sequence[PreparedCase]) -> Unit:
    """Return the unit of the lengths of ``cases``."""
    return grid_of(cases).unit


def named_in(names: Iterable[str], grid: Geometry) -> tuple[str, ...]:
    """Return the names of measures as they are called on a ``grid``: each with its unit, areas where it is flat.

    >>> named_in(("truth_ml", "volume_error_ml", "hd95_mm"), Geometry((1, 9, 9), unit="px"))
    ('truth_px2', 'area_error_px2', 'hd95_px')
    """
    return tuple(_named(name, grid) for name in names)


def value_in(name: str, value: float | None, case: PreparedCase) -> float | None:
    """Return the value of a measure in the unit of its name on the grid of a ``case``: of a flat image an area."""
    if value is None or not case.geometry.is_flat or not name.endswith("_ml"):
        return value
    return value * MM3_PER_ML / case.geometry.spacing[2]


def _named(name: str, grid: Geometry) -> str:
    if grid.is_flat:
        name = name.replace("volume", "area")
        if name.endswith("_ml"):
            return f"{name.removesuffix('_ml')}_{grid.unit}2"
    return f"{name.removesuffix('_mm')}_{grid.unit}" if name.endswith("_mm") else name
