"""The mask of a whole case by a network whose output is as large as its input. Axes are (z, y, x), units are voxels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from hakken.imaging.prepared import PreparedCase
from hakken.inference.dense import MIB, exactly
from hakken.inference.maps import Triple, triple
from hakken.inference.sliding import sliding_window
from hakken.methods.unet import Inference
from hakken.methods.unet.sizes import Size
from hakken.networks.unet import UNet

BYTES = 4
HELD = 6
"""Maps of the first level that are held at once, in its widths: two of the way down, the joined, and their results."""

Mask = NDArray[np.bool_]

SMALLEST = 32
"""Edge below which a window is not cut further, whatever the memory."""


def mask_of(found: NDArray[np.float32], case: PreparedCase, settings: Inference) -> Mask:
    """Return which voxels (z, y, x) of a prepared case belong to lesions.

    That is where the probability ``found`` is at least the threshold of the ``settings``, within the case's mask.
    """
    return np.asarray((found >= settings.threshold) & (case.mask() > 0))


def probabilities(network: UNet, image: torch.Tensor, size: Size, memory_mb: float) -> NDArray[np.float32]:
    """Return the probability of a lesion (z, y, x) in ``image`` (c, z, y, x), by the network at one size.

    An image that does not fit into ``memory_mb`` at once is seen through windows that overlap by half and are blended.
    ``network`` is taken to be in evaluation mode.
    """
    device = next(network.parameters()).device
    window = window_of(network, triple(image.shape[1:]), size, memory_mb)

    def run(images: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(network(images, size.levels, size.features).float())

    whole = window == tuple(image.shape[1:])
    pixels = image.to(device, torch.float32)
    with torch.inference_mode(), exactly(device, torch.float32):
        found = run(pixels[None])[0] if whole else sliding_window(run, pixels, window, batch=1)
    return np.asarray(found[0].cpu().numpy())


def window_of(network: UNet, shape: Triple, size: Size, memory_mb: float) -> Triple:
    """Return the largest window of an image of this ``shape`` that fits into the memory, its longest edge halved.

    A flat network sees slices one by one, so that its window is first cut across them.
    """
    width = network.active(size.levels, size.features)[0]
    window, least = list(shape), [1 if network.dimensions == 2 else SMALLEST, SMALLEST, SMALLEST]
    while BYTES * HELD * width * float(np.prod(window)) > memory_mb * MIB:
        spare = [edge if edge > low else 0 for edge, low in zip(window, least, strict=True)]
        axis = 0 if network.dimensions == 2 and spare[0] else int(np.argmax(spare))
        if not spare[axis]:
            break
        window[axis] = max(-(-window[axis] // 2), least[axis])
    return triple(window)
