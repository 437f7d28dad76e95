"""The body in its air: every piece of it, arms and both legs among them, generous so that no lesion is lost.

Tissue and air lie decades apart, the hottest lesion and tissue do so too: the threshold is sought on a logarithmic
scale. An image that was cropped inside the body holds no air; then everything is body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.volume import Volume
from hakken.imaging.pieces import Mask, closed, depth, filled

CT_BODY_HU = -400.0
BRIGHT_PERCENTILE = 99.0
NEIGHBOURS = np.ones((1, 3, 3), bool)


@dataclass(frozen=True)
class Scale:
    """Where on a logarithmic scale, as shares of the bright end, air and tissue are told apart.

    ``air`` and ``dark``: how bright air may be at most, as a share of tissue and of the bright end. ``thick``: how
    thick a piece must be, as a share of the thickest. ``closing`` and ``rim`` in mm: gaps closed, and what is added.
    """

    low: float
    high: float
    air: float
    dark: float
    thick: float
    closing: float = 0.0
    rim: float = 0.0


PET = Scale(low=0.001, high=0.2, air=0.2, dark=0.03, thick=0.0, closing=15.0, rim=5.0)
OTHER = Scale(low=0.01, high=0.25, air=0.3, dark=0.1, thick=0.25)


def find_body(volume: Volume, modality: Literal["mr", "ct", "pet", "xray", "endoscopy"]) -> Mask:
    """Return the body (z, y, x) with its cavities; the table is left out. All of an image that shows no air."""
    values = np.nan_to_num(np.asarray(volume.array, np.float32))
    scale, spacing = (PET if modality == "pet" else OTHER), volume.spacing[::-1]
    threshold = CT_BODY_HU if modality == "ct" else _threshold(values, scale)
    if threshold is None:
        return np.ones(values.shape, bool)
    above = values > threshold
    opened = ndimage.binary_opening(above, NEIGHBOURS) if scale.thick else above
    body = filled(_pieces(opened if opened.any() else above, spacing, scale.thick))
    return filled(closed(body, spacing, scale.closing, scale.rim)) if scale.closing and body.any() else body


def _threshold(values: NDArray[np.float32], scale: Scale) -> float | None:
    """Return the intensity between air and tissue, or None where there is no air."""
    bright = float(np.percentile(values, BRIGHT_PERCENTILE))
    bright = bright if bright > 0 else float(values.max())
    if bright <= 0:
        return 0.0
    logarithms = np.log(np.clip(values / bright, scale.low, scale.high))
    threshold = bright * float(np.exp(_otsu(logarithms)))
    below, above = values[values <= threshold], values[values > threshold]
    if below.size == 0 or above.size == 0:
        return 0.0 if bright > 0 and (values <= 0).any() else None
    usual = float(np.median(below))
    return threshold if usual <= min(scale.air * float(np.median(above)), scale.dark * bright) else None


def _otsu(values: NDArray[np.float32]) -> float:
    otsu = sitk.OtsuThresholdImageFilter()
    otsu.Execute(sitk.GetImageFromArray(values.reshape(1, 1, -1)))
    return float(otsu.GetThreshold())


def _pieces(mask: Mask, spacing: tuple[float, ...], thick: float) -> Mask:
    """Return the pieces whose inside lies nearly as deep as that of the deepest; a table is thin."""
    labels, count = ndimage.label(mask)
    if count < 2 or thick == 0:
        return mask
    inner = depth(mask, spacing)
    reach = np.asarray(ndimage.maximum(inner, labels, np.arange(count + 1)))
    reach[0] = 0
    return np.asarray((reach >= thick * reach.max())[labels])
