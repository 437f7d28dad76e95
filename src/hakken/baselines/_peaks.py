"""Baselines of detection whose candidates are the highest points of a filtered channel.

A rule is a channel, a sign (bright or dark findings) and the filter's scale. All rules are tried on the validation
cases, and the one with the highest objective is taken; of equals the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.outcomes import Part, in_order
from hakken.outcomes.candidates import objective
from hakken.study import Study

MOST = 300
"""Most candidates of a case where the method of the study names no number."""

Floats = NDArray[np.float32]
Filter = Callable[[Floats, float, tuple[float, ...]], Floats]
"""A channel (z, y, x), a scale in mm and the voxel size (z, y, x) in mm, to a map that is high at bright findings."""
Rule = Mapping[str, Any]
Inside = Callable[[PreparedCase], NDArray[np.bool_]]
"""Where candidates of a case may lie (z, y, x)."""


def masked(case: PreparedCase) -> NDArray[np.bool_]:
    """Return the mask of a case (z, y, x)."""
    return np.asarray(case.mask() > 0)


def choose(
    cases: Sequence[PreparedCase], study: Study, of: Filter, scales: Sequence[float], inside: Inside = masked
) -> dict[str, Any]:
    """Return the best rule, and what all have reached by their words."""
    part = Part(study, in_order(cases), study.outcomes["candidates"])
    rules = [
        {"channel": name, "dark": dark, "scale": scale}
        for name in study.inputs
        for dark in (False, True)
        for scale in scales
    ]
    reached = [
        objective({case.case_id: candidates(case, study, rule, of, inside) for case in part.images}, part)
        for rule in rules
    ]
    tried = {words(rule): value for rule, value in zip(rules, reached, strict=True)}
    return {**rules[int(np.argmax(reached))], "tried": tried}


def candidates(case: PreparedCase, study: Study, rule: Rule, of: Filter, inside: Inside = masked) -> Candidates:
    """Return the highest points of the filtered channel ``inside`` a case, in its mask if not told, the best first.

    A point is a voxel that none of its 26 neighbours exceeds; its size is that of a voxel.
    """
    channel = np.asarray(case.image()[case.channels.index(rule["channel"])], np.float32)
    size = case.geometry.spacing[::-1]
    values = of(-channel if rule["dark"] else channel, rule["scale"], size)
    allowed = inside(case)
    values = np.where(allowed, values, -np.inf)
    tops = allowed & (values == ndimage.maximum_filter(values, size=3, mode="constant", cval=-np.inf))
    places = np.flatnonzero(tops)
    height = values.ravel()[places].astype(float)
    most = int(getattr(study.inference, "maximum_candidates", MOST))
    order = np.lexsort((places, -height))[:most]
    voxel = np.stack(np.unravel_index(places[order], values.shape), -1).astype(float)
    sizes = np.full(len(order), case.geometry.voxel_size)
    return Candidates(case.geometry.to_world(voxel), height[order], sizes, voxel)


def words(rule: Rule) -> str:
    """Return a rule in a few words.

    >>> words({"channel": "FLAIR", "dark": False, "scale": 2.0})
    'bright on FLAIR, 2 mm'
    """
    return f"{'dark' if rule['dark'] else 'bright'} on {rule['channel']}, {rule['scale']:g} mm"


def sigmas(scale: float, size: tuple[float, ...]) -> tuple[float, ...]:
    """Return the standard deviations in voxels of a Gaussian of ``scale`` mm; none across a flat image's one slice."""
    return tuple(scale / edge for edge in size)
