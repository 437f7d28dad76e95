"""Intensities on a linear, logarithmic or inverse-hyperbolic scale, as shares of the window of a channel, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
SCALES = {"log": (np.log1p, np.expm1), "asinh": (np.arcsinh, np.sinh)}
"""What is applied to intensities beside `linear`, and its inverse."""


def shares_of(values: NDArray[Any], zero: float, one: float, scale: str = "linear") -> Array:
    """Return intensities of any shape as shares of a window: ``zero`` becomes 0 and ``one`` becomes 1.

    On other scales than `linear` intensities below ``zero`` count as it.

    >>> shares_of(np.array([0.0, 1.0, 3.0]), 0, 3, "log").tolist()
    [0.0, 0.5, 1.0]
    """
    values = np.asarray(values, np.float32)
    if scale == "linear":
        return np.asarray((values - np.float32(zero)) / np.float32(one - zero), np.float32)
    forward, _ = SCALES[scale]
    low, high = float(forward(zero)), float(forward(one))
    return np.asarray((forward(np.maximum(values, np.float32(zero))) - low) / (high - low), np.float32)


def intensities_of(shares: NDArray[Any], zero: float, one: float, scale: str = "linear") -> Array:
    """Return the intensities that `shares_of` turned into ``shares``.

    >>> intensities_of(np.array([0.0, 0.5, 1.0]), 0, 3, "log").round(4).tolist()
    [0.0, 1.0, 3.0]
    """
    shares = np.asarray(shares, np.float32)
    if scale == "linear":
        return np.asarray(np.float32(zero) + shares * np.float32(one - zero), np.float32)
    forward, back = SCALES[scale]
    low, high = float(forward(zero)), float(forward(one))
    return np.asarray(back(np.float32(low) + shares * np.float32(high - low)), np.float32)


def in_units(shares: NDArray[Any], record: Mapping[str, Any]) -> Array:
    """Return the intensities of a channel from how it was normalised, the shares themselves where it was not."""
    return intensities_of(shares, record.get("zero", 0.0), record.get("one", 1.0), record.get("scale", "linear"))
