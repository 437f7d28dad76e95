"""What tells one image from another: a digest of its pixels however they are stored, and a fingerprint of its details.

The digest finds the same pixels under other names, in other files and stored the other way round. The fingerprint is a
small picture of the image's structure without its scale of greys; `hakken.cohort.near_copies` compares such pictures.
"""

from __future__ import annotations

import hashlib
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.volume import Volume

Fingerprint = NDArray[np.int8]
EDGES = {2: 64, 3: 32}
"""Edge of a fingerprint in samples, by the number of axes: 4 kB of a flat image, 32 kB of a volume."""
NEIGHBOURHOODS = {2: 6.4, 3: 1.9}  # samples: standard deviation of the window in which mean and contrast are taken
FLOOR = 0.15  # of the contrast of the whole: where there is less, noise is not blown up to structure
SURROUNDINGS = 0.02  # of the range of greys: as near to its end is what lies around the body
SURROUNDED = {2: 0.3, 3: 0.15}  # of all samples: with less of surroundings an image has none
SMALLEST_BODY = 0.04  # of all samples: an image with less of a body is taken whole
LIMIT = 3.0  # local standard deviations that become 127
RANGE = (1, 99)  # percentiles, beyond which greys are cut off
SMALLEST_MASK = 8  # voxels: fewer are the same in two cases by chance
MIXERS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def content_digest(volume: Volume) -> str:
    """Return the SHA-256 of the pixels alone, equal for equal values whatever the file, its header or the dtype.

    Values count as float32. Spacing, origin and direction are no part of it: anonymising, converting and exporting as a
    picture lose them and leave the image what it is. An array that is stored the other way round, with its axes flipped
    or in another order, has the same digest, and so has a mirrored copy.
    """
    return _digest(np.asarray(volume.array, np.float32))


def mask_digest(mask: Volume) -> str | None:
    """Return the digest of a mask's regions, whatever numbers label them; None where there is nothing to recognise.

    That is a mask of one value or of fewer than eight marked voxels, which two cases may share by chance.
    """
    marked = mask.array != 0
    labels = mask.array[marked]
    values = np.unique(labels)
    if labels.size < SMALLEST_MASK or (labels.size == mask.array.size and len(values) == 1):
        return None
    ranks = np.zeros(mask.array.shape, np.float32)
    ranks[marked] = np.searchsorted(values, labels) + 1
    return _digest(ranks)


def fingerprint(volume: Volume) -> Fingerprint | None:
    """Return the structure of an image as (64, 64) y, x, of a volume as (32, 32, 32) z, y, x; None for a constant one.

    The image is averaged down to so many samples along each axis, whatever its shape; from each sample the mean of its
    neighbourhood is taken, and the rest is divided by the contrast there. Gain, offset and gamma of the greys are lost
    thereby, and inverting them changes the sign alone. NaN and infinite pixels count as the darkest.
    """
    array = volume.array[0] if volume.is_flat else volume.array
    small = _averaged(array, EDGES[array.ndim])
    low, high = np.percentile(small, RANGE).tolist()
    if not high > low:
        low, high = float(small.min()), float(small.max())
    if not high - low > 1e-6 * max(abs(low), abs(high)):
        return None
    return _structure(np.clip((small - low) / (high - low), 0, 1))


def _structure(grey: NDArray[np.float32]) -> Fingerprint:
    """Return greys of 0 to 1 less their local mean, divided by their local contrast, in steps of 3/127; 0 around it."""
    body = _body(grey)
    weight = body.astype(np.float32)
    share = _blurred(weight) + 1e-6
    rest = (grey - _blurred(grey * weight) / share) * weight
    contrast = np.sqrt(_blurred(rest * rest) / share)
    floor = FLOOR * float(rest[body].std()) + 1e-9
    return np.rint(np.clip(rest / (contrast + floor) / LIMIT, -1, 1) * 127).astype(np.int8)


def _blurred(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(values, NEIGHBOURHOODS[values.ndim]))


