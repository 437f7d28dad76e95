"""The brain's own surface near a template's: two floods, from inside and from outside, meet between brain and bone.

Brightness is that of the tissue deep inside, as it is around each place: coils see the near parts of a head brighter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.volume import Volume
from hakken.imaging.pieces import Distances, Mask, closed, depth, distance, filled, largest

Floats = NDArray[np.float32]

DEEP_MM = 10.0
SHADE_MM = 30.0  # how slowly brightness changes
ODD = (0.5, 1.15)  # times the usual intensity: beyond it is fluid or a lesion
LOOSE_MM = 7.0  # where the floods start, from the template's surface, while it is being fitted
CLOSING_MM = 6.0
THIN_MM = 2.0
EDGE_MM = 3.0
CT_BONE_HU = 150.0
CT_AIR_HU = -100.0
CT_CORE_MM = 14.0  # of soft tissue around: eyes and muscles are thinner
CT_REACH_MM = 5.0


@dataclass(frozen=True)
class Contrast:
    """Which intensities are brain: between ``dark`` and ``bright`` times the usual ones deep inside.

    What is brighter than ``edge`` times them and lies beside it is brain too: half of such a voxel is. ``inset`` moves
    the template's surface inwards, and the brain's own lies within ``reach`` of it, both in mm; ``bulge`` is the radius
    of balls of tissue in which it may lie so much farther out.
    """

    dark: float
    bright: float
    edge: float
    inset: float
    reach: float
    bulge: float


DARK_FLUID = Contrast(dark=0.72, bright=np.inf, edge=0.45, inset=0.0, reach=5.0, bulge=9.0)
BRIGHT_FLUID = Contrast(dark=0.75, bright=1.4, edge=np.inf, inset=2.0, reach=5.0, bulge=0.0)
FLUID_RATIO = (
    2.0  # of the brightest 1 % deep inside to the usual: T2, whose fluid outside the brain is brighter than it
)
KEPT_MM = 8.0  # deeper than this nothing is too bright for brain


def brain_near(near: Volume, surface: Floats, modality: str, *, fitting: bool = False) -> Mask:
    """Return the brain (z, y, x) whose surface lies near the template's, as far as the image says.

    ``surface`` is the signed distance in mm to the template's surface, above 0 inside; the brain's own may lie farther
    from it while the template is ``fitting``. On CT it is what the skull encloses. Raises RuntimeError where the
    template lies outside of the image.
    """
    if modality == "ct":
        return _enclosed(near, surface, LOOSE_MM if fitting else CT_REACH_MM)
    spacing = near.spacing[::-1]
    values, contrast = _levelled(ndimage.gaussian_filter(near.array, 0.5), surface > DEEP_MM, spacing)
    surface = surface - np.float32(contrast.inset)
    tissue = (values > contrast.dark) & ((values < contrast.bright) | (surface > KEPT_MM))
    inner = depth(tissue, spacing)
    reach_mm, bulge_mm = LOOSE_MM if fitting else contrast.reach, contrast.bulge
    inside, outside = _sides(surface, reach_mm, _opened(tissue, spacing, bulge_mm), bulge_mm)
    basin = _basin(inner - distance(tissue, spacing), inside, outside)
    brain = closed(_thick(basin & tissue, inner), spacing, CLOSING_MM) & basin
    edge = (values > contrast.edge) & (values < contrast.bright) & (distance(brain, spacing) <= EDGE_MM)
    return filled(brain | (edge & basin))


def _levelled(values: Floats, deep: Mask, spacing: tuple[float, ...]) -> tuple[Floats, Contrast]:
    """Return the intensities in units of the usual ones ``deep`` inside and around each voxel, and their contrast."""
    inside = values[deep]
    usual = float(np.median(inside)) if inside.size else 0.0
    if usual <= 0:
        raise RuntimeError("the template lies outside of the image")
    contrast = BRIGHT_FLUID if np.percentile(inside, 99) > FLUID_RATIO * usual else DARK_FLUID
    sigma = [SHADE_MM / step for step in spacing]
    share = np.where(deep, np.clip(values / np.float32(usual), *ODD), 0)
    around = ndimage.gaussian_filter(share, sigma) + np.float32(1e-3)
    weight = ndimage.gaussian_filter(deep.astype(np.float32), sigma) + np.float32(1e-3)
    return values * weight / (around * np.float32(usual)), contrast


def _enclosed(near: Volume, surface: Floats, reach_mm: float) -> Mask:
    """Return what the skull encloses on CT: the floods start in the thickest soft tissue and far from the template.

    They meet in the bone, and in its holes where they are narrowest, the orbits and the foramen magnum among them.
    """
    spacing = near.spacing[::-1]
    soft = (near.array <= CT_BONE_HU) & (near.array > CT_AIR_HU)
    inner = depth(soft, spacing)
    core = largest((inner > CT_CORE_MM) & (surface > -LOOSE_MM))
    return filled(largest(_basin(inner - distance(soft, spacing), core, surface < -reach_mm) & soft))


def _sides(surface: Floats, reach_mm: float, thick: Mask, bulge_mm: float) -> tuple[Mask, Mask]:
    """Return what surely lies inside and outside of the brain; where tissue is ``thick`` it may bulge farther."""
    return surface > reach_mm, surface < np.where(thick, -reach_mm - bulge_mm, -reach_mm)


def _opened(tissue: Mask, spacing: tuple[float, ...], radius_mm: float) -> Mask:
    """Return where a ball fits into the tissue, its gaps closed."""
    inner = depth(closed(tissue, spacing, EDGE_MM), spacing)
    return distance(inner > radius_mm, spacing) <= radius_mm


def _basin(height: Distances, inside: Mask, outside: Mask) -> Mask:
    """Flood from ``inside`` and ``outside``, the highest places first; return what the first of them reaches."""
    markers = np.where(inside, 1, np.where(outside, 2, 0)).astype(np.uint8)
    flood = sitk.GetImageFromArray(-height.astype(np.float32))
    basins = sitk.MorphologicalWatershedFromMarkers(flood, sitk.GetImageFromArray(markers), markWatershedLine=False)
    return np.asarray(sitk.GetArrayFromImage(basins) == 1)


def _thick(mask: Mask, inner: Distances) -> Mask:
    """The pieces of the mask that are thick somewhere; a film of marrow is not."""
    labels, count = ndimage.label(mask)
    reach = np.asarray(ndimage.maximum(inner, labels, np.arange(count + 1)))
    thick = reach > THIN_MM
    thick[0] = False
    return np.asarray(thick[labels])
