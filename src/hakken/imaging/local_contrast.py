"""Local normalisation: the detail of an image at the same strength everywhere, whatever is bright or dark around it.

On radiographs spine and abdomen differ from the lungs far more than what is to be found in either, detectors differ in
gain and offset, and so do exposures. None of it is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]

FLAT = 0.02
"""The least local standard deviation, as a part of that of the whole: below it lies noise, which is not raised."""


def local_contrast(values: Array, inside: NDArray[np.bool_], sigma: tuple[float, ...]) -> Array:
    """Return values (z, y, x) less their local mean, divided by their local standard deviation; 0 outside.

    Both are weighted by a Gaussian of ``sigma`` voxels along each axis over what lies ``inside``: with the Gaussian g
    and m = g * x the result is (x - m) / sqrt(g * (x - m)² + (`FLAT` SD)²). Finite values are expected inside.

    >>> step = np.repeat([[[0.0, 1000.0]]], 8, axis=2)
    >>> [round(value, 2) for value in local_contrast(step, step >= 0, (0, 0, 2))[0, 0, 6:10].tolist()]
    [-0.89, -1.44, 1.44, 0.89]
    """
    weight = inside.astype(np.float32)
    total = np.maximum(_blurred(weight, sigma), np.float32(1e-6))
    middle = values[inside].mean(dtype=np.float64) if inside.any() else 0.0
    known = np.where(inside, values - middle, 0).astype(np.float32)
    detail = np.where(inside, known - _blurred(known, sigma) / total, 0)
    variance = _blurred(detail**2, sigma) / total
    least = FLAT * float(known[inside].std()) if inside.any() else 1.0
    return np.asarray(detail / np.sqrt(variance + np.float32(max(least, 1e-6) ** 2)), np.float32)


def _blurred(values: Array, sigma: tuple[float, ...]) -> Array:
    """Return values smoothed by a Gaussian, zeros beyond the image."""
    return np.asarray(ndimage.gaussian_filter(values, sigma, mode="constant"), np.float32)
