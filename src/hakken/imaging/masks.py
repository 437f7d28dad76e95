"""Masks of the region of interest, found on the reference channel: brain, body, nonzero or everything.

A mask may be generous and must not cut a lesion: cavities are filled, so dark or bright spots inside stay inside.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.convert import from_image, to_image

Kind = Literal["brain", "body", "nonzero", "none"]
Modality = Literal["mr", "ct", "pet", "xray", "endoscopy"]
Mask = NDArray[np.bool_]

WORKING_MM = 2.0
CT_BODY_HU = -400.0
CT_BONE_HU = 150.0
CT_THICK = 0.4  # of the thickness of the brain
CT_BLOOD_HU = 100.0  # blood is less dense: what is denser at the mask's border is partly bone
SCALP_MM = 3.0
MARROW_MM = 2.0
CLOSING_MM = 6.0
RIM_MM = 1.0
STRIPPED_ZERO = 0.2
STRIPPED_BORDER = 0.1


def find_mask(volume: Volume, kind: Kind, modality: Modality = "mr") -> Mask:
    """Return the mask (z, y, x) of ``volume``; raises HakkenError when it would be empty.

    ``brain``: of a skull-stripped image what is not zero, else the brain inside the skull; on CT, in Hounsfield units,
    all that the skull encloses, blood below the bone too. ``body``: the largest piece that stands out from the air.
    ``nonzero``: what is not zero, cavities filled. ``none``: every voxel.
    """
    array = np.nan_to_num(volume.array)
    if kind == "none":
        return np.ones(array.shape, bool)
    if kind == "nonzero":
        mask = filled(array != 0)
    elif kind == "body":
        mask = _body(array, modality)
    elif is_stripped(array):
        mask = filled(largest(array != 0))
    else:
        mask = _enclosed(volume) if modality == "ct" else _brain(volume)
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


def filled(mask: Mask) -> Mask:
    """Return the mask without cavities, in space and in every slice along each axis that is long enough."""
    box = ndimage.find_objects(mask.astype(np.uint8))
    if not box:
        return mask
    result = mask.copy()
    part = result[box[0]]
    part |= ndimage.binary_fill_holes(part)
    for axis in range(3):
        if part.shape[axis] < mask.shape[axis] // 8:
            continue
        for index in range(part.shape[axis]):
            plane = part[(slice(None),) * axis + (index,)]
            plane |= ndimage.binary_fill_holes(plane)
    return result


def largest(mask: Mask) -> Mask:
    """Return the largest piece of the mask (neighbours share a face)."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def _body(array: NDArray[np.generic], modality: Modality) -> Mask:
    values = np.asarray(array, np.float32)
    if modality == "pet":  # uptake spans decades: the body stands out from the air only on a compressed scale
        values = np.sqrt(np.maximum(values, 0))
    threshold = CT_BODY_HU if modality == "ct" else _otsu(values)
    inside = ndimage.binary_opening(values > threshold, np.ones((1, 3, 3), bool))
    return filled(largest(inside if inside.any() else values > threshold))


def _brain(volume: Volume) -> Mask:
    """The brain inside a skull, found on voxels of about 2 mm and drawn back onto the grid.

    Tissue is what is brighter than bone and fluid. The signed distance to its surface is flooded from the middle of
    the head and from the scalp; the floods meet in the bone, the widest dark gap between the two.
    """
    coarse = _coarse(volume)
    spacing = coarse.spacing[::-1]
    values = ndimage.gaussian_filter(np.asarray(coarse.array, np.float32), 0.5)
    head = filled(largest(values > 0.6 * _otsu(values)))
    depth = _depth(head, spacing)
    tissue = head & (values > _dark(values, depth))
    inner = ndimage.distance_transform_edt(tissue, sampling=spacing)
    basin = _basin(inner - ndimage.distance_transform_edt(~tissue, sampling=spacing), depth)
    brain = _thick(basin & tissue, inner)
    near = ndimage.distance_transform_edt(~brain, sampling=spacing) <= CLOSING_MM
    closed = _depth(near, spacing) > CLOSING_MM - RIM_MM
    return _redrawn(Volume.on(coarse.geometry, filled(closed & basin)), volume.geometry)


