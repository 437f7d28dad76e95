"""Masks that are hardly what they are called: brains and lungs far smaller or larger than they are, named in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from hakken.core.names import counted
from hakken.core.volume import Geometry
from hakken.imaging.cases import Case
from hakken.imaging.pieces import Mask
from hakken.imaging.prepared import PreparedCase

USUAL_ML = (800.0, 2100.0)
"""Brains with their ventricles, of children from one year on to large men."""
LUNGS_ML = (1500.0, 9000.0)
"""Both lungs of adults with what lies in them, from expiration to full inspiration."""
SHOWN = 3
REMEDY = "look at the image, or give a mask of your own in a column `mask` (`preparation.mask: given`)"


def brain_doubt(mask: Mask, geometry: Geometry) -> str:
    """Return what makes a brain's mask (z, y, x) doubtful, nothing where its volume is that of a brain.

    >>> brain_doubt(np.ones((10, 10, 10), bool), Geometry((10, 10, 10), (1.0, 1.0, 1.0)))
    'the brain mask holds 1 ml, brains 800 to 2,100 ml: it reaches the border of the image, so the head is partial'
    """
    return _doubt(mask, geometry, USUAL_ML, ("brain", "brains", "head"))


def lung_volume_doubt(mask: Mask, geometry: Geometry, may_be_partial: bool = True) -> str:
    """Return what makes a mask (z, y, x) of both lungs doubtful, nothing where its volume is that of lungs."""
    return _doubt(mask, geometry, LUNGS_ML, ("lung", "both lungs", "chest" if may_be_partial else ""))


def _doubt(mask: Mask, geometry: Geometry, usual: tuple[float, float], words: tuple[str, str, str]) -> str:
    """Return the doubt in ``words``: of the mask, of those that it is compared with, of what may be cut off."""
    name, those, whole = words
    millilitres = int(np.count_nonzero(mask)) * geometry.voxel_mm3 / 1000
    if usual[0] <= millilitres <= usual[1]:
        return ""
    faces = (mask.take(index, axis) for axis in range(3) for index in (0, -1))
    cut = bool(whole) and any(map(np.any, faces))
    partial = f": it reaches the border of the image, so the {whole} is partial" if cut else ""
    return f"the {name} mask holds {millilitres:,.0f} ml, {those} {usual[0]:,.0f} to {usual[1]:,.0f} ml{partial}"


def doubts_of(cases: Iterable[Case]) -> tuple[str, ...]:
    """Return what stands beside numbers of cases whose masks are doubtful; nothing where none is."""
    known = list(cases)
    doubtful = [case for case in known if isinstance(case, PreparedCase) and case.doubt]
    if not doubtful:
        return ()
    return (f"the mask of {len(doubtful)} of {counted(len(known), 'case')} is doubtful ({_named(doubtful)}); {REMEDY}",)


def _named(cases: Sequence[PreparedCase]) -> str:
    more = len(cases) - SHOWN
    shown = "; ".join(f"{case.case_id}: {case.doubt}" for case in cases[:SHOWN])
    return shown + (f"; and {counted(more, 'more case')}" if more > 0 else "")
