"""Settings of the method `dense` for a cohort, from what its images are like and from the memory that there is.

After nnU-Net (Isensee et al., Nat Methods 2021): the grid is the median voxel, images whose slices are more than three
times as thick as their pixels are not seen through cubes, and the network has as many levels as leave four voxels along
a window's edge on the coarsest. Unlike there a window is no larger than what a lesion and its surroundings need, since
half of the windows are put on lesions and most trainings run on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hakken.commands.own_images import Facts
from hakken.methods.dense.memory import training_bytes

THICK = 3.0
"""So many times as thick as its pixels are wide, a slice is seen by itself."""

FEW_SLICES = 32
"""With fewer slices, and less than half as many as pixels along an edge, slices are seen one by one as well."""

USUAL, MOST = {2: 128, 3: 48}, {2: 256, 3: 64}
"""The edge of a window in voxels where nothing speaks for another, and the largest, by its axes."""

SEEN = 2 * 48**3
"""Voxels of a mini-batch; a step of so many takes some 0.1 to 0.2 s on one core."""

LARGEST_BATCH, LEAST_BATCH = 16, 2
COARSEST = 4
"""Least edge in voxels on the coarsest level."""

MOST_LEVELS = {2: 6, 3: 5}

Content = dict[str, Any]


@dataclass(frozen=True)
class Windows:
    """How a case is seen: axes of a window, its edge in voxels, levels of the network, windows of a mini-batch."""

    axes: int
    edge: int
    levels: int
    batch: int


def axes_of(facts: Facts) -> tuple[int, str]:
    """Return the axes of a window and why: 2 where slices are to be seen one by one."""
    x, y, z = facts.spacing_mm
    across, down, slices = facts.least_shape_voxel
    if facts.flat:
        return 2, "flat images"
    if z / max(x, y) > THICK:
        return 2, f"slices of {z:g} {facts.unit} are more than {THICK:g} times as thick as pixels of {max(x, y):g}"
    if slices < FEW_SLICES and 2 * slices < min(across, down):
        return 2, f"the smallest image has {slices} slices, too few to be seen through cubes"
    return 3, "slices are about as thick as pixels are wide"


def windows_of(facts: Facts, memory: float, reasons: dict[str, str]) -> Windows:
    """Return how cases are seen so that a training holds at most about ``memory`` bytes, and write down why."""
    axes, why = axes_of(facts)
    reasons["parameters.axes"] = why
    edge, why = _edge(facts, axes)
    levels, batch = _levels(edge, axes), _batch(edge, axes)
    while batch > LEAST_BATCH and _bytes(edge, axes, batch) > memory:
        batch -= 1
    wanted = edge
    while edge > 16 and _bytes(edge, axes, batch) > memory:
        edge -= 8
        levels = _levels(edge, axes)
    if edge < wanted:
        why += f"; no more fits into {memory / 1e9:.2g} GB"
    needed = _bytes(edge, axes, batch) / 1e9
    reasons["parameters.patch_size"] = f"edge in voxels: {why}; a training needs about {needed:.1f} GB"
    reasons["parameters.levels"] = f"{edge} voxels become {max(1, edge // 2 ** (levels - 1))} on the coarsest level"
    reasons["parameters.batch_size"] = f"about as many voxels as {LEAST_BATCH} cubes of 48, at least {LEAST_BATCH}"
    return Windows(axes, edge, levels, batch)


def dense_parameters(facts: Facts, memory: float, reasons: dict[str, str]) -> Content:
    """Return the section `parameters`."""
    seen = windows_of(facts, memory, reasons)
    content: Content = {
        "batch_size": seen.batch,
        "patch_size": seen.edge,
        "axes": seen.axes,
        "levels": seen.levels,
    }
    if seen.levels == 2:
        content["supervised"] = 1
        reasons["parameters.supervised"] = "two levels have one on the way up"
    if facts.truth == "lesion_table":
        content["target"] = "heat"
        reasons["parameters.target"] = "tables hold centres and diameters and no outlines: a Gaussian about each centre"
    return content


def dense_scales() -> Mapping[str, Content]:
    """Return what differs at each scale of the training: a look, a first answer, and the whole."""
    return {
        "tiny": {"steps": 120, "validate_every": 60, "checkpoint_seconds": 10},
        "small": {"steps": 1500, "validate_every": 250},
    }


def _edge(facts: Facts, axes: int) -> tuple[int, str]:
    """Return the edge of a window in voxels, a multiple of 8, and why: twice a large lesion that fits the images."""
    fits = _shortest(facts, axes)
    usual, most = USUAL[axes], MOST[axes]
    edge, why = usual, "no lesion was measured: a usual size"
    if facts.diameters_mm:
        large = float(np.percentile(facts.diameters_mm, 90))
        wanted = 16 * math.ceil(2 * large / min(facts.spacing_mm[:axes]) / 16)
        edge = min(max(wanted, usual), most)
        why = f"twice the diameter that 90 % of {len(facts.diameters_mm)} lesions stay below ({large:.3g} {facts.unit})"
        why += f", from {usual} to {most}"
    if edge > fits:
        edge = max(8, fits // 8 * 8)
        why += f"; but the smallest image has {fits} voxels along its shortest edge"
    return edge, why


def _shortest(facts: Facts, axes: int) -> int:
    return min(facts.least_shape_voxel[:axes])


def _levels(edge: int, axes: int) -> int:
    """Return how many levels leave `COARSEST` voxels along an edge.

    >>> [_levels(edge, 3) for edge in (8, 16, 32, 48, 64)], _levels(256, 2)
    ([2, 3, 4, 4, 5], 6)
    """
    return min(max(2, int(math.log2(edge / COARSEST)) + 1), MOST_LEVELS[axes])


def _batch(edge: int, axes: int) -> int:
    return min(max(round(SEEN / float(edge**axes)), LEAST_BATCH), LARGEST_BATCH)


def _bytes(edge: int, axes: int, batch: int) -> float:
    return training_bytes(edge, axes, batch_size=batch, levels=_levels(edge, axes))
