"""Signals of diffusion-weighted MR: what two models expect at each b value, and the noise of magnitude images.

Notation: b (k,) in s/mm^2; D, D_star in mm^2/s; f and K without a unit; signals are shares of that at b = 0.

- ``ivim``: S(b) = f exp(-b D_star) + (1 - f) exp(-b D), intravoxel incoherent motion (Le Bihan et al., Radiology
  1988;168:497-505), f being the perfusion fraction;
- ``dki``: S(b) = exp(-b D + b^2 D^2 K / 6), diffusional kurtosis (Jensen et al., Magn Reson Med 2005;53:1432-1440).

Functions take arrays of NumPy or tensors of torch, whichever ``exp`` is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Model = Literal["ivim", "dki"]
Range = tuple[float, float]
QUANTITIES: dict[Model, tuple[str, ...]] = {"ivim": ("D", "D_star", "f"), "dki": ("D", "K")}
RANGES: dict[str, Range] = {"D": (0.0005, 0.003), "D_star": (0.01, 0.1), "f": (0.05, 0.4), "K": (0.2, 1.5)}
"""Ranges that tissues have, from which parameters are drawn unless a study says otherwise."""

BOUNDS: dict[str, Range] = {"D": (0.0, 0.01), "D_star": (0.0, 0.5), "f": (0.0, 1.0), "K": (-1.0, 5.0)}
"""What is physically possible at all."""


def check_ranges(ranges: Mapping[str, Range], signal: Model) -> None:
    """Raise ValueError where a range is none, or of a quantity that the signal does not have."""
    for name, (low, high) in ranges.items():
        if name not in QUANTITIES[signal]:
            raise ValueError(f"`{signal}` has no quantity `{name}`, only {', '.join(QUANTITIES[signal])}")
        if not low < high:
            raise ValueError(f"the range of `{name}` must be [low, high] with low < high")


def ranges_of(ranges: Mapping[str, Range], signal: Model) -> dict[str, Range]:
    """Return the ranges of all quantities of a signal, those that are not given being the tissues'."""
    return {name: ranges.get(name, RANGES[name]) for name in QUANTITIES[signal]}


def signals(model: Model, b: Any, values: Sequence[Any], exp: Callable[[Any], Any] = np.exp) -> Any:
    """Return the signals (n, k) at the b values (k,) of the quantities ``values``, each (n,), in their order.

    >>> d, d_star, f = np.array([[1e-3], [1e-2], [0.0]])
    >>> signals("ivim", np.array([0.0, 1000.0]), [d, d_star, f]).round(3).tolist()
    [[1.0, 0.368]]
    """
    columns = [value[:, None] for value in values]
    if model == "ivim":
        d, d_star, f = columns
        return f * exp(-b * d_star) + (1 - f) * exp(-b * d)
    d, k = columns
    return exp(-b * d + (b * d) ** 2 * k / 6)


def rician(clean: NDArray[np.float64], sigma: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Return magnitudes of ``clean`` (n, k) with Gaussian noise of SD ``sigma`` (n,) in both parts of a complex number.

    Their second moment is clean^2 + 2 sigma^2 (Gudbjartsson and Patz, Magn Reson Med 1995;34:910-914).
    """
    real, imaginary = (random.standard_normal(clean.shape) * sigma[:, None] for _ in range(2))
    return np.asarray(np.hypot(clean + real, imaginary))


def normalised(b: NDArray[np.float64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``measured`` (n, k) as shares of its mean at b = 0; raises ValueError where no b value is 0."""
    reference = measured[:, b == 0]
    if not reference.shape[1]:
        raise ValueError("no b value is 0, so there is nothing to normalise by")
    whole = reference.mean(axis=1, keepdims=True)
    return np.asarray(measured / np.where(whole > 0, whole, 1.0))
