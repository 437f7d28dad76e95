"""Learning which voxels belong to lesions, and the candidates, the mask and the score of a case."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hakken.core.console import log
from hakken.core.seeds import derive_seed
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates, extract_candidates
from hakken.inference.component_tree import branches, candidates_of_branches
from hakken.inference.maps import ScoreMap
from hakken.inference.sliding import whole_map
from hakken.methods.dense import Inference, Parameters, window_at_use
from hakken.methods.dense.loss import heat_loss, label_loss, over_levels
from hakken.networks.dense_resnet import DenseResNet, Head, require_widths, widths_of
from hakken.patches.augment import Augmentation
from hakken.study import Section
from hakken.training.method import Averaged, Data, Method
from hakken.training.patch_player import NETWORK
from hakken.training.players import Loss, Model, Networks, Player
from hakken.training.sources import Samples
from hakken.training.windows import Drawing, WindowSource, heat_targets, label_targets

LESIONS = "lesions"
"""The head of the map of lesions."""
CLIP = 12.0
"""Norm that gradients are cut to (Isensee et al. 2021)."""
AMOUNTS = {
    "rotation_degrees": 30.0,
    "scale": 0.45,
    "gain": 0.3,
    "shift": 0.3,
    "gamma": 0.3,
    "noise": 0.15,
    "warped": 0.5,
    "blur_voxel": 1.4,
}
"""How far windows may change at full strength, where that is further than patches of a lesion's own size may."""
MASK = "dense"
"""The name of the one mask of a case."""


class Learner(Averaged, Method):
    """How a dense network learns, and what it finds in a case."""

    parameters: Parameters
    inference: Inference

    @classmethod
    def require(cls, parameters: Section) -> None:
        """Raise InvalidArchitecture where the parameters describe no network."""
        assert isinstance(parameters, Parameters)
        require_widths(_widths(parameters), parameters.norm, parameters.supervised)

    def networks(self) -> dict[str, nn.Module]:
        """Return the untrained network."""
        chosen = self.parameters
        network = DenseResNet(
            len(self.facts.inputs),
            {LESIONS: Head(1, "heat" if chosen.target == "heat" else "labels")},
            self.parameters.axes,
            widths=_widths(chosen),
            convolutions=chosen.convolutions,
            joining=chosen.joining,
            norm=chosen.norm,
            supervised=1 if chosen.target == "heat" else chosen.supervised,
            dropout=chosen.dropout,
        )
        return {NETWORK: network}

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the one player, on windows of the training cases."""
        chosen = self.parameters
        source = WindowSource(
            data.images(),
            heat_targets if chosen.target == "heat" else label_targets,
            Drawing(chosen.patch_size, chosen.axes, chosen.batch_size, chosen.lesion_share, chosen.lesion_power),
            spacing=self.facts.spacing_mm,
            augmentation=Augmentation(chosen.augmentation, **AMOUNTS),
            seed=derive_seed(seed, "windows"),
            device=device,
        )
        average = chosen.average or None
        return [Player(NETWORK, (NETWORK,), source, chosen.optimisation, clip=CLIP, average=average)]

    def loss(self, player: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        """Return the loss of a mini-batch, over all levels that have a head."""
        said = networks[NETWORK](batch["images"])[LESIONS]
        targets, ignored = batch["targets"][:, :1], batch["targets"][:, 1:2]
        weight = (ignored < 0.5).float()
        if self.parameters.target == "heat":
            return Loss(over_levels(said, targets, weight, heat_loss))
        loss = partial(label_loss, dice=self.parameters.dice)
        return Loss(over_levels(said, (targets >= 0.5).float(), weight, loss))

    def answer(self, model: Model, case: PreparedCase) -> Mapping[str, NDArray[Any]]:
        """Return the probability of a lesion (z, y, x) at each voxel."""
        return {LESIONS: self.probabilities(model.networks[NETWORK], case)}

    def conclude(
        self, answer: Mapping[str, NDArray[Any]], case: PreparedCase, wanted: Collection[str]
    ) -> Mapping[str, Any]:
        """Return the candidates, the mask and the highest probability of a case."""
        found, chosen = answer[LESIONS], self.inference
        candidates = self.peaks(found, case) if chosen.reading == "peaks" else self.branches(found, case)
        mask = found >= chosen.mask_threshold
        return {"candidates": candidates, "masks": {MASK: mask}, "case_scores": candidates.highest}

    def branches(self, found: NDArray[np.float32], case: PreparedCase) -> Candidates:
        """Return the branches of the component tree of a map (z, y, x) as candidates."""
        chosen = self.inference
        every = branches(found, threshold=chosen.threshold, prominence=chosen.prominence)
        if len(every) > chosen.maximum_candidates:
            log(f"case {case.case_id}: {len(every)} candidates, of which {chosen.maximum_candidates} are kept")
        return candidates_of_branches(every, case.geometry, chosen.maximum_candidates)

    def peaks(self, found: NDArray[np.float32], case: PreparedCase) -> Candidates:
        """Return the voxels of a map (z, y, x) that none of their neighbours exceeds as candidates."""
        chosen = self.inference
        return extract_candidates(
            ScoreMap(found, (0, 0, 0), (1, 1, 1)),
            case.geometry,
            threshold=chosen.threshold,
            suppression_mm=chosen.suppression_mm,
            maximum=chosen.maximum_candidates,
            at_points=True,
        )

    def probabilities(self, network: nn.Module, case: PreparedCase) -> NDArray[np.float32]:
        """Return the probability of a lesion (z, y, x) at each voxel of the mask of a case, 0 elsewhere.

        Raises FloatingPointError where it is not finite.
        """
        chosen, edge = self.inference, window_at_use(self.parameters, self.inference)

        def run(images: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(network(images)[LESIONS][0].float())

        found = whole_map(
            run,
            case.image(),
            case.mask(),
            window=(1 if self.parameters.axes == 2 else edge, edge, edge),
            overlap=chosen.overlap,
            batch=chosen.windows,
            flips=chosen.flips,
            device=next(network.parameters()).device,
        )[0]
        if not np.isfinite(found).all():
            raise FloatingPointError("the network's probabilities are not finite")
        return np.asarray(found)


def _widths(parameters: Parameters) -> tuple[int, ...]:
    return widths_of(parameters.base_features, parameters.levels, parameters.growth)
