"""Segmentation: a patch is an image and its mask, a case becomes a mask, measured by the Dice coefficient.

One network may be trained at several sizes (`training.sizes`), between which is chosen afterwards: each mini-batch runs
at one of them, drawn by the step's seed; or, with distillation, at the largest, the smallest and one in between, where
the largest learns from the truth and the others from the largest (the sandwich rule and in-place distillation of Yu and
Huang, Universally slimmable networks and improved training techniques, ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from hakken.errors import HakkenError
from hakken.evaluation.segmentation import dice
from hakken.imaging.prepared import PreparedCase
from hakken.inference.masks import Masks, mask_table
from hakken.inference.segment import segment_prepared
from hakken.networks.build import build_network
from hakken.networks.unet import Size, sizes_of
from hakken.patches.loader import Batch
from hakken.study import Hyperparameters, Study, Training

SMOOTH = 1.0


@dataclass(frozen=True)
class SegmentationLoss:
    """The loss of a batch at one or more of the ``sizes``, the largest first: `soft_dice_loss` and cross-entropy."""

    training: Training
    sizes: tuple[Size, ...]

    def __call__(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean loss (scalar) of a batch; which sizes it runs at is drawn from torch's own random numbers."""
        assert batch.maps is not None  # patches of this task carry their mask
        if not self.training.sizes.distillation or len(self.sizes) == 1:
            size = self.sizes[_drawn(len(self.sizes))]
            return self.of_logits(network(batch.images, size.levels, size.features), batch.maps)
        largest, *between, smallest = self.sizes
        logits = network(batch.images, largest.levels, largest.features)
        losses = [self.of_logits(logits, batch.maps)]
        taught = torch.sigmoid(logits.detach().float())
        for size in [*([between[_drawn(len(between))]] if between else []), smallest]:
            losses.append(self.of_logits(network(batch.images, size.levels, size.features), taught))
        return torch.stack(losses).mean()

    def of_logits(self, logits: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Return the mean loss (scalar) of logits (b, 1, ...) for maps of the same shape, 0 to 1."""
        logits = logits.float()
        losses = functional.binary_cross_entropy_with_logits(logits, maps, reduction="none")
        if self.training.loss == "focal":
            losses = losses * (1 - torch.exp(-losses)) ** self.training.focal_gamma
        return losses.mean() + soft_dice_loss(torch.sigmoid(logits), maps)


def soft_dice_loss(found: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return 1 - Dice (scalar) of probabilities and maps of one shape, over the whole batch (Milletari et al. 2016).

    One voxel is added to both halves of the fraction, so that a batch without a lesion has a loss.
    """
    shared = (found * maps).sum()
    return 1 - (2 * shared + SMOOTH) / (found.sum() + maps.sum() + SMOOTH)


@dataclass(frozen=True, eq=False)
class SegmentationTask:
    """How a network learns to segment, and how well it does, on the cases of ``validation``.

    ``dimensions`` are the patches' axes, 2 or 3.
    """

    study: Study
    dimensions: int
    parameters: Hyperparameters
    validation: Sequence[PreparedCase]

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes at which the network is trained and measured, the largest first."""
        return sizes_of(self.study.training.sizes, self.parameters)

    def network(self) -> nn.Module:
        """Return an untrained network; raises InvalidArchitecture when the parameters describe none."""
        return build_network(self.study.training.network, len(self.study.inputs), self.dimensions, self.parameters)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean loss (scalar) of a batch."""
        return SegmentationLoss(self.study.training, self.sizes)(network, batch)

    @property
    def negative_ratio(self) -> float:
        """Patches without a lesion at their centre per patch with one, in a mini-batch."""
        return self.parameters.negative_ratio

    @property
    def classes(self) -> tuple[str, ...]:
        """Lesions are told from no lesion."""
        return ()

    def predict(self, network: nn.Module, case: PreparedCase) -> Masks:
        """Return the masks of a case, by size."""
        return {size: segment_prepared(network, case, self.study.inference, size) for size in self.sizes}

    def table(self, predictions: Mapping[str, Masks]) -> str:
        """Return the masks as CSV, in runs."""
        return mask_table({case.case_id: predictions[case.case_id] for case in self.validation})

    def objective(self, found: Mapping[str, Masks]) -> float:
        """Return the mean Dice over cases and sizes; two empty masks have none and do not count.

        Raises HakkenError where there is none at all.
        """
        values = []
        for case in self.validation:
            truth = case.labels(mmap=True) > 0
            values += [dice(truth, mask) for mask in found[case.case_id].values()]
        defined = [value for value in values if value is not None]
        if not defined:
            raise HakkenError("no validation case has a lesion or a mask, so there is no Dice to maximise")
        return float(np.mean(defined))


def _drawn(count: int) -> int:
    """Return a number below ``count`` from torch's own random numbers, which the loop seeds for each step."""
    return int(torch.randint(count, ()))
