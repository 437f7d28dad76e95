"""The loss of masks."""

from __future__ import annotations

import torch
from torch.nn import functional

SMOOTH = 1.0


def mask_loss(logits: torch.Tensor, maps: torch.Tensor, gamma: float | None = None) -> torch.Tensor:
    """Return the mean loss (scalar) of logits (b, 1, ...) for maps of the same shape, 0 to 1.

    `soft_dice_loss` and cross-entropy, or with ``gamma`` the focal loss (Lin et al. 2017).
    """
    logits = logits.float()
    losses = functional.binary_cross_entropy_with_logits(logits, maps, reduction="none")
    if gamma is not None:
        losses = losses * (1 - torch.exp(-losses)) ** gamma
    return losses.mean() + soft_dice_loss(torch.sigmoid(logits), maps)


def soft_dice_loss(found: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return 1 - Dice (scalar) of probabilities and maps of one shape, over the whole batch (Milletari et al. 2016).

    One voxel is added to both halves of the fraction, so that a batch without a lesion has a loss.
    """
    shared = (found * maps).sum()
    return 1 - (2 * shared + SMOOTH) / (found.sum() + maps.sum() + SMOOTH)
