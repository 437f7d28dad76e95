"""The loss of patches with and without a lesion."""

from __future__ import annotations

import torch
from torch.nn import functional


def balanced_loss(
    logits: torch.Tensor, targets: torch.Tensor, negative_ratio: float, gamma: float | None = None
) -> torch.Tensor:
    """Return the mean loss (scalar) of logits (b, 2) for targets (b,), 1 where a lesion is.

    Cross-entropy, or with ``gamma`` the focal loss (Lin et al., Focal loss for dense object detection, 2017). Lesions
    and background weigh the same in sum, whatever the ``negative_ratio`` of a mini-batch, so that a score is comparable
    between trainings with different ratios: 0.5 means that a patch is as frequent among lesions as among negatives.

    >>> round(float(balanced_loss(torch.zeros(4, 2), torch.tensor([1, 0, 0, 0]), 3.0)), 4)
    0.6931
    """
    share = 1 / (1 + negative_ratio)
    weights = torch.tensor([0.5 / (1 - share), 0.5 / share], device=logits.device)
    losses = functional.cross_entropy(logits.float(), targets, reduction="none")
    if gamma is not None:
        losses = losses * (1 - torch.exp(-losses)) ** gamma
    return (losses * weights[targets]).mean()
