"""The losses of dense networks. Maps are (b, k, ...); a voxel of weight 0 is neither right nor wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from hakken.methods.unet.loss import soft_dice_loss

HALF = 0.5
"""By how much each coarser level counts less than the one before (Isensee et al., nnU-Net, Nat Methods 2021)."""

Of = Callable[[Tensor, Tensor, Tensor], Tensor]


def over_levels(said: Sequence[Tensor], targets: Tensor, weight: Tensor, loss: Of) -> Tensor:
    """Return the weighted mean of a loss over the levels of a head, the finest first.

    Targets of coarser levels are the highest of the voxels that lie in a coarse one, so that no small lesion is lost.
    """
    total, weights = torch.zeros((), device=targets.device), 0.0
    for level, logits in enumerate(said):
        share = HALF**level
        total = total + share * loss(logits.float(), targets, weight)
        weights += share
        if level + 1 < len(said):
            targets, weight = _coarser(targets), -_coarser(-weight)
    return total / weights


def label_loss(logits: Tensor, targets: Tensor, weight: Tensor, *, dice: float) -> Tensor:
    """Return ``dice`` of the soft Dice loss and the rest of cross-entropy of logits (b, 1, ...), a scalar.

    >>> at = torch.tensor([[[1.0, 0.0]]])
    >>> round(float(label_loss(torch.zeros(1, 1, 2), at, torch.ones(1, 1, 2), dice=0.0)), 4)
    0.6931
    """
    cross = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    entropy = (cross * weight).sum() / weight.sum().clamp_min(1)
    return dice * soft_dice_loss(torch.sigmoid(logits) * weight, targets * weight) + (1 - dice) * entropy


def heat_loss(logits: Tensor, targets: Tensor, weight: Tensor, *, focus: float = 2.0, reduction: float = 4.0) -> Tensor:
    """Return the penalty-reduced focal loss of heat maps (Law and Deng, CornerNet, ECCV 2018), a scalar.

    A target is 1 at a centre and falls off about it. With p the probability and y the target the loss is -1/max(N, 1)
    of the sum of (1 - p)^focus log p at the centres, and of (1 - y)^reduction p^focus log(1 - p) elsewhere; N is the
    number of centres: the voxels that no neighbour exceeds, since most centres lie between voxels and augmentation
    moves them there, so that no voxel is at 1.

    >>> centre, none = torch.ones(1, 1, 4), torch.ones(1, 1, 4)
    >>> round(float(heat_loss(torch.zeros(1, 1, 4), centre, none)), 4)  # 0.25 log 2
    0.1733
    """
    positive, negative = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    told = _without_ties(targets)
    centre = (targets > LEAST) & (told >= _highest_around(told))
    found, missed = torch.exp(positive), torch.exp(negative)
    at = missed**focus * positive
    off = (1 - targets) ** reduction * found**focus * negative
    return -(torch.where(centre, at, off) * weight).sum() / (centre * weight).sum().clamp_min(1)


LEAST = 0.5
"""A target up to which a voxel is no centre, whatever its neighbours: a lesion whose own is beyond the window."""


TIE = 1e-6
"""By how much neighbours that are equal are told apart: a lesion's middle may lie between pixels, and it is one."""


def _without_ties(maps: Tensor) -> Tensor:
    """Return maps (b, k, ...) in which no voxel equals a neighbour, however little it lies above or below it."""
    for axis, size in enumerate(maps.shape[2:]):
        ramp = torch.arange(size, device=maps.device) % 3 * (TIE * 3**axis)
        maps = maps + ramp.reshape(-1, *[1] * (maps.ndim - 3 - axis))
    return maps


def _highest_around(maps: Tensor) -> Tensor:
    """Return the highest of each voxel and its neighbours, of maps (b, k, ...) of one to three axes."""
    pool = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[maps.ndim - 3]
    return pool(maps, 3, stride=1, padding=1)


def _coarser(maps: Tensor) -> Tensor:
    """Return maps on a grid twice as coarse, the highest value of each two voxels an axis."""
    pool = functional.max_pool2d if maps.ndim == 4 else functional.max_pool3d
    return pool(maps, 2, ceil_mode=True)


