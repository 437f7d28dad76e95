"""Where the regions of the training cases lie on average, and how bright they are.

The labels of the regions are averaged down within the box around each case's mask (32 cells an axis), which gives each
place of the box a probability of each region; and the channels of a region's voxels have a mean and a covariance. Both
together are Bayes' rule, in which intensities count with a weight: 0 is the mean shape alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.baselines._box import averaged, box_of, spread
from hakken.imaging.prepared import PreparedCase

Floats = NDArray[np.float64]
Labels = NDArray[np.uint8]

CELLS = 32
MOST = 20_000
"""Most voxels of a case whose intensities are counted."""
FLOOR = 1e-3
"""The least probability of a region at a place: an organ may lie where it has not been seen."""
EVERYWHERE = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, eq=False)
class Atlas:
    """Of each label, 0 and the regions, where it lies, ``shares`` (k, cells ...), and how bright it is.

    ``means`` (k, c) and ``spreads`` (k, c, c) are the mean and the covariance of its voxels' channels.
    """

    shares: NDArray[np.float32]
    means: Floats
    spreads: Floats

    @classmethod
    def of(cls, cases: Sequence[PreparedCase], regions: int) -> Atlas:
        """Return the atlas of cases whose ``regions`` are labelled."""
        labels = range(regions + 1)
        shares = np.mean([_shares(case, regions) for case in cases], axis=0)
        seen = [_intensities(case) for case in cases]
        values, names = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        chosen = [values[names == label] for label in labels]
        means = np.array([_mean(one, values) for one in chosen])
        spreads = np.array([_covariance(one if len(one) > 1 else values) for one in chosen])
        return cls(np.asarray(shares, np.float32), means, spreads)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Atlas:
        """Return the atlas that `as_values` described."""
        return cls(np.array(values["shares"], np.float32), np.array(values["means"]), np.array(values["spreads"]))

    def as_values(self) -> dict[str, Any]:
        """Return the atlas as plain values."""
        shares = np.round(self.shares.astype(float), 4)
        return {"shares": shares.tolist(), "means": self.means.tolist(), "spreads": self.spreads.tolist()}

    def evidence(self, case: PreparedCase) -> tuple[Floats, Floats]:
        """Return the logarithms (k, z, y, x) of how probable each label is by its place, and by its intensities."""
        box = box_of(case)
        place = np.full((len(self.shares), *case.geometry.shape_zyx), np.log(FLOOR))
        for label, share in enumerate(self.shares):
            inner = spread(share, place[label][box].shape)
            place[label][box] = np.log(np.clip(inner, FLOOR, None))
        image = case.image().astype(np.float32)
        smooth = np.stack([ndimage.gaussian_filter(channel, 0.7) for channel in image])
        return place, np.stack([_density(smooth, *law) for law in zip(self.means, self.spreads, strict=True)])


def labelled(place: Floats, bright: Floats, weight: float, mask: NDArray[Any]) -> Labels:
    """Return the label (z, y, x) of each voxel of the ``mask``, whose intensities count with a ``weight``.

    Of each region the largest 26-connected piece counts; voxels of the others take their next probable label.
    """
    scores = place + weight * bright
    found = np.asarray(scores.argmax(0), np.uint8)
    for label in range(1, len(scores)):
        pieces, count = ndimage.label((found == label) & (mask > 0), EVERYWHERE)
        if count > 1:
            largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
            away = (pieces > 0) & (pieces != largest)
            rest = scores[:, away]
            rest[label] = -np.inf
            found[away] = rest.argmax(0)
    return np.where(mask > 0, found, 0).astype(np.uint8)


def _shares(case: PreparedCase, regions: int) -> NDArray[np.float32]:
    labels = case.regions()[box_of(case)]
    cells = (1 if case.geometry.is_flat else CELLS, CELLS, CELLS)
    return averaged(np.stack([labels == label for label in range(regions + 1)]), cells)


def _intensities(case: PreparedCase) -> tuple[NDArray[np.float32], Labels]:
    """Return the channels (n, c) of some voxels of the mask of a case, evenly spread, and their labels (n,)."""
    places = np.flatnonzero(case.mask())
    places = places[:: max(1, len(places) // MOST)]
    image = case.image().reshape(len(case.channels), -1)[:, places]
    return image.T.astype(np.float32), case.regions().ravel()[places]


def _mean(values: NDArray[np.float32], every: NDArray[np.float32]) -> Floats:
    return np.asarray((values if len(values) else every).mean(0), float)


def _covariance(values: NDArray[np.float32]) -> Floats:
    """Return the covariance (c, c) of values (n, c), kept away from singular."""
    found = np.atleast_2d(np.cov(values, rowvar=False))
    return np.asarray(found + 1e-3 * np.eye(values.shape[1]), float)


def _density(image: NDArray[np.float32], mean: Floats, spread_: Floats) -> Floats:
    """Return the logarithm (z, y, x) of a normal density at the channels (c, z, y, x), but for a constant of all."""
    away = image.reshape(len(image), -1).T - mean
    distance = np.einsum("ni,ij,nj->n", away, np.linalg.inv(spread_), away)
    return np.asarray(-0.5 * (distance + np.linalg.slogdet(spread_)[1])).reshape(image.shape[1:])
