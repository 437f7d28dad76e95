"""The lungs inside a chest: air that the body encloses on CT, what is dark inside the body on MR.

Nodules are as dense as the chest's wall and vessels: a threshold leaves those out that touch it. So gaps that are
narrower than a large nodule are closed, whatever lies in the lungs is filled, and a rim is added. The mask may hold
some of the mediastinum and of the airways, and must not cut a nodule.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.volume import Volume
from hakken.imaging.body import find_body
from hakken.imaging.brain import coarser, redrawn
from hakken.imaging.doubts import REMEDY, lung_volume_doubt
from hakken.imaging.pieces import Mask, closed, filled
from hakken.imaging.registration import resample

AIR_HU = -400.0
GAS_HU = -960.0
"""Denser than the gas of bowels and of the trachea is even a lung of full inspiration, in the median of its voxels."""

CLOSED_MM = 11.0
"""Half the width of the gaps that are closed: nodules of up to 20 mm at the pleura and a margin."""

RIM_MM = 3.0
SHARE = 0.1
"""The least volume of a piece, as a share of the largest: the smaller lung may be collapsed in part."""

DARK = 0.3
"""The most that lungs shine on MR, as a share of the rest of the body, both in the median."""

PARTED = 2
BRIGHT_PERCENTILE = 97.0
THIN_MM = 4.0
"""Dark sheets along the skin, and gaps between muscles, are thinner on MR."""

SKIN_MM = 8.0

LARGEST_SHARE = 0.6
"""Of the body in the slices that hold them: 0.3 in whole chests, 0.7 to 0.8 where brain or liver was taken for them."""

WAIST = 0.2
"""The most that lungs are joined in the middle, as a share of where they are widest: 0.1 in whole chests on CT, 0.3 to
0.9 in what was taken for lungs."""

SMALLER_SIDE, OUTSIDE = 0.1, 0.05


def find_lung(volume: Volume, modality: Literal["mr", "ct"]) -> Mask:
    """Return both lungs (z, y, x) of a chest, on CT in HU; empty where there is none.

    An image may hold a part of the lungs alone, such as their bases on a CT of the abdomen. Raises HakkenError where
    what is dark on MR is more of the body than lungs are; the density of lungs on CT is hardly that of anything else.
    """
    coarse = coarser(volume)
    spacing = coarse.spacing[::-1]
    body = find_body(coarse, modality)
    found = _air(coarse, body) if modality == "ct" else _dark(coarse, body)
    if not found.any():
        return np.zeros(volume.array.shape, bool)
    sides = [filled(closed(side, spacing, CLOSED_MM, RIM_MM)) for side in _sides(found, coarse)]
    lungs = np.logical_or.reduce(sides)
    share = _share(lungs, body, _axis(coarse, 2))
    if modality == "mr" and share > LARGEST_SHARE:
        raise HakkenError(
            f"the lungs were not found: what is dark inside the body takes up {share:.0%} of it, lungs at most "
            f"{LARGEST_SHARE:.0%}, so the image shows no chest; {REMEDY}"
        )
    return redrawn(Volume.on(coarse.geometry, lungs), volume.geometry)


def lung_doubt(mask: Mask, volume: Volume, modality: Literal["mr", "ct"]) -> str:
    """Return what makes a mask (z, y, x) of both lungs on ``volume`` doubtful, nothing where it is as lungs are.

    Lungs lie on both sides of the body's middle, parted by heart and spine, and inside the body.
    """
    coarse = coarser(volume)
    body = find_body(coarse, modality)
    drawn = resample(Volume.on(volume.geometry, mask.astype(np.uint8)), coarse.geometry, sitk.Transform(), nearest=True)
    lungs = np.asarray(drawn.array > 0)
    signs = _signs(lungs, body, coarse) if lungs.any() and body.any() else []
    amount = lung_volume_doubt(mask, volume.geometry, may_be_partial=not signs)
    return "; ".join([amount or "the lung mask is not as lungs are", *signs]) if amount or signs else ""


def _signs(lungs: Mask, body: Mask, coarse: Volume) -> list[str]:
    """Return what is unlike lungs: joined across the middle, on one side of it, beside the body, or most of it."""
    signs, across = [], _axis(coarse, 0)
    joined = _waist(lungs, across)[1]
    middle = float(np.median(np.nonzero(body)[across]))
    left = float((np.nonzero(lungs)[across] < middle).mean())
    outside = float((~body)[lungs].mean())
    if max(left, 1 - left) > 1 - SMALLER_SIDE:
        signs.append(f"{max(left, 1 - left):.0%} of it lies on one side of the body, lungs lie on both")
    elif joined > WAIST:
        signs.append(
            f"it is one piece across the middle of the body, {joined:.0%} as large there as at its largest, and lungs "
            "are parted by heart and spine"
        )
    if outside > OUTSIDE:
        signs.append(f"{outside:.0%} of it lies outside of the body")
    share = _share(lungs, body, _axis(coarse, 2))
    if share > LARGEST_SHARE:
        signs.append(f"it takes up {share:.0%} of the body in its slices, lungs at most {LARGEST_SHARE:.0%}")
    return signs


def _share(lungs: Mask, body: Mask, along: int) -> float:
    """Return how much of the body is lungs, in the slices that hold some."""
    held = np.flatnonzero(lungs.any(axis=_others(along)))
    return int(np.count_nonzero(lungs)) / max(int(np.count_nonzero(body.take(held, along))), 1)


def _axis(volume: Volume, of_patient: int) -> int:
    """Return the axis of the array (z, y, x) that runs along the patient's x, y or z (0, 1, 2)."""
    return 2 - int(np.abs(np.reshape(volume.direction, (3, 3))[of_patient]).argmax())


