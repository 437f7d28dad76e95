"""Pictures of cases: which cases, which grey values, which slice, at which threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.volume import Geometry
from hakken.imaging.cases import image
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Measured, Thresholds, in_order
from hakken.plots.letters import fitted
from hakken.runs.cases import read_cases

PERCENTILES = (1.0, 99.5)
"""The grey values inside the mask of a case that become black and white."""


def images_of(places: Sequence[Path]) -> tuple[PreparedCase, ...]:
    """Return the prepared cases of some batches, in the order of their ids."""
    return tuple(image(case) for case in in_order(read_cases(places)))


def named(case: PreparedCase, letters: int = 24) -> str:
    """Return what a case is called below its picture: its id, shortened, and the optional channels that it lacks."""
    without = f" (no {', '.join(case.missing)})" if case.missing else ""
    return f"{fitted(case.case_id, letters)}{without}"


def window_of(picture: NDArray[Any], mask: NDArray[Any]) -> tuple[float, float]:
    """Return which values of a volume (z, y, x) are black and white, from those inside the ``mask``."""
    inside = picture[mask > 0].astype(np.float32)
    low, high = np.percentile(inside, PERCENTILES).tolist() if inside.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1)


def blacked(pixels: NDArray[Any], mask: NDArray[Any], window: tuple[float, float]) -> NDArray[np.float32]:
    """Return the pixels of a slice with what lies outside of the ``mask`` black.

    Prepared images are 0 there, which is the mean grey of an image whose mean was made 0.
    """
    return np.where(mask > 0, pixels, np.float32(window[0])).astype(np.float32)


def voxel_at(geometry: Geometry, xyz: NDArray[np.float64]) -> tuple[int, int, int]:
    """Return the voxel z, y, x nearest to a place x, y, z in mm, on the grid."""
    nearest = np.rint(geometry.to_voxel(xyz[None])[0]).astype(int)
    z, y, x = np.clip(nearest, 0, np.array(geometry.shape_zyx) - 1).tolist()
    return z, y, x


def slices_named(cases: Sequence[PreparedCase], many: bool = True) -> str:
    """Return what is shown of ``cases``: axial slices of volumes, flat images as they are.

    >>> slices_named([]), slices_named([], many=False)
    ('axial slices', 'axial slice')
    """
    what = "image" if cases and cases[0].geometry.is_flat else "axial slice"
    return f"{what}s" if many else what


def thresholds_of(measured: Measured, case_ids: Sequence[str]) -> Thresholds | None:
    """Return the threshold of a measurement: one, that of each case where each has its own, or None without one."""
    point = measured.point or {}
    if own := point.get("thresholds"):
        return np.array([own[case_id] for case_id in case_ids], float)
    value = point.get("threshold")
    return None if value is None else float(value)
