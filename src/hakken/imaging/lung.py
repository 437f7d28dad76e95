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

from hakken.core.volume import Volume
from hakken.imaging.body import find_body
from hakken.imaging.brain import coarser, redrawn
from hakken.imaging.pieces import Mask, closed, filled

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


def find_lung(volume: Volume, modality: Literal["mr", "ct"]) -> Mask:
    """Return both lungs (z, y, x) of a chest, on CT in HU; empty where there is none.

    An image may hold a part of the lungs alone, such as their bases on a CT of the abdomen.
    """
    coarse = coarser(volume)
    spacing = coarse.spacing[::-1]
    body = find_body(coarse, modality)
    found = _air(coarse, body) if modality == "ct" else _dark(coarse, body)
    if not found.any():
        return np.zeros(volume.array.shape, bool)
    sides = [filled(closed(side, spacing, CLOSED_MM, RIM_MM)) for side in _sides(found, coarse)]
    return redrawn(Volume.on(coarse.geometry, np.logical_or.reduce(sides)), volume.geometry)


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
    across = int(np.abs(np.reshape(coarse.direction, (3, 3))[0]).argmax())  # the image's axis that runs along x
    axis = 2 - across
    profile = found.sum(axis=tuple(other for other in range(3) if other != axis))
    held = np.flatnonzero(profile)
    third = len(held) // 3
    middle = profile[held[0] + third : held[-1] + 1 - third]
    if not len(middle) or middle.min() > 0.5 * profile.max():
        return [found]
    border = held[0] + third + int(middle.argmin())
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
