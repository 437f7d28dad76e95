"""Volumes to SimpleITK images and back; pixels and geometry are all that passes."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from hakken.core.volume import Geometry, Unit, Volume, triple


def to_image(volume: Volume) -> sitk.Image:
    """Return a three-dimensional SimpleITK image of a volume; booleans become bytes."""
    array = volume.array
    image = sitk.GetImageFromArray(array.astype(np.uint8) if array.dtype == bool else array)
    image.SetSpacing(volume.spacing)
    image.SetOrigin(volume.origin)
    image.SetDirection(volume.direction)
    return image


def from_image(image: sitk.Image, unit: Unit = "mm") -> Volume:
    """Return a copy of a three-dimensional scalar SimpleITK image as a volume with lengths in ``unit``, untagged."""
    return Volume(
        array=sitk.GetArrayFromImage(image),
        spacing=triple(image.GetSpacing()),
        origin=triple(image.GetOrigin()),
        direction=tuple(float(value) for value in image.GetDirection()),
        unit=unit,
    )


def grid_image(geometry: Geometry) -> sitk.Image:
    """Return an image of zeros (8 bit) on ``geometry``, to name a grid to SimpleITK."""
    z, y, x = geometry.shape_zyx
    image = sitk.Image([x, y, z], sitk.sitkUInt8)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image