def _body(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where there is an image: not its dark (inverted: bright) surroundings, whose outline patients share."""
    sides = (grey < SURROUNDINGS, grey > 1 - SURROUNDINGS)
    outside = max(sides, key=np.count_nonzero)
    if outside.mean() <= SURROUNDED[grey.ndim]:
        return np.ones_like(outside)
    inside = ndimage.binary_erosion(~outside, np.ones((3,) * grey.ndim, bool), border_value=1)
    return inside if inside.mean() >= SMALLEST_BODY else np.ones_like(inside)


def _averaged(array: NDArray[np.generic], edge: int) -> NDArray[np.float32]:
    """Return ``array`` averaged down, or interpolated, to ``edge`` samples along each axis."""
    with np.errstate(over="ignore"):
        small = _finite(np.asarray(array, np.float32))
    for axis in range(small.ndim):
        small = np.moveaxis(np.tensordot(_averages(small.shape[axis], edge), small, (1, axis)), 0, axis)
    return np.asarray(small, np.float32)


def _finite(array: NDArray[np.float32]) -> NDArray[np.float32]:
    good = np.isfinite(array)
    if good.all():
        return array
    return np.asarray(np.where(good, array, array[good].min() if good.any() else 0), np.float32)


def _averages(size: int, edge: int) -> NDArray[np.float32]:
    """Return the weights (edge, size) of each pixel in each sample."""
    if size < edge:
        places = np.clip((np.arange(edge) + 0.5) * size / edge - 0.5, 0, size - 1)
        weights = np.clip(1 - np.abs(places[:, None] - np.arange(size)), 0, 1)
    else:
        ends = np.linspace(0, size, edge + 1)
        pixels = np.arange(size)
        shared = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
        weights = np.clip(shared, 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _digest(array: NDArray[np.float32]) -> str:
    """Return the least SHA-256 of the orders that an array may be stored in, of which `_orders` leaves one or few."""
    values = np.where(np.isnan(array), np.float32(np.nan), array + np.float32(0))  # one NaN, one zero
    return min(_hashed(order) for order in _orders(values))


def _hashed(array: NDArray[np.float32]) -> str:
    digest = hashlib.sha256(repr(array.shape).encode())
    for part in array:
        digest.update(np.ascontiguousarray(part, "<f4").data)
    return digest.hexdigest()


def _orders(array: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the array with its axes flipped and ordered in the one way that its content names.

    Each axis has a profile: one number for each of its planes, made of the values in it in whatever order. The axis
    runs so that its profile comes first in the alphabet, and the axes stand in the order of their profiles. An array
    that is the same both ways names several orders.
    """
    profiles = [tuple(profile.tolist()) for profile in _profiles(array)]
    flips = [_first(profile, profile[::-1]) for profile in profiles]
    ordered = [min(profile, profile[::-1]) for profile in profiles]
    keys = [(len(profile), profile) for profile in ordered]
    best = sorted(keys)
    found = []
    for axes in permutations(range(array.ndim)):
        if [keys[axis] for axis in axes] == best:
            for steps in product(*(flips[axis] for axis in axes)):
                found.append(array.transpose(axes)[tuple(slice(None, None, step) for step in steps)])
    return found


def _first(forward: tuple[int, ...], backward: tuple[int, ...]) -> tuple[int, ...]:
    """Return the step, or both, that puts the profile that comes first in the alphabet first."""
    if forward == backward:
        return (1, -1) if len(forward) > 1 else (1,)
    return (1,) if forward < backward else (-1,)


def _profiles(array: NDArray[np.float32]) -> list[NDArray[np.uint64]]:
    """Return for each axis the sums of the mixed values of its planes, modulo 2⁶⁴: exact, in whatever order."""
    sums = [np.zeros(size, np.uint64) for size in array.shape]
    for number, plane in enumerate(array):
        mixed = _mixed(np.ascontiguousarray(plane))
        sums[0][number] = mixed.sum(dtype=np.uint64)
        sums[1] += mixed.sum(axis=1, dtype=np.uint64)
        sums[2] += mixed.sum(axis=0, dtype=np.uint64)
    return sums


def _mixed(values: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return well mixed 64-bit numbers of the bits of each value (the finaliser of SplitMix64)."""
    mixed = values.view(np.uint32).astype(np.uint64) + MIXERS[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * MIXERS[1]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * MIXERS[2]
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
