"""The MNI152 brain as the package nilearn ships it: how it looks, and how far every point is from its surface.

The ICBM 152 (2009a) T1 average is skull-stripped: around it lie three shells that stand for fluid, bone and scalp, so
that mutual information finds the surface whatever the contrast. Source: Fonov et al., NeuroImage 54 (2011) 313-327.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.volume import Volume, triple
from hakken.imaging.convert import from_image, to_image
from hakken.imaging.pieces import Mask, closed, distance, largest, signed_distance

FILE = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
EDGE_MM = 2
GRID = (float(EDGE_MM),) * 3
MARGIN_MM = 24  # around the brain, where its surface is known
AIR_MM = 36  # around that: heads are larger than brains
BRIGHTEST = 255.0
FLUID, BONE, SCALP = 0.3, 0.1, 1.4  # white matter is 1
SHELLS_MM = (3.0, 9.0, 16.0)  # where fluid, bone and scalp end
FISSURE_MM = 10.0  # half the width of what is closed: the surface does not follow the fissures


@dataclass(frozen=True)
class Template:
    """``appearance`` and ``surface`` (signed distance in mm, above 0 inside) as images of 2 mm.

    ``centre`` of the brain's mass, x, y, z, and the height ``top`` of its highest point, in mm, LPS.
    """

    appearance: sitk.Image
    surface: sitk.Image
    centre: tuple[float, float, float]
    top: float


@lru_cache(maxsize=1)
def brain_template() -> Template:
    """Return the template; raises HakkenError where nilearn is not installed."""
    head = _read()
    brain = _solid(head.array > 0, GRID[0])
    outline = _solid(brain, FISSURE_MM)
    outside = distance(brain, GRID)
    shells = np.select([outside <= edge for edge in SHELLS_MM], [FLUID, BONE, SCALP], 0.0)
    appearance = np.where(brain, np.maximum(head.array / BRIGHTEST, FLUID), shells).astype(np.float32)
    air = [AIR_MM // EDGE_MM] * 3
    places = head.to_world(np.argwhere(outline))
    return Template(
        appearance=sitk.ConstantPad(to_image(Volume.on(head.geometry, appearance)), air, air, 0.0),
        surface=to_image(Volume.on(head.geometry, signed_distance(outline, GRID))),
        centre=triple(places.mean(axis=0)),
        top=float(places[:, 2].max()),
    )


def _read() -> Volume:
    """Return the average brain in voxels of 2 mm with a margin around it."""
    found = importlib.util.find_spec("nilearn")  # its import takes seconds, and only a file of it is needed
    if found is None or found.origin is None:
        raise HakkenError("`mask: brain` needs the package nilearn, which ships the template; install hakken again")
    image = sitk.ReadImage(str(Path(found.origin).parent / FILE), sitk.sitkFloat32)
    padded = sitk.ConstantPad(image, [MARGIN_MM] * 3, [MARGIN_MM] * 3, 0.0)
    coarse = from_image(sitk.BinShrink(padded, [EDGE_MM] * 3))
    brain = largest(coarse.array > 0)
    places, margin = np.argwhere(brain)[:, ::-1], MARGIN_MM // EDGE_MM
    low, high = places.min(axis=0) - margin, places.max(axis=0) + margin
    alone = to_image(Volume.on(coarse.geometry, np.where(brain, coarse.array, 0)))
    return from_image(sitk.RegionOfInterest(alone, (high - low + 1).tolist(), low.tolist()))


def _solid(mask: Mask, reach_mm: float) -> Mask:
    return np.asarray(ndimage.binary_fill_holes(closed(mask, GRID, reach_mm)))
