"""Masks of the region of interest, found on the reference channel: brain, lung, body, nonzero or everything.

A mask may be generous and must not cut a lesion: cavities are filled, so dark or bright spots inside stay inside.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.volume import Volume
from hakken.imaging.body import find_body
from hakken.imaging.brain import find_brain
from hakken.imaging.lung import find_lung
from hakken.imaging.pieces import Mask, filled, largest

Kind = Literal["brain", "lung", "body", "nonzero", "given", "none"]
Modality = Literal["mr", "ct", "pet", "xray", "endoscopy"]

STRIPPED_ZERO = 0.2
STRIPPED_BORDER = 0.1


def find_mask(volume: Volume, kind: Kind, modality: Modality = "mr") -> Mask:
    """Return the mask (z, y, x) of ``volume``; raises HakkenError when it would be empty.

    ``brain``: of a skull-stripped image what is not zero, else the brain inside the skull; on CT, in Hounsfield units,
    all that the skull encloses, blood below the bone too. ``lung``: both lungs of a chest, on CT in Hounsfield units,
    else on MR, with what lies in them and at the pleura. ``body``: what stands out from the air, every limb; all of an
    image that shows no air.
    ``nonzero``: what is not zero, cavities filled. ``none``: every voxel.
    """
    array = np.nan_to_num(volume.array)
    if kind == "given":
        raise HakkenError(
            "`preparation.mask: given` needs a mask of the case, which there is none of; add the column `mask` to the "
            "case table"
        )
    if kind == "none":
        return np.ones(array.shape, bool)
    if kind == "nonzero":
        mask = filled(array != 0)
    elif kind == "body":
        mask = find_body(volume, modality)
    elif kind == "lung":
        mask = find_lung(volume, "ct" if modality == "ct" else "mr")
    elif is_stripped(array):
        mask = filled(largest(array != 0))
    else:
        return find_brain(volume, "ct" if modality == "ct" else "mr")
    if not mask.any():
        raise HakkenError(f"the {kind} mask is empty; look at the image, or choose another preparation.mask")
    return mask


def without_rim(mask: Mask, spacing: tuple[float, float, float], rim_mm: float) -> Mask:
    """Return the voxels of the mask (z, y, x) that lie deeper in it than ``rim_mm``; ``spacing`` is x, y, z in mm.

    Depth is the distance to the nearest voxel outside, centre to centre; the border of the image is not outside. Where
    a voxel is thicker than the rim its neighbours mix into it all the same, so at least one is left out along each
    axis. Raises HakkenError where nothing is left.
    """
    if rim_mm == 0 or mask.all():
        return mask
    inner = ndimage.binary_erosion(mask, border_value=1)
    inner &= ndimage.distance_transform_edt(mask, sampling=spacing[::-1]) > rim_mm
    if not inner.any():
        raise HakkenError(f"the mask is nowhere deeper than {rim_mm:g} mm; lower preparation.rim_mm")
    return inner


def is_stripped(array: NDArray[np.generic]) -> bool:
    """Whether everything around the brain was set to zero: zeros abound and nearly nothing touches the border."""
    inside = array != 0
    faces = [inside.take(index, axis) for axis in range(3) for index in (0, -1) if array.shape[axis] > 1]
    zeros = 1 - float(inside.mean())
    return zeros >= STRIPPED_ZERO and max(float(face.mean()) for face in faces) <= STRIPPED_BORDER