def _enclosed(volume: Volume) -> Mask:
    """What the skull encloses on CT, up to the bone, found on voxels of about 2 mm and drawn back onto the grid.

    Bone is what is denser than `CT_BONE_HU`. The signed distance to it is flooded from the thickest piece of soft
    tissue, from the other thick ones, such as a neck, and from the skin; the floods meet in the bone, and in its holes
    where they are narrowest, the foramen magnum among them.
    """
    coarse = _coarse(volume)
    spacing = coarse.spacing[::-1]
    values = np.asarray(coarse.array, np.float32)
    head = filled(largest(values > CT_BODY_HU))
    soft = head & (values <= CT_BONE_HU)
    if not soft.any():
        return np.zeros(volume.array.shape, bool)
    height = _depth(soft, spacing) - ndimage.distance_transform_edt(~soft, sampling=spacing)
    thick, _ = ndimage.label(height > CT_THICK * height.max())
    skin = _depth(head, spacing) < SCALP_MM
    brain = thick == thick.flat[height.argmax()]
    basin = _flood(height, np.where(brain, 1, np.where(skin | (thick > 0), 2, 0)).astype(np.uint8))
    enclosed = filled(largest(basin & soft))
    grown = _redrawn(Volume.on(coarse.geometry, enclosed), volume.geometry)
    return filled(grown & (np.nan_to_num(volume.array) <= CT_BLOOD_HU))


def _basin(height: NDArray[np.float64], depth: NDArray[np.float64]) -> Mask:
    """Flood ``height`` (mm, highest first) from the deepest half of the head and from the scalp; return the first."""
    return _flood(height, np.where(depth > 0.5 * depth.max(), 1, np.where(depth < SCALP_MM, 2, 0)).astype(np.uint8))


def _flood(height: NDArray[np.float64], markers: NDArray[np.uint8]) -> Mask:
    """Flood ``height`` (mm, highest first) from ``markers`` 1 and 2; return what the first of them reaches."""
    flood = sitk.GetImageFromArray(-height.astype(np.float32))
    basins = sitk.MorphologicalWatershedFromMarkers(flood, sitk.GetImageFromArray(markers), markWatershedLine=False)
    return np.asarray(sitk.GetArrayFromImage(basins) == 1)


def _thick(mask: Mask, inner: NDArray[np.float64]) -> Mask:
    """The pieces of the mask that are thick somewhere; a film of marrow is not."""
    labels, count = ndimage.label(mask)
    reach = np.asarray(ndimage.maximum(inner, labels, np.arange(count + 1)))
    thick = reach > MARROW_MM
    thick[0] = False
    return np.asarray(thick[labels])


def _depth(mask: Mask, spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Distance in mm of each voxel of the mask to its outside; beyond the image is outside."""
    return np.asarray(ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1])


def _dark(values: NDArray[np.float32], depth: NDArray[np.float64]) -> float:
    """The intensity between bone or fluid and brain: half of what is usual deep inside the head."""
    deep = values[depth > 0.5 * depth.max()]
    return 0.55 * float(np.median(deep))


def _otsu(values: NDArray[np.floating]) -> float:
    """Otsu's threshold with the brightest 1 % cut off, so that vessels and fat do not carry it away."""
    low, high = np.percentile(values, (0.1, 99))
    image = sitk.GetImageFromArray(np.clip(values, low, high).astype(np.float32))
    otsu = sitk.OtsuThresholdImageFilter()
    otsu.Execute(image)
    return float(otsu.GetThreshold())


def _coarse(volume: Volume) -> Volume:
    factors = [
        max(1, min(round(WORKING_MM / spacing), size // 8))
        for spacing, size in zip(volume.spacing, volume.array.shape[::-1], strict=True)
    ]
    return from_image(sitk.BinShrink(sitk.Cast(to_image(volume), sitk.sitkFloat32), factors))


def _redrawn(mask: Volume, grid: Geometry) -> Mask:
    from hakken.imaging.registration import resample

    smooth = Volume.on(mask.geometry, mask.array.astype(np.float32))
    return np.asarray(resample(smooth, grid, sitk.Transform()).array > 0.5)