def _others(axis: int) -> tuple[int, ...]:
    return tuple(other for other in range(3) if other != axis)


def _waist(found: Mask, across: int) -> tuple[int, float]:
    """Return where least lies in the middle third along an axis, and how much, as a share of the most."""
    profile = found.sum(axis=_others(across))
    held = np.flatnonzero(profile)
    third = len(held) // 3
    middle = profile[held[0] + third : held[-1] + 1 - third]
    return int(held[0] + third + middle.argmin()), float(middle.min()) / float(profile.max())


def _air(coarse: Volume, body: Mask) -> Mask:
    """Return the air of the lungs: pieces within the body that are large, and denser than mere gas."""
    values = np.asarray(coarse.array, np.float32)
    labels, count = ndimage.label(body & (values < AIR_HU))
    sizes = _sizes(labels, count)
    dense = np.zeros(count + 1, bool)
    for number in np.flatnonzero(sizes >= SHARE * sizes.max(initial=0)):
        dense[number] = number > 0 and bool(np.median(values[labels == number]) > GAS_HU)
    return _large(labels, np.where(dense, sizes, 0))


def _dark(coarse: Volume, body: Mask) -> Mask:
    """Return what is far darker than the rest deep inside the body, and no thin sheet."""
    values, spacing = np.asarray(coarse.array, np.float32), coarse.spacing[::-1]
    deep = ndimage.distance_transform_edt(body, sampling=spacing) > SKIN_MM if not body.all() else body
    dark = deep & (values < _darkness(values[deep]))
    core = ndimage.distance_transform_edt(dark, sampling=spacing) > THIN_MM
    opened = dark & (ndimage.distance_transform_edt(~core, sampling=spacing) <= THIN_MM + max(spacing))
    labels, count = ndimage.label(opened)
    return _large(labels, _sizes(labels, count))


def _darkness(values: NDArray[np.float32]) -> float:
    """Return the intensity below which values (n,) are those of lungs, 0 where none are.

    Fat, muscle and lung are three levels: the darker ones are parted once more where they are not dark enough.
    """
    left = np.clip(values, None, np.percentile(values, BRIGHT_PERCENTILE)) if values.size else values
    for _ in range(PARTED):
        if not left.size or left.max() <= left.min():
            break
        threshold = _otsu(left)
        left = left[left < threshold]
        if left.size and np.median(left) < DARK * np.median(values[values >= threshold]):
            return threshold
    return float(values.min(initial=0))


def _sides(found: Mask, coarse: Volume) -> list[Mask]:
    """Return both lungs apart, so that nothing between them is closed: the halves of the body, or each piece.

    Lungs that touch in front of the heart are one piece; they part where least of it lies, in the middle third.
    """
    labels, count = ndimage.label(found)
    if count > 1:
        return [labels == number for number in range(1, count + 1)]
    axis = _axis(coarse, 0)
    border, joined = _waist(found, axis)
    if joined > 0.5:
        return [found]
    index = np.arange(found.shape[axis]).reshape([-1 if place == axis else 1 for place in range(3)])
    return [found & (index < border), found & (index >= border)]


def _sizes(labels: NDArray[np.integer[Any]], count: int) -> NDArray[np.int64]:
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return sizes


def _large(labels: NDArray[np.integer[Any]], sizes: NDArray[np.int64]) -> Mask:
    """Return the largest piece and the one next to it in size, if it is not too small."""
    largest = np.argsort(-sizes, kind="stable")[:2]
    kept = [number for number in largest.tolist() if sizes[number] > 0 and sizes[number] >= SHARE * sizes.max()]
    return np.asarray(np.isin(labels, kept))


def _otsu(values: NDArray[np.float32]) -> float:
    otsu = sitk.OtsuThresholdImageFilter()
    otsu.Execute(sitk.GetImageFromArray(values.reshape(1, 1, -1)))
    return float(otsu.GetThreshold())