def class_loss(logits: Tensor, targets: Tensor, weight: Tensor, *, dice: float, rare: float = 0.0) -> Tensor:
    """Return ``dice`` of the mean soft Dice loss of the classes and the rest of cross-entropy, a scalar.

    Logits are (b, k, ...), the background's being 0; ``targets`` and ``weight`` (b, 1, ...) are numbers, 0 for the
    background and c for the class c, and how much a voxel counts. In the cross-entropy a class weighs its frequency in
    the mini-batch to the power -``rare``, and so does the background. The Dice is that of classes that the mini-batch
    has; where it has none, there is no Dice and nothing is put in its place.

    >>> at = torch.tensor([[[1, 0]]])
    >>> round(float(class_loss(torch.zeros(1, 1, 2), at, torch.ones(1, 1, 2), dice=0.0)), 4)
    0.6931
    """
    logs = functional.log_softmax(torch.cat([torch.zeros_like(logits[:, :1]), logits], 1), 1)
    each = -logs.gather(1, targets.long()) * weight
    shares = _balance(targets, weight, logits.shape[1], rare)[targets.long()]
    entropy = (each * shares).sum() / (weight * shares).sum().clamp_min(1e-6)
    present = torch.nonzero(_amounts(targets, weight, logits.shape[1])[1:]).flatten().tolist()
    if not present:
        return (1 - dice) * entropy
    lost = [
        soft_dice_loss(logs[:, number + 1].exp() * weight[:, 0], (targets[:, 0] == number + 1) * weight[:, 0])
        for number in present
    ]
    return dice * torch.stack(lost).mean() + (1 - dice) * entropy


def apart_loss(logits: Tensor, targets: Tensor, weight: Tensor, *, dice: float, rare: float = 0.0) -> Tensor:
    """Return the loss of lesions of any class and of their classes in them, a scalar.

    Arguments are those of `class_loss`. Whether there is a lesion is asked of all classes as of one, with its Dice and
    its cross-entropy; which one it is, in the voxels of lesions alone, by the mean cross-entropy of the classes among
    themselves, which is added to the other. So what a class is counts as much as whether there is a lesion, however few
    voxels lesions have. In each of the two cross-entropies what is rare in the mini-batch weighs more.

    >>> at = torch.tensor([[[1, 0]]])
    >>> round(float(apart_loss(torch.zeros(1, 1, 2), at, torch.ones(1, 1, 2), dice=0.0)), 4)
    0.6931
    """
    inside = (targets > 0).float()
    found = class_loss(logits.logsumexp(1, keepdim=True), inside, weight, dice=dice, rare=rare)
    logs = functional.log_softmax(logits, 1)
    balance = _balance(targets, weight, logits.shape[1], rare)
    shares = balance[targets.long()] * weight * inside
    each = -logs.gather(1, (targets.long() - 1).clamp_min(0))
    return found + (1 - dice) * (each * shares).sum() / shares.sum().clamp_min(1e-6)


def near_region(region: Tensor, voxels: int) -> Tensor:
    """Return 1 where a region (b, 1, ...) of at least a half lies within so many ``voxels`` along each axis, else 0.

    >>> near_region(torch.tensor([[[[0.0, 0, 0, 1], [0, 0, 0, 0]]]]), 1)[0, 0].tolist()
    [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]
    """
    pool = functional.max_pool2d if region.ndim == 4 else functional.max_pool3d
    return pool((region >= 0.5).float(), 2 * voxels + 1, stride=1, padding=voxels)


def _balance(targets: Tensor, weight: Tensor, classes: int, rare: float) -> Tensor:
    """Return how much the background and each class (k + 1,) weigh: their amounts to the power -``rare``."""
    amounts = _amounts(targets, weight, classes)
    return torch.where(amounts > 0, amounts, 1) ** -rare


def _amounts(targets: Tensor, weight: Tensor, classes: int) -> Tensor:
    """Return how many voxels that count are background and of each class (k + 1,)."""
    return torch.stack([((targets == number) * weight).sum() for number in range(classes + 1)])
