"""What is changed in volumes of interest beside `hakken.patches.augment`: grey levels inverted, edges sharpened."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SHARPEST = 2.0
"""How many times what a mean over 3 voxels takes away is added, at most."""
SHARPENED = 0.2
"""The share of the volumes that are sharpened at full strength."""


def inverted(images: Tensor, chosen: Tensor) -> Tensor:
    """Return images (b, c, ...) in the range 0 to 1, those that are ``chosen`` (b,) with their grey levels inverted.

    >>> image = torch.tensor([[[0.25, 1.0]]])
    >>> inverted(image, torch.tensor([True])).tolist()
    [[[0.75, 0.0]]]
    """
    return torch.where(chosen.reshape(-1, *[1] * (images.ndim - 1)), 1 - images, images)


def sharpened(images: Tensor, amount: Tensor) -> Tensor:
    """Return images (b, c, z, y, x) with ``amount`` (b,) times what a mean over 3 voxels takes away added."""
    if not amount.any():
        return images
    smooth = functional.avg_pool3d(functional.pad(images, [1] * 6, mode="replicate"), 3, 1)
    return images + amount.reshape(-1, 1, 1, 1, 1) * (images - smooth)


def drawn_amounts(count: int, strength: float, generator: torch.Generator) -> Tensor:
    """Draw how much each of so many volumes is sharpened, most of them not at all."""
    amounts = torch.rand(count, generator=generator) * SHARPEST * strength
    return torch.where(torch.rand(count, generator=generator) < SHARPENED * strength, amounts, 0.0)
