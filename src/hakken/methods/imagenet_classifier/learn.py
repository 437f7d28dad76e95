"""Learning to tell the classes of lesions, or of images, apart.

Training sees each class equally often, and maximises the balanced accuracy, so that neither leans on how frequent a
class happens to be: who guesses reaches 1 / k.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from hakken.core.seeds import derive_seed
from hakken.imaging.prepared import PreparedCase
from hakken.imaging.whole import whole_image
from hakken.methods.imagenet_classifier import Inference, Parameters
from hakken.methods.imagenet_classifier.crops import lesion_crops
from hakken.methods.imagenet_classifier.misregistration import misregister
from hakken.methods.imagenet_classifier.pretrained import load_weights, weights_file
from hakken.networks.imagenet.crop_classifier import CropClassifier, require_input
from hakken.outcomes.classes import classified_lesions
from hakken.patches.augment import crop
from hakken.patches.loader import Batch
from hakken.patches.passes import Numbers
from hakken.patches.shards import DIGITS
from hakken.study import Section
from hakken.training.method import Averaged, Data, Method
from hakken.training.patch_player import NETWORK, patch_player
from hakken.training.players import Loss, Model, Networks, Player

ROOM = math.sqrt(2)
"""How many times the edge of a crop is cut before it is moved, so that what comes in is image and not border."""

CLASSES = "classes"


class Learner(Averaged, Method):
    """How a network of the ImageNet years learns classes, and what it says of the lesions of a case."""

    parameters: Parameters
    inference: Inference

    @classmethod
    def require(cls, parameters: Section) -> None:
        """Raise InvalidArchitecture where the images are too small for the network."""
        assert isinstance(parameters, Parameters)
        require_input(parameters.network, parameters.input_size)

    def networks(self) -> dict[str, nn.Module]:
        """Return a network that starts from the study's weights, or at random where it has none for this network."""
        network = self._network()
        weights = self.parameters.weights.get(self.parameters.network)
        if weights is not None:
            load_weights(network.backbone, weights_file(Path(weights.path)), weights.sha256)
        return {NETWORK: network}

    def _network(self) -> CropClassifier:
        chosen = self.parameters
        return CropClassifier(chosen.network, len(self.facts.classes), chosen.input_size, chosen.dropout)

    def restore(self, values: Mapping[str, Any], kept: Collection[str]) -> Model:
        """Return a model whose network has yet to be given its weights; no file of weights is needed."""
        return Model({NETWORK: self._network()}, dict(values))

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the one player, on crops of lesions of which each class comes equally often."""
        move = None
        if self.parameters.misregistration is not None:
            pixels = data.store().pixels

            def move(crops: torch.Tensor, numbers: Numbers) -> torch.Tensor:
                return self._moved(crops, [str(one) for one in pixels[numbers]])

        classes = self.facts.classes
        return [patch_player(self.parameters, data, seed, device, negative_ratio=0.0, classes=classes, move=move)]

    def loss(self, player: str, networks: Networks, batch: Batch, draw: torch.Generator) -> Loss:
        """Return the mean cross-entropy of a batch."""
        return Loss(functional.cross_entropy(networks[NETWORK](batch.images).float(), batch.targets))

    def answer(self, model: Model, case: PreparedCase) -> Mapping[str, NDArray[Any]]:
        """Return the probabilities (lesions, classes) of a case, the mean over the slices of each lesion.

        Where cases have labels there is one row, that of the image as a whole.

        Raises FloatingPointError where they are not finite.
        """
        lesions = (whole_image(case),) if self.facts.labelled else classified_lesions(case, self.facts.classes)
        edge = self.parameters.patch_size
        cut = edge if self.parameters.misregistration is None else math.ceil(ROOM * edge)
        found: NDArray[np.float64] = np.zeros((len(lesions), len(self.facts.classes)))
        for row, lesion in enumerate(lesions):
            crops = torch.from_numpy(lesion_crops(case, lesion, cut)).to(model.device).float()
            crops = crop(self._moved(crops, [case.pixel_digest[:DIGITS]] * len(crops)), edge)
            with torch.no_grad():
                found[row] = model.networks[NETWORK](crops).float().softmax(1).mean(0).cpu().double().numpy()
        if not np.isfinite(found).all():
            raise FloatingPointError("the network's probabilities are not finite")
        return {CLASSES: found}

    def conclude(
        self, answer: Mapping[str, NDArray[Any]], case: PreparedCase, wanted: Collection[str]
    ) -> Mapping[str, Any]:
        """Return the probabilities of a case as they are."""
        return {CLASSES: answer[CLASSES]}

    def _moved(self, crops: torch.Tensor, pixels: Sequence[str]) -> torch.Tensor:
        """Return crops (n, c, q, q) with their channels moved against the reference, each case its own way.

        ``pixels`` are the first digits of the digest of the case that each is of.
        """
        moved = self.parameters.misregistration
        if moved is None:
            return crops
        ways = [_way(self.facts.seed, one) for one in pixels]
        phi = torch.tensor(ways, dtype=torch.float64, device=crops.device)
        return misregister(crops, moved.kind, moved.amount, phi, self.facts.inputs.index(self.facts.reference))


def _way(seed: int, pixels: str) -> float:
    """Return which way the channels of a case are moved, in radians."""
    return float(np.random.default_rng(derive_seed(seed, "misregistration", pixels)).uniform(0, 2 * math.pi))
