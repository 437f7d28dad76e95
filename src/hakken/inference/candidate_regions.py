"""Regions of the body in which candidates lie."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hakken.imaging.body_regions import region_at
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates


def regions_of(found: Candidates, case: PreparedCase) -> list[str] | None:
    """Return the region of each candidate of a case, None where its study names no regions."""
    return region_at(case.body_regions(), found.voxel) if case.has_body else None


def highest_counted(found: Candidates, case: PreparedCase, apart: Collection[str]) -> float:
    """Return the highest score of a case, 0 without any: of candidates in the regions ``apart`` none counts."""
    names = regions_of(found, case)
    if names is None or not apart:
        return found.highest
    kept = found.score[~np.isin(np.array(names, np.str_), list(apart))]
    return float(kept.max()) if len(kept) else 0.0
