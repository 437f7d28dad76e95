"""z of a trained network, made standard normal on the validation cases without lesions, and frozen with the model.

Notation: a voxel of group k has z = (y - mu) / sigma; over the voxels of all normal validation cases in the group, m_k
and s_k are the mean and the standard deviation of z. What is predicted becomes

    mu' = mu + m_k sigma,    sigma' = s_k sigma,    so that    z' = (z - m_k) / s_k.

Groups are the regions of the body, or the predicted sigma itself: then m and s are a function of log sigma, linear
between the middles of bins that hold equally many voxels. Groups of few voxels take m and s of all voxels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hakken.study import BODY_REGIONS

Array = NDArray[np.floating[Any]]
BINS = 12
LEAST = 500
"""Voxels that m and s of a group are worth taking from."""


class Seen(NamedTuple):
    """The voxels (n,) of a case without lesions inside its mask: z, predicted sigma, and the number of the region."""

    z: Array
    sigma: Array
    region: NDArray[Any]


def fit_recalibration(kind: str, cases: Iterable[Seen]) -> dict[str, Any]:
    """Return what makes z standard normal over all voxels of ``cases``, as plain values; ``kind``: regions, deviation.

    Raises ValueError where there is no voxel.
    """
    seen = list(cases)
    if not sum(len(one.z) for one in seen):
        raise ValueError("no voxel to recalibrate on")
    z, sigma, region = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    mean, sd = float(z.mean()), float(z.std())
    places: list[float]
    if kind == "regions":
        groups, count = region.astype(int), len(BODY_REGIONS) + 1
        places = [float(k) for k in range(count)]
    else:
        logs = np.log(sigma)
        edges = np.quantile(logs, np.linspace(0, 1, BINS + 1)[1:-1])
        groups, count = np.searchsorted(edges, logs), BINS
        places = [float(np.median(logs[groups == k])) if (groups == k).any() else 0.0 for k in range(count)]
    shift, scale = [], []
    for k in range(count):
        own = z[groups == k]
        enough = len(own) >= LEAST
        shift.append(float(own.mean()) if enough else mean)
        scale.append(max(float(own.std()) if enough else sd, 1e-3))
    known = sorted({k for k in range(count) if (groups == k).any()}) if kind == "deviation" else range(count)
    picked = [(places[k], shift[k], scale[k]) for k in known]
    return {"kind": kind, "places": [p for p, _, _ in picked], "shift": [m for _, m, _ in picked]} | {
        "scale": [s for _, _, s in picked]
    }


def recalibrated(
    mean: Array, sigma: Array, region: NDArray[Any] | None, values: Mapping[str, Any]
) -> tuple[Array, Array]:
    """Return mean and sigma (z, y, x) as a frozen recalibration changes them; ``region`` (z, y, x) where it asks."""
    shift, scale = np.array(values["shift"]), np.array(values["scale"])
    if values["kind"] == "regions":
        assert region is not None
        m, s = shift[region], scale[region]
    else:
        logs = np.log(sigma)
        m, s = np.interp(logs, values["places"], shift), np.interp(logs, values["places"], scale)
    return mean + m * sigma, s * sigma
