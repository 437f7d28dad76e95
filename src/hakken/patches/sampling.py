"""Where patches are taken: positives in lesions, easy negatives anywhere in the mask, hard negatives on bright spots.

All volumes are (z, y, x) on one grid; spacing is x, y, z in mm; centres are voxel indices (z, y, x). Nothing here knows
files or networks. Each kind has its own stream of random numbers, so changing the count of one leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.study import Patches, Spacing

Mask = NDArray[np.bool_]
Voxels = NDArray[np.int32]

SMOOTHING_MM = 1.0  # a bright spot is wider than one noisy voxel
BRIGHT_PERCENTILE = 95.0  # of the smoothed reference image inside the mask
SPREAD_MM = 8.0  # hard negatives keep this distance from each other, as far as the image has room for it


class Kind(IntEnum):
    """What a patch is centred on; also the class code in files."""

    EASY = 0
    HARD = 1
    POSITIVE = 2


@dataclass(frozen=True)
class Centres:
    """Patch centres of one case: ``voxels`` (n, 3) z, y, x; ``kinds`` (n,) codes of Kind; ``lesions`` (n,) labels.

    ``lesions`` is 0 for negatives.
    """

    voxels: Voxels
    kinds: NDArray[np.int8]
    lesions: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.voxels)

    def count(self, kind: Kind) -> int:
        """Return the number of centres of one kind."""
        return int(np.count_nonzero(self.kinds == kind))


def sample_centres(
    labels: NDArray[np.integer[Any]],
    mask: NDArray[Any],
    reference_image: NDArray[Any],
    *,
    spacing: Spacing,
    settings: Patches,
    seed: int,
    excluded: Collection[int] = (),
    groups: NDArray[np.integer[Any]] | None = None,
) -> Centres:
    """Choose the patch centres of one case.

    ``labels`` are 0 or the number of a lesion, ``mask`` is non-zero where patches may lie, ``reference_image`` shows
    what is bright, all (z, y, x); lesions in ``excluded`` give no positives. Each other lesion gives
    ``positives_per_lesion`` centres, its middle first, each moved by up to ``jitter_voxel``. Negatives are distinct
    voxels of the mask that keep ``clearance_mm`` from every lesion, excluded ones too; where the case has fewer than
    asked for, all are taken; with ``groups`` (z,), the number of the group of each slice, easy ones are drawn from each
    group alike, whatever its size. So an empty mask gives no negatives and a case without lesions no positives. The
    same seed gives the same centres.
    Raises HakkenError when the three volumes differ in shape.
    """
    if not labels.shape == mask.shape == reference_image.shape:
        raise HakkenError(f"labels {labels.shape}, mask {mask.shape} and image {reference_image.shape} differ in shape")
    inside, count, reach = mask != 0, settings.positives_per_lesion, settings.jitter_voxel
    allowed = inside & ~_near_lesions(labels, spacing, settings.clearance_mm)
    chosen = [
        (Kind.POSITIVE, lesion, _positives(labels[box] == lesion, inside[box], box, count, _rng(seed, lesion)))
        for lesion, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None and lesion not in excluded
    ]
    if reach:
        chosen = [(kind, n, _moved(near, reach, labels.shape, _rng(seed, f"jitter {n}"))) for kind, n, near in chosen]
    ranked = _by_brightness(reference_image, inside, allowed, spacing, _rng(seed, "hard"))
    chosen.append((Kind.HARD, 0, _spread(ranked, labels.shape, spacing, settings.hard_negatives_per_case)))
    chosen.append((Kind.EASY, 0, _easy(allowed, settings.easy_negatives_per_case, _rng(seed, "easy"), groups)))
    counts = [len(voxels) for _, _, voxels in chosen]
    return Centres(
        voxels=np.concatenate([voxels for _, _, voxels in chosen]).astype(np.int32),
        kinds=np.repeat([kind for kind, _, _ in chosen], counts).astype(np.int8),
        lesions=np.repeat([lesion for _, lesion, _ in chosen], counts).astype(np.int32),
    )


def _positives(lesion: Mask, inside: Mask, box: tuple[slice, ...], count: int, rng: np.random.Generator) -> Voxels:
    """Return ``count`` voxels (count, 3) of a lesion: its middle, then others at random, again when it has too few.

    ``lesion`` and ``inside`` are the lesion and the mask within ``box``; a lesion that lies partly in the mask gives
    voxels of that part alone.
    """
    visible = lesion & inside
    voxels = np.argwhere(visible if visible.any() else lesion) + [axis.start for axis in box]
    middle = int(np.argmin(((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1)))
    others = np.delete(np.arange(len(voxels)), middle)
    passes = [np.append(middle, rng.permutation(others))]
    passes += [rng.permutation(len(voxels)) for _ in range(count // len(voxels))]
    return np.asarray(voxels[np.concatenate(passes)[:count]], np.int32)


def _moved(voxels: Voxels, reach: int, shape: tuple[int, ...], rng: np.random.Generator) -> Voxels:
    """Return voxels (n, 3) moved by up to ``reach`` along each axis, within the image."""
    offsets = rng.integers(-reach, reach, size=voxels.shape, endpoint=True)
    return np.asarray(np.clip(voxels + offsets, 0, np.asarray(shape) - 1), np.int32)


def _easy(
    allowed: Mask, count: int, rng: np.random.Generator, groups: NDArray[np.integer[Any]] | None = None
) -> Voxels:
    """Return at most ``count`` distinct voxels, uniform in ``allowed``, or in each of the ``groups`` of slices (z,)."""
    places = np.flatnonzero(allowed)
    number, weights = min(count, len(places)), None
    if groups is not None and len(places):
        _, own, sizes = np.unique(groups[places // allowed[0].size], return_inverse=True, return_counts=True)
        weights = 1 / sizes[own] / len(sizes)
    return _unravel(rng.choice(places, size=number, replace=False, p=weights), allowed.shape)


def _by_brightness(
    image: NDArray[Any], inside: Mask, allowed: Mask, spacing: Spacing, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return the flat indices of bright voxels: local maxima first, each group in random order, brighter ones sooner.

    Bright is what lies above BRIGHT_PERCENTILE of the mask after smoothing. The order is a draw without replacement,
    weighted by the height above the faintest (Efraimidis and Spirakis 2006).
    """
    if not allowed.any():
        return np.empty(0, np.intp)
    smooth = ndimage.gaussian_filter(np.asarray(image, np.float32), SMOOTHING_MM / np.asarray(spacing[::-1]))
    places = np.flatnonzero(allowed & (smooth >= np.percentile(smooth[inside], BRIGHT_PERCENTILE)))
    values = smooth.ravel()[places]
    peak = (smooth == ndimage.maximum_filter(smooth, size=3)).ravel()[places]
    weights = values - values.min(initial=np.inf) + 1e-3
    return places[np.lexsort((rng.exponential(size=len(places)) / weights, ~peak))]


