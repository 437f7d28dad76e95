"""Learning to tell patches with a lesion at their centre from others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hakken.imaging.prepared import PreparedCase
from hakken.inference.dense import score_map
from hakken.inference.detect import candidates_of, pixels_of
from hakken.inference.maps import ScoreMap, triple
from hakken.methods.patch_classifier import Inference, Parameters
from hakken.methods.patch_classifier.loss import balanced_loss
from hakken.networks.patch_cnn import PatchClassifier, remaining_extent
from hakken.networks.structure import Structure
from hakken.patches.loader import Batch
from hakken.study import Section
from hakken.training.method import Averaged, Data, Method
from hakken.training.patch_player import NETWORK, patch_player, volumes
from hakken.training.players import Loss, Model, Networks, Player

SCORES, LATTICE = "scores", "lattice"


class Learner(Averaged, Method):
    """How a patch classifier learns, and where it finds candidates in a case."""

    parameters: Parameters
    inference: Inference

    @classmethod
    def require(cls, parameters: Section) -> None:
        """Raise InvalidArchitecture where the patch is too small for the layers."""
        remaining_extent(Structure.of(parameters))

    def networks(self) -> dict[str, nn.Module]:
        """Return the untrained network."""
        return {NETWORK: PatchClassifier(len(self.facts.inputs), self.facts.axes, Structure.of(self.parameters))}

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the one player, on patches with and without a lesion at their centre."""
        ratio, hard = self.parameters.negative_ratio, self.parameters.hard_fraction
        return [patch_player(self.parameters, data, seed, device, negative_ratio=ratio, hard_fraction=hard)]

    def loss(self, player: str, networks: Networks, batch: Batch, draw: torch.Generator) -> Loss:
        """Return the balanced cross-entropy or focal loss of a batch."""
        logits = networks[NETWORK](volumes(batch)).flatten(1)
        gamma = self.parameters.focal_gamma if self.parameters.loss == "focal" else None
        return Loss(balanced_loss(logits, batch.targets, self.parameters.negative_ratio, gamma))

    def answer(self, model: Model, case: PreparedCase) -> Mapping[str, NDArray[Any]]:
        """Return the probabilities (z, y, x) of a case, and where their lattice begins and its steps (2, 3)."""
        scores = self.scores(model.networks[NETWORK], case)
        return {SCORES: scores.array, LATTICE: np.array([scores.origin, scores.step])}

    def conclude(
        self, answer: Mapping[str, NDArray[Any]], case: PreparedCase, wanted: Collection[str]
    ) -> Mapping[str, Any]:
        """Return the candidates of a case."""
        origin, step = (triple(place) for place in answer[LATTICE])
        scores = ScoreMap(answer[SCORES], origin, step)
        chosen = self.inference
        found = candidates_of(scores, case.geometry, chosen, threshold=chosen.threshold, prominence=chosen.prominence)
        return {"candidates": found}

    def scores(self, network: nn.Module, case: PreparedCase) -> ScoreMap:
        """Return the probabilities on a lattice inside the mask of a case."""
        assert isinstance(network, PatchClassifier)
        stride, memory = self.inference.stride_voxel, self.inference.memory_mb
        return score_map(network, pixels_of(case), stride_voxel=stride, memory_mb=memory, mask=case.mask())
