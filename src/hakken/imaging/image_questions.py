"""What is asked about images that can be read: values, slices and grids that are hardly those of a patient.

| what is odd | what it may be |
| --- | --- |
| two values alone | a mask in the column of an image |
| a slice that is the same as the one before | a slice that was copied, or a gap that was filled |
| nothing in the slices of one end | a file that was cut off and filled up |
| values from the lowest to the highest number of 16 bits | unsigned numbers that were read as signed ones |
| values that are nearly 0 | a factor that is missing, or was applied twice |
| a volume of one voxel along x or y | a slice whose axes stand in another order (stops) |
| one slice in a cohort of volumes, or the other way round | one file of a series, or a picture (stops) |
| voxels many times larger or smaller than those of most cases | lengths in another unit |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median

import numpy as np
from numpy.typing import NDArray

from hakken.core.problems import Problem
from hakken.core.volume import Geometry, Volume
from hakken.imaging.case_files import CaseFiles

LEAST = 1e-12
"""Highest value of an image that was measured; diffusion in m²/s is about 1e-9."""
WRAPPED = 0.97
"""So much of the range of 16 bits is used on both sides of 0 where numbers were taken for signed ones."""
EMPTY, FULL = 0.4, 0.1
"""So many of all slices are empty at one end, and so few at the other."""
OTHER_UNIT = 8.0
"""So many times larger or smaller is a voxel in each of its sides where a unit was mistaken; 10 is cm for mm."""
FEW = 5
"""Cases: of fewer nobody knows what is usual."""


def odd_image(case: CaseFiles, column: str, volume: Volume) -> Iterator[Problem]:
    """Yield what is odd about the pixels of a channel that are finite and not all the same."""
    z, y, x = volume.array.shape
    if z > 1 and min(y, x) == 1:
        reason = f"is a volume of one voxel along {'x' if x == 1 else 'y'} ({x}x{y}x{z})"
        remedy = "store a flat image as one slice, of x and y, and a volume with more voxels"
        yield Problem(case.case_id, column, reason, remedy, case.row)
        return
    reasons = [_values(volume.array), *(_slices(volume.array) if z > 2 else ())]
    for reason in filter(None, reasons):
        yield Problem(case.case_id, column, reason, "look whether this is right", case.row, stops=False)


def _values(array: NDArray[np.generic]) -> str:
    """Return what is odd about the values of an image, empty where nothing is."""
    low, high = float(array.min()), float(array.max())
    if max(-low, high) < LEAST:
        return f"has values from {low:.3g} to {high:.3g}, nearly 0: a factor may be missing"
    ends = np.iinfo(np.int16)
    if WRAPPED * ends.min >= low >= ends.min and WRAPPED * ends.max <= high <= ends.max:
        return f"has values from {low:g} to {high:g}: unsigned numbers may have been taken for signed ones"
    if bool(((array == low) | (array == high)).all()):
        return f"holds two values alone, {low:g} and {high:g}, as a mask does"
    return ""


def _slices(array: NDArray[np.generic]) -> Iterator[str]:
    """Yield what is odd about the slices of a volume (z, y, x), numbered from 0."""
    even = np.array([plane.min() == plane.max() for plane in array])
    same = [
        number for number in range(1, len(array)) if not even[number] and (array[number] == array[number - 1]).all()
    ]
    if same:
        first = f"slice {same[0]} is the same as slice {same[0] - 1}"
        yield f"repeats slices: {first}" + (f", and so are {len(same) - 1} more" if len(same) > 1 else "")
    ends = [_even_run(even), _even_run(even[::-1])]
    if not even.all() and max(ends) >= EMPTY * len(even) and min(ends) <= FULL * len(even):
        where = f"0 to {ends[0] - 1}" if ends[0] > ends[1] else f"{len(even) - ends[1]} to {len(even) - 1}"
        yield f"holds nothing in slices {where} of {len(even)}: it may have been cut off"


def _even_run(even: NDArray[np.bool_]) -> int:
    """Return how many slices from the first on hold one value each."""
    return int(np.argmin(even)) if not even.all() else len(even)


def odd_among(grids: Mapping[int | None, tuple[str, Geometry]], column: str) -> Iterator[Problem]:
    """Yield the cases whose reference channel is of another kind or size than that of most others.

    ``grids`` are by row of the case table: case id and grid.
    """
    flat = [row for row, (_, grid) in grids.items() if grid.is_flat]
    few = flat if 2 * len(flat) <= len(grids) else [row for row in grids if row not in flat]
    for row in few:
        case_id, grid = grids[row]
        kinds = ("one slice", "volumes") if grid.is_flat else ("a volume", "one slice each")
        reason = f"is {kinds[0]}, but {len(grids) - len(few)} of {len(grids)} cases are {kinds[1]}"
        yield Problem(case_id, column, reason, "give images of one kind; of a DICOM series name its folder", row)
    known = {row: one for row, one in grids.items() if one[1].unit == "mm" and row not in few}
    if len(known) < FEW:
        return
    sides = np.array([grid.spacing[:2] if grid.is_flat else grid.spacing for _, grid in known.values()])
    usual = np.array([median(side) for side in sides.T.tolist()])
    for (row, (case_id, _)), ratio in zip(known.items(), (sides / usual).tolist(), strict=True):
        if min(ratio) >= OTHER_UNIT or max(ratio) <= 1 / OTHER_UNIT:
            own, other = (" x ".join(f"{side:.3g}" for side in one) for one in (np.array(ratio) * usual, usual))
            reason = f"has voxels of {own} mm, most cases have {other} mm: its lengths may be in another unit"
            yield Problem(case_id, column, reason, "look whether this is right", row, stops=False)
