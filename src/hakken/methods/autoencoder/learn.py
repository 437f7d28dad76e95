"""Learning to reconstruct what is normal, and how far a case is from it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.inference.detect import candidates_of, pixels_of
from hakken.methods.autoencoder import Inference, Parameters
from hakken.methods.autoencoder.errors import anomaly_map, error_volume
from hakken.methods.autoencoder.network import ConvAutoencoder, level_edges
from hakken.networks.structure import Structure
from hakken.patches.loader import Batch
from hakken.study import Section
from hakken.training.method import Data, Method
from hakken.training.patch_player import NETWORK, patch_player, volumes
from hakken.training.players import Loss, Model, Networks, Player

LEAST_ERROR = 1e-30
"""Errors have no scale of their own: every point that was evaluated may hold a candidate, those outside score 0."""


class Learner(Method):
    """How an autoencoder learns what is normal, and how it scores a case."""

    parameters: Parameters
    inference: Inference

    @classmethod
    def require(cls, parameters: Section) -> None:
        """Raise InvalidArchitecture where the patch is too small for the levels."""
        level_edges(Structure.of(parameters))

    def networks(self) -> dict[str, nn.Module]:
        """Return the untrained network."""
        return {NETWORK: ConvAutoencoder(len(self.facts.inputs), self.facts.axes, Structure.of(self.parameters))}

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the one player, on patches that are all of one kind."""
        return [patch_player(self.parameters, data, seed, device, negative_ratio=math.inf)]

    def loss(self, player: str, networks: Networks, batch: Batch, draw: torch.Generator) -> Loss:
        """Return the mean squared error between patches and what the network makes of them."""
        images = volumes(batch)
        return Loss(functional.mse_loss(networks[NETWORK](images).float(), images))

    def predict(self, model: Model, case: PreparedCase, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return the candidates of a case, whose scores are errors above 0, the highest of them, and all errors."""
        network = model.networks[NETWORK]
        assert isinstance(network, ConvAutoencoder)
        found: dict[str, Any] = {}
        if {"candidates", "case_scores"} & set(wanted):
            found["candidates"] = self._candidates(network, case)
            found["case_scores"] = found["candidates"].highest
        if "score_maps" in wanted:
            found["score_maps"] = error_volume(network, pixels_of(case), **self._settings(case))
        return found

    def _candidates(self, network: ConvAutoencoder, case: PreparedCase) -> Candidates:
        scores = anomaly_map(network, pixels_of(case), **self._settings(case))
        return candidates_of(scores, case.geometry, self.inference, threshold=LEAST_ERROR, at_points=True)

    def _settings(self, case: PreparedCase) -> dict[str, Any]:
        return {
            "stride_voxel": self.inference.stride_voxel,
            "memory_mb": self.inference.memory_mb,
            "mask": case.mask(),
            "least_inside": self.inference.least_inside,
        }
