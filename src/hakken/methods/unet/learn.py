"""Learning which voxels belong to lesions, at one size of the network or at several.

Where there are several, each mini-batch runs at one of them, drawn by the step's seed; at the largest, the smallest and
one between them; or at all. The loss is the mean over them. With distillation the largest learns from the truth and the
others from the largest (the sandwich rule and in-place distillation of Yu and Huang, Universally slimmable networks and
improved training techniques, ICCV 2019).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from hakken.imaging.prepared import PreparedCase
from hakken.inference.detect import pixels_of
from hakken.methods.unet import Inference, Parameters, Sizes
from hakken.methods.unet.loss import mask_loss
from hakken.methods.unet.segment import mask_of, probabilities
from hakken.methods.unet.sizes import Size, sizes_of
from hakken.networks.structure import Structure
from hakken.networks.unet import UNet, level_widths, sub_network
from hakken.patches.loader import Batch
from hakken.study import Section
from hakken.training.method import Averaged, Data, Method
from hakken.training.patch_player import NETWORK, patch_player
from hakken.training.players import Loss, Model, Networks, Player

BEGUN = 0.1
"""The probability of a lesion that an untrained network says of a voxel, on average.

From even odds a network first learns that lesions are rare, and does so by silencing the maps that speak for one. Then
every logit lies below the bias of the last layer, nothing is marked, and what is silent has no gradient: a narrow
network stays there for hundreds of mini-batches, and so does a size of a network whose other sizes have learnt."""
WIDTHS = "widths"
"""The value of a model whose network was cut out of a larger one: the feature maps of its levels."""


class Learner(Averaged, Method):
    """How a U-Net learns to segment, and the masks of a case at each of its sizes."""

    parameters: Parameters
    inference: Inference

    @classmethod
    def require(cls, parameters: Section) -> None:
        """Raise InvalidArchitecture where the parameters describe no U-Net."""
        level_widths(Structure.of(parameters))

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes at which the network is trained and measured, the largest first."""
        return sizes_of(self.parameters.sizes, Structure.of(self.parameters))

    def networks(self) -> dict[str, nn.Module]:
        """Return the untrained network, which knows that lesions are rare (`BEGUN`)."""
        network = self._network(None)
        nn.init.constant_(network.head.bias, math.log(BEGUN / (1 - BEGUN)))
        return {NETWORK: network}

    def _network(self, widths: Sequence[int] | None) -> UNet:
        own = () if self.parameters.sizes.scaling == "shared" else [(one.levels, one.features) for one in self.sizes]
        return UNet(len(self.facts.inputs), 1, self.facts.axes, Structure.of(self.parameters), widths, own=own)

    def restore(self, values: Mapping[str, Any], kept: Collection[str]) -> Model:
        """Return a model whose network has yet to be given its weights; it may have been cut out of a larger one."""
        return Model({NETWORK: self._network(values.get(WIDTHS))}, dict(values))

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the one player, on patches that carry the mask of the lesions."""
        ratio, hard = self.parameters.negative_ratio, self.parameters.hard_fraction
        return [patch_player(self.parameters, data, seed, device, negative_ratio=ratio, hard_fraction=hard)]

    def loss(self, player: str, networks: Networks, batch: Batch, draw: torch.Generator) -> Loss:
        """Return the mean loss of a batch at the sizes of this step, drawn from torch's own random numbers."""
        assert batch.maps is not None  # patches of this method carry their mask
        network, (first, *others) = networks[NETWORK], self._drawn()
        logits = network(batch.images, first.levels, first.features)
        losses = [self._of_logits(logits, batch.maps)]
        teaches = self.parameters.sizes.distillation
        truth = torch.sigmoid(logits.detach().float()) if teaches and others else batch.maps
        for size in others:
            losses.append(self._of_logits(network(batch.images, size.levels, size.features), truth))
        return Loss(losses[0] if len(losses) == 1 else torch.stack(losses).mean())

    def _drawn(self) -> tuple[Size, ...]:
        """Return the sizes of a step, the largest first, drawn from torch's own random numbers."""
        sizes = self.sizes
        if self.parameters.sizes.drawn == "every" or len(sizes) == 1:
            return sizes
        if self.parameters.sizes.drawn == "one":
            return (sizes[_drawn(len(sizes))],)
        largest, *between, smallest = sizes
        chosen = [between[_drawn(len(between))]] if between else []
        return (largest, *chosen, smallest)

    def _of_logits(self, logits: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        return mask_loss(logits, maps, self.parameters.focal_gamma if self.parameters.loss == "focal" else None)

    def answer(self, model: Model, case: PreparedCase) -> Mapping[str, NDArray[Any]]:
        """Return the probabilities (z, y, x) of a case at each size, by its place among them."""
        network, image = model.networks[NETWORK], pixels_of(case)
        assert isinstance(network, UNet)
        memory = self.inference.memory_mb
        return {str(place): probabilities(network, image, size, memory) for place, size in enumerate(self.sizes)}

    def conclude(
        self, answer: Mapping[str, NDArray[Any]], case: PreparedCase, wanted: Collection[str]
    ) -> Mapping[str, Any]:
        """Return the masks of a case, by the words of the size."""
        masks = [mask_of(found, case, self.inference) for found in answer.values()]
        return {"masks": {size.words: mask for size, mask in zip(self.sizes, masks, strict=True)}}

    def smaller(self, model: Model, levels: int | None, features: float) -> tuple[Parameters, Model, str]:
        """Return the model at one size as a model of its own, with its parameters, and the size in words.

        All ``levels`` where their number is None. Raises InvalidArchitecture where there is no such size.
        """
        network = model.networks[NETWORK]
        assert isinstance(network, UNet)
        size = Size(levels or network.levels, features)
        small = sub_network(network, size.levels, size.features)
        chosen = {"poolings": size.levels - 1, "sizes": Sizes(levels=(size.levels,))}
        trained = "" if size in self.sizes else "; it was not trained at this size, and its masks are untested"
        parameters = self.parameters.model_copy(update=chosen)
        return parameters, Model({NETWORK: small}, {WIDTHS: list(small.widths)}), size.words + trained


def _drawn(count: int) -> int:
    """Return a number below ``count`` from torch's own random numbers, which the loop seeds for each step."""
    return int(torch.randint(count, ()))
