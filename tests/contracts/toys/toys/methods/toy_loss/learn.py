"""Learning with the hinge loss."""

from collections.abc import Sequence
from typing import Any

import torch

from hakken.methods.patch_classifier.learn import Learner as PatchLearner
from hakken.training.method import Data
from hakken.training.patch_player import NETWORK, patch_player, volumes
from hakken.training.players import Loss, Networks, Player


class Learner(PatchLearner):
    """A patch classifier with another loss."""

    parameters: Any

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the one player, on as many negatives as positives."""
        return [patch_player(self.parameters, data, seed, device, negative_ratio=1, hard_fraction=0.5)]

    def loss(self, player: str, networks: Networks, batch: Any, draw: torch.Generator) -> Loss:
        """Return the mean hinge of a batch."""
        logits = networks[NETWORK](volumes(batch)).flatten(1)
        scores = logits[:, 1] - logits[:, 0]
        return Loss(torch.relu(self.parameters.margin - (2.0 * batch.targets - 1) * scores).mean())
