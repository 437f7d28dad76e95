"""Learning to mark a lesion in a volume of interest, and the masks of all lesions of a case that are clicked on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hakken.core.seeds import derive_seed
from hakken.imaging.prepared import PreparedCase
from hakken.inference.clicks import Click, VolumeOfInterest, between, clicks_on
from hakken.methods.clicked_lesion import Inference, Parameters
from hakken.methods.clicked_lesion.source import ClickSource
from hakken.methods.dense.loss import label_loss, over_levels
from hakken.networks.dense_resnet import DenseResNet, Head, require_widths, widths_of
from hakken.outcomes.masks import Runs, runs_of
from hakken.study import Section
from hakken.training.method import Data, Method
from hakken.training.patch_player import NETWORK
from hakken.training.players import Loss, Model, Networks, Player
from hakken.training.sources import Samples

LESION = "lesion"
"""The head of the map of the lesion."""
CLIP = 12.0
"""Norm that gradients are cut to."""


class Learner(Method):
    """How a network learns to mark a lesion that is clicked on, and what it marks in a case."""

    parameters: Parameters
    inference: Inference

    @classmethod
    def require(cls, parameters: Section) -> None:
        """Raise InvalidArchitecture where the parameters describe no network."""
        assert isinstance(parameters, Parameters)
        require_widths(_widths(parameters), "instance", 1)

    def networks(self) -> dict[str, nn.Module]:
        """Return the untrained network."""
        chosen = self.parameters
        network = DenseResNet(
            len(self.facts.inputs),
            {LESION: Head(1)},
            widths=_widths(chosen),
            convolutions=chosen.convolutions,
            joining=chosen.convolutions,
            norm="instance",
            supervised=1,
        )
        return {NETWORK: network}

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the one player, on volumes of interest of the training cases."""
        chosen, cases = self.parameters, data.images()
        kinds = [case.columns.get(self.facts.kinds, "") for case in cases]
        source = ClickSource(cases, kinds, self._channels, chosen, seed=derive_seed(seed, "volumes"), device=device)
        average = chosen.average or None
        return [Player(NETWORK, (NETWORK,), source, chosen.optimisation, clip=CLIP, average=average)]

    def loss(self, player: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        """Return the loss of a mini-batch; voxels of other lesions are neither right nor wrong."""
        said = networks[NETWORK](batch["images"])[LESION]
        targets, others = batch["targets"][:, :1], batch["targets"][:, 1:]
        loss = partial(label_loss, dice=self.parameters.dice)
        return Loss(over_levels(said, (targets >= 0.5).float(), (others < 0.5).float(), loss))

    def predict(self, model: Model, case: PreparedCase, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return the runs of the mask of each lesion that is clicked on, by its number."""
        clicks = clicks_on(case, self.inference.jitter, self.facts.seed)
        return {"lesion_masks": dict(zip(clicks, self.masks(model, case, list(clicks.values())), strict=True))}

    def masks(self, model: Model, case: PreparedCase, clicks: Sequence[Click]) -> list[Runs]:
        """Return the runs of the mask of the lesion behind each click.

        Raises FloatingPointError where a probability is not finite.
        """
        chosen = self.parameters
        volumes = [VolumeOfInterest.around(click, chosen.edge, chosen.voxels, case.geometry) for click in clicks]
        found = []
        for start in range(0, len(volumes), self.inference.batch):
            some = volumes[start : start + self.inference.batch]
            maps = self._probabilities(model.networks[NETWORK], case, some)
            found += [self._mask(volume, one) for volume, one in zip(some, maps, strict=True)]
        return found

    def _probabilities(
        self, network: nn.Module, case: PreparedCase, volumes: Sequence[VolumeOfInterest]
    ) -> NDArray[np.float32]:
        """Return the probability of the lesion in each volume of interest (b, n, n, n)."""
        image = case.image()
        seen = np.stack([[between(one.cut(image[channel])) for channel in self._channels] for one in volumes])
        with torch.inference_mode():
            logits = network(torch.from_numpy(seen).to(next(network.parameters()).device))[LESION][0]
            found = torch.sigmoid(logits.float()).cpu().numpy()[:, 0]
        if not np.isfinite(found).all():
            raise FloatingPointError("the network's probabilities are not finite")
        return np.asarray(found)

    def _mask(self, volume: VolumeOfInterest, probabilities: NDArray[np.float32]) -> Runs:
        marked = volume.back(probabilities) >= self.inference.threshold
        return runs_of(volume.whole(volume.clicked(marked)))

    @property
    def _channels(self) -> list[int]:
        """The places of the channels that are seen."""
        return [self.facts.channels.index(name) for name in self.facts.inputs]


def _widths(parameters: Parameters) -> tuple[int, ...]:
    return widths_of(parameters.base_features, parameters.levels, parameters.growth)
