"""From a map of probabilities at every voxel to candidates: the branches of its component tree.

The voxels at or above a level form 26-connected components; as the level rises they shrink, part and vanish, which
makes a tree (Salembier et al., Antiextensive connected operators, IEEE Trans Image Process 1998). Each component at the
lowest level is a branch. Where one parts into several whose peaks stand by at least a given prominence above the level,
each of them is a branch of its own, so that touching lesions, or a lesion on a vessel, are told apart, and one lesion
with a rough top is not told as many.

Levels and prominence are in logits, on which 0.99 and 0.999 are as far apart as 0.1 and 0.5. Each branch is one
candidate: its score is its highest probability, its mask the component where it has parted, its place the voxel of its
summit that is nearest to the centre of mass of the summit, which is what reaches nine tenths of its score. Axes are
(z, y, x).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.volume import Geometry
from hakken.inference.candidates import EVERYWHERE, Candidates

STEP = 0.25
"""Distance of two levels in logits."""
HIGHEST = 12.0
"""The logit beyond which two probabilities pass for the same: float32 tells no more apart."""

SUMMIT = 0.9
"""What belongs to the summit of a branch, as a part of its highest probability."""

Floats = NDArray[np.float64]
Region = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Branch:
    """A branch of the tree: its ``region`` within the ``box`` of the image, and the highest probability in it."""

    box: tuple[slice, ...]
    region: Region
    score: float
    place: tuple[float, float, float]

    @property
    def voxels(self) -> int:
        """How many voxels belong to it."""
        return int(np.count_nonzero(self.region))


def branches(probabilities: NDArray[Any], *, threshold: float, prominence: float) -> list[Branch]:
    """Return all branches of a map (z, y, x), highest score first, equal ones in the order of their places.

    Voxels below ``threshold`` are background; ``prominence`` is in logits.
    """
    values = np.asarray(probabilities, np.float64)
    inside = values >= threshold
    labels, _ = ndimage.label(inside, EVERYWHERE)
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        region = labels[box] == number
        logits = np.where(region, _logit(values[box]), -np.inf)
        for part, inner in _parted(logits, region, _logit(np.float64(threshold)), prominence):
            whole = _moved(box, inner)
            found.append(_branch(values[whole], part, whole))
    return sorted(found, key=lambda branch: (-branch.score, branch.place))


def labelled(probabilities: NDArray[Any], *, threshold: float, prominence: float) -> NDArray[np.int64]:
    """Return the number of the branch (z, y, x) that each voxel of a map belongs to, 1 for the first; 0 for none."""
    numbers = np.zeros(np.shape(probabilities), np.int64)
    for number, branch in enumerate(branches(probabilities, threshold=threshold, prominence=prominence), start=1):
        numbers[branch.box][branch.region] = number
    return numbers


def candidates_of_branches(found: list[Branch], geometry: Geometry, maximum: int) -> Candidates:
    """Return the best ``maximum`` branches as candidates on the grid of the image."""
    kept = found[:maximum]
    voxel = np.array([branch.place for branch in kept], float).reshape(-1, 3)
    score = np.array([branch.score for branch in kept], float)
    size = np.array([branch.voxels for branch in kept], float) * geometry.voxel_size
    return Candidates(geometry.to_world(voxel), score, size, voxel)


def classes_of_branches(
    found: Sequence[Branch], probabilities: NDArray[Any], classes: Sequence[str]
) -> tuple[str, ...]:
    """Return the class of each branch: that whose ``probabilities`` (k, z, y, x) have the largest sum over it.

    Of equals it is the first.
    """
    sums = [probabilities[(slice(None), *one.box)][:, one.region].sum(1) for one in found]
    return tuple(classes[int(np.argmax(one))] for one in sums)


def _parted(
    logits: Floats, region: Region, level: np.float64, prominence: float
) -> Iterator[tuple[Region, tuple[slice, ...]]]:
    """Yield the branches of a component, each as a region within a box of it."""
    waiting = [(region, tuple(slice(0, extent) for extent in region.shape), float(level))]
    while waiting:
        whole, box, base = waiting.pop()
        parts = _first_parting(np.where(whole, logits[box], -np.inf), base, prominence)
        if not parts:
            yield whole, box
        for part, inner, reached in parts:
            waiting.append((part, _moved(box, inner), reached))


def _first_parting(logits: Floats, base: float, prominence: float) -> list[tuple[Region, tuple[slice, ...], float]]:
    """Return the parts into which a component first parts above ``base``, with their boxes and the level.

    None where it never does; parts that are less prominent than asked for are no branches and left out.
    """
    top = float(logits.max())
    level = base + STEP
    while level <= top - prominence + STEP:
        labels, count = ndimage.label(logits >= level, EVERYWHERE)
        if count > 1:
            peaks = np.asarray(ndimage.maximum(logits, labels, np.arange(1, count + 1)))
            chosen = np.flatnonzero(peaks - (level - STEP) >= prominence) + 1
            if len(chosen) > 1:
                boxes = ndimage.find_objects(labels)
                return [(labels[boxes[one - 1]] == one, boxes[one - 1], level) for one in chosen.tolist()]
        level += STEP
    return []


def _branch(values: Floats, region: Region, box: tuple[slice, ...]) -> Branch:
    score = float(values[region].max())
    summit = np.argwhere(_summit(values, region, score))
    weights = values[tuple(summit.T)]
    centre = (summit * weights[:, None]).sum(0) / weights.sum()
    nearest = summit[np.argmin(((summit - centre) ** 2).sum(1))]
    z, y, x = (float(one + axis.start) for one, axis in zip(nearest, box, strict=True))
    return Branch(box, region, score, (z, y, x))


def _summit(values: Floats, region: Region, score: float) -> Region:
    """Return the largest of the pieces of a region that reach its ``score`` and are nearly as high.

    A lesion may hang together with what lies beside it: its place is its own and not the middle between the two.
    """
    labels, _ = ndimage.label(region & (values >= SUMMIT * score), EVERYWHERE)
    highest = np.unique(labels[region & (values >= score)])
    sizes = np.bincount(labels.ravel())[highest]
    return np.asarray(labels == highest[np.argmax(sizes)])


def _moved(box: tuple[slice, ...], inner: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return the box ``inner`` of a box as a box of the whole image."""
    return tuple(
        slice(outer.start + part.start, outer.start + part.stop) for outer, part in zip(box, inner, strict=True)
    )


def _logit(values: NDArray[np.float64] | np.float64) -> Any:
    edge = 1 / (1 + np.exp(HIGHEST))
    inside = np.clip(values, edge, 1 - edge)
    return np.log(inside / (1 - inside))
