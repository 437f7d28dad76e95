"""The order in which tensors lie in memory."""

from __future__ import annotations

import torch

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
"""Memory formats that keep the channels of a voxel together, by the axes of a tensor, batch and channels among them."""


def arrange_images(images: torch.Tensor, channels_last: bool) -> torch.Tensor:
    """Return ``images`` (b, c, ...) in the order of memory; shape and values stay as they are."""
    if not channels_last or images.ndim not in FORMATS:
        return images
    return images.contiguous(memory_format=FORMATS[images.ndim])