def _spread(ranked: NDArray[np.intp], shape: tuple[int, ...], spacing: Spacing, count: int) -> Voxels:
    """Take voxels in order, each where no other lies within SPREAD_MM; halve the distance until there are enough."""
    chosen: list[int] = []
    distance = SPREAD_MM
    while len(chosen) < min(count, len(ranked)):
        ball = _ball(distance, spacing)
        closed = np.zeros(shape, bool)
        for place in chosen:
            _close(closed, place, ball)
        for place in ranked.tolist():
            if len(chosen) == count:
                break
            if not closed.flat[place]:
                chosen.append(place)
                _close(closed, place, ball)
        distance /= 2
    return _unravel(np.asarray(chosen, np.intp), shape)


def _close(closed: Mask, place: int, ball: Voxels) -> None:
    """Mark the ball around a flat index, as far as it lies on the grid."""
    voxels = np.asarray(np.unravel_index(place, closed.shape)) + ball
    voxels = voxels[((voxels >= 0) & (voxels < closed.shape)).all(axis=1)]
    closed[tuple(voxels.T)] = True


def _ball(radius_mm: float, spacing: Spacing) -> Voxels:
    """Return the voxel offsets (n, 3) z, y, x nearer than ``radius_mm``; the centre is always among them."""
    steps = np.asarray(spacing[::-1])
    reach = np.floor(radius_mm / steps).astype(int)
    offsets = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.linalg.norm(offsets * steps, axis=1)
    return np.asarray(offsets[(distance < radius_mm) | (distance == 0)], np.int32)


def _near_lesions(labels: NDArray[np.integer[Any]], spacing: Spacing, clearance_mm: float) -> Mask:
    """Return where a voxel is a lesion's or nearer than ``clearance_mm`` to one, centre to centre.

    Distances are measured lesion by lesion in a box around it, which costs a hundredth of doing so in the volume.
    """
    near = labels != 0
    steps = np.asarray(spacing[::-1])
    margin = np.ceil(clearance_mm / steps).astype(int)
    for lesion, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            wide = tuple(slice(max(axis.start - m, 0), axis.stop + m) for axis, m in zip(box, margin, strict=True))
            near[wide] |= ndimage.distance_transform_edt(labels[wide] != lesion, sampling=steps) < clearance_mm
    return np.asarray(near)


def _unravel(places: NDArray[np.intp], shape: tuple[int, ...]) -> Voxels:
    return np.asarray(np.stack(np.unravel_index(places, shape), axis=1), np.int32)


def _rng(seed: int, role: int | str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(seed, "centres", role))
