"""Overlaps of lesions and marks in flat images, where both are discs."""

from __future__ import annotations

import numpy as np

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Candidates, Floats, Lesions, Overlaps


def disc_overlaps(lesions: Lesions, candidates: Candidates) -> Overlaps:
    """Return the pairs of a case whose discs overlap, and their intersection over union.

    Raises HakkenError where the candidates have no diameters.
    """
    if candidates.diameter_mm is None:
        raise HakkenError("candidates: no diameters; hit rule `overlap` needs the diameter of each mark, or overlaps")
    found = []
    for case in np.intersect1d(lesions.case, candidates.case).tolist():
        mark, lesion = (np.flatnonzero(one.case == case) for one in (candidates, lesions))
        mark, lesion = (one.ravel() for one in np.meshgrid(mark, lesion, indexing="ij"))
        distance = np.linalg.norm(candidates.xyz[mark, :2] - lesions.xyz[lesion, :2], axis=1)
        a, b = candidates.diameter_mm[mark] / 2, lesions.diameter_mm[lesion] / 2
        shared = lens_area(a, b, distance)
        found.append(np.stack([mark, lesion, shared / (np.pi * (a**2 + b**2) - shared)])[:, shared > 0])
    mark, lesion, iou = np.concatenate(found, axis=1) if found else np.zeros((3, 0))
    return Overlaps(mark.astype(np.int64), lesion.astype(np.int64), iou)


def lens_area(a: Floats, b: Floats, distance: Floats) -> Floats:
    """Return the area (n,) that discs of radii ``a`` and ``b`` (n,) share whose centres are ``distance`` (n,) apart.

    Two sectors less a kite (Weisstein, Circle-circle intersection, MathWorld); where one lies in the other its area.

    >>> lens_area(np.array([2.0, 2.0]), np.array([1.0, 1.0]), np.array([0.5, 3.0])).round(6).tolist()
    [3.141593, 0.0]
    """
    nested = distance <= np.abs(a - b)
    d = np.where(nested, np.maximum(a, b), distance)
    angles = [np.arccos(np.clip((d**2 + r**2 - s**2) / (2 * d * r), -1, 1)) for r, s in ((a, b), (b, a))]
    kite = np.sqrt(np.maximum((a + b - d) * (d + a - b) * (d - a + b) * (d + a + b), 0)) / 2
    lens = a**2 * angles[0] + b**2 * angles[1] - kite
    return np.where(nested, np.pi * np.minimum(a, b) ** 2, np.where(d < a + b, np.maximum(lens, 0), 0.0))
