"""The second stage of a dense network: a classifier of crops that tells its hits from its false candidates.

It learns from the candidates of the finished network on its own training cases. There they are better than on new ones:
hits are surer, false ones rarer. To take a part of that away each case is seen changed in intensity, as windows are
while the network learns; candidates of networks that have not seen a case would take as many trainings as folds.

At use the score of a candidate becomes the probability whose logit is (1 - w) a + w b: a is the logit of the network's
own score, b that of the classifier, w a weight that is chosen on validation cases, 0 among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import nn

from hakken.core.seeds import derive_seed
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.inference.dense import exactly
from hakken.methods.patch_classifier.loss import balanced_loss
from hakken.networks.patch_cnn import PatchClassifier
from hakken.networks.structure import Structure
from hakken.patches.augment import only_measured
from hakken.study.parameters import Optimisation
from hakken.training.crops import Cropping, CropSource, flattened
from hakken.training.method import Sequel
from hakken.training.players import Found, Loss, Model, Player, Review
from hakken.training.sources import Samples
from hakken.training.windows import HardPlaces, cut, kept_in, presence_in

Floats = NDArray[np.float64]

SECOND = "second_stage"
"""The name of the network, of its player and of what is recorded of it."""
WEIGHT = "second_stage_weight"
"""The name of the chosen weight among the values of a model."""
WEIGHTS = (0.0, 0.25, 0.5, 0.75)
SHARE = 0.5
"""How long it learns, as a share of the steps of the network."""
BATCH = 32
LEAST, MOST = 12, 24
"""Edges of a crop in voxels; between these it is half of that of a window."""
OFF = 2
"""How many voxels along each axis the middle of a crop lies off its candidate at most, while it learns."""
OPTIMISATION = Optimisation(learning_rate=1e-3)
CERTAIN = 12.0
"""The logit beyond which two probabilities pass for the same."""
AT_ONCE = 64
"""Crops that are seen at once, at use."""


def cropping_of(patch_size: int, axes: int) -> Cropping:
    """Return what crops are like beside windows of an edge.

    >>> [cropping_of(edge, 3).edge for edge in (8, 32, 96)]
    [12, 16, 24]
    """
    return Cropping(min(max(patch_size // 2, LEAST), MOST), axes, BATCH, OFF)


def changed(case: PreparedCase, *, amounts: Mapping[str, float], seed: int) -> NDArray[np.float32]:
    """Return the channels (c, z, y, x) of a case with another gain, shift and noise each, drawn by what it shows.

    ``amounts`` are the largest of them: `gain` on a log scale, `shift` and `noise` in units of the image.
    """
    image = np.array(case.image(), np.float32)
    random = np.random.default_rng(derive_seed(seed, "changed case", case.pixel_digest))
    presence = presence_in(case)
    for channel in range(len(image) - kept_in(case)):
        gain, shift, noise = random.uniform(-1, 1, 3) * [amounts["gain"], amounts["shift"], amounts["noise"]]
        drawn = random.standard_normal(image[channel].shape, np.float32)
        image[channel] = np.exp(gain) * image[channel] + shift + np.abs(noise) * drawn
    return np.asarray(only_measured(torch.from_numpy(image[None]), presence)[0])


def kinds_of(candidates: Candidates, case: PreparedCase) -> NDArray[np.int64]:
    """Return of each candidate (n,) 1 where it lies in a lesion that counts, 0 in none, -1 in one that does not."""
    if not case.has_truth:
        return np.zeros(len(candidates), np.int64)
    counts = [lesion.lesion for lesion in case.lesions if lesion.kind == "included"]
    lesion = candidates.labels(case.labels(mmap=True))
    return np.where(lesion == 0, 0, np.where(np.isin(lesion, counts), 1, -1))


def rows_of(candidates: Candidates, case: PreparedCase) -> torch.Tensor:
    """Return the candidates (n, 5) that are right or wrong: z, y, x in voxels, the score, 1 for hits."""
    kinds = kinds_of(candidates, case)
    rows = np.column_stack([np.rint(candidates.voxel), candidates.score, kinds])[kinds >= 0]
    return torch.from_numpy(rows.reshape(-1, 5))


def places_of(found: Found, cases: Sequence[PreparedCase]) -> tuple[HardPlaces, HardPlaces]:
    """Return the hits, each as likely, and the false candidates, in proportion to their scores, among the ``cases``."""
    number = {case.case_id: place for place, case in enumerate(cases)}
    rows = {name: one.cpu().numpy() for name, one in found.items()}
    owners = np.concatenate([np.full(len(one), number[name], np.int64) for name, one in rows.items()])
    every = np.concatenate([*rows.values()])
    hit, voxels = every[:, 4] == 1, every[:, :3].astype(np.int64)
    return (
        HardPlaces(owners[hit], voxels[hit], np.ones(int(hit.sum()))),
        HardPlaces(owners[~hit], voxels[~hit], every[~hit, 3]),
    )


def summary_of(found: Found) -> dict[str, Any]:
    """Return what the record of a training says of the candidates that were found."""
    hits = sum(int((one[:, 4] == 1).sum()) for one in found.values())
    return {"cases": len(found), "hits": hits, "false_candidates": sum(map(len, found.values())) - hits}


def combined(scores: Floats, logits: Floats, weight: float) -> Floats:
    """Return the combined scores (n,) of candidates by their own scores and the logits of the classifier.

    >>> combined(np.array([0.5, 0.9]), np.array([2.0, 2.0]), 0.5).round(4).tolist()
    [0.7311, 0.8908]
    """
    edge = 1 / (1 + np.exp(CERTAIN))
    own = np.clip(scores, edge, 1 - edge)
    mixed = (1 - weight) * np.log(own / (1 - own)) + weight * np.clip(logits, -CERTAIN, CERTAIN)
    return np.asarray(1 / (1 + np.exp(-mixed)))


def scored_again(candidates: Candidates, scores: Floats) -> Candidates:
    """Return candidates with other scores, highest first; equal ones stay in their order."""
    order = np.argsort(-scores, kind="stable")
    return replace(
        candidates,
        xyz=candidates.xyz[order],
        score=scores[order],
        size=candidates.size[order],
        voxel=candidates.voxel[order],
        lesion=None if candidates.lesion is None else candidates.lesion[order],
        classes=None if candidates.classes is None else tuple(candidates.classes[one] for one in order.tolist()),
    )


def chosen_weight(kinds: NDArray[np.int64], scores: Floats, logits: Floats) -> float:
    """Return the weight with the highest average precision of hits among all candidates, the smallest of equals.

    ``kinds`` (n,) are those of `kinds_of`. Where all candidates are of one kind nothing can be chosen, and it is 0.5:
    the mean of both logits.
    """
    told = kinds >= 0
    if len(np.unique(kinds[told])) < 2:
        return 0.5
    worth = [average_precision_score(kinds[told], combined(scores, logits, weight)[told]) for weight in WEIGHTS]
    return WEIGHTS[int(np.argmax(np.round(worth, 9)))]


@dataclass(frozen=True, eq=False)
class SecondStage:
    """The classifier of crops: what crops are like, and which channels of a case are ``seen``."""

    cropping: Cropping
    seen: Sequence[int]

    def network(self) -> PatchClassifier:
        """Return the untrained network: that of the method `patch_classifier` at its defaults."""
        return PatchClassifier(len(self.seen), self.cropping.axes, Structure(patch_size=self.cropping.edge))

    def loss(self, network: nn.Module, batch: Samples) -> Loss:
        """Return the loss of a mini-batch, half of which are hits."""
        return Loss(balanced_loss(self._said(network, batch["images"]), batch["targets"], 1.0))

    def logits(self, network: nn.Module, case: PreparedCase, candidates: Candidates) -> Floats:
        """Return how much the classifier takes each candidate (n,) for a hit, as logits."""
        device = next(network.parameters()).device
        found = [np.empty(0)]
        for start in range(0, len(candidates), AT_ONCE):
            voxels = np.rint(candidates.voxel[start : start + AT_ONCE]).astype(int).tolist()
            crops = [cut(case, (z, y, x), self.cropping.edges(self.cropping.edge)) for z, y, x in voxels]
            images = torch.from_numpy(np.stack([flattened(crop, self.cropping.axes) for crop in crops]))
            with torch.inference_mode(), exactly(device, torch.float32):
                said = self._said(network, images.to(device)).double()
            found.append((said[:, 1] - said[:, 0]).cpu().numpy())
        return np.concatenate(found)

    def weight(self, network: nn.Module, every: Sequence[tuple[PreparedCase, Candidates]]) -> float:
        """Return the weight that suits the candidates of some cases best."""
        kinds = [kinds_of(candidates, case) for case, candidates in every]
        scores = [candidates.score for _, candidates in every]
        logits = [self.logits(network, case, candidates) for case, candidates in every]
        return chosen_weight(np.concatenate(kinds), np.concatenate(scores), np.concatenate(logits))

    def scored(self, network: nn.Module, case: PreparedCase, candidates: Candidates, weight: float) -> Candidates:
        """Return the candidates of a case with their combined scores."""
        return scored_again(candidates, combined(candidates.score, self.logits(network, case, candidates), weight))

    def _said(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Return the logits (b, 2) of crops (b, c, p, p, p) or (b, c, p, p), that of a hit being the second."""
        crops = images[:, list(self.seen)]
        said: torch.Tensor = network(crops if crops.ndim == 5 else crops[:, :, None])
        return said.flatten(1)


def second_stage_on(source: CropSource, look: Callable[[Model, PreparedCase], Candidates]) -> Sequel:
    """Return how a second stage learns from a ``source``, told of the candidates that ``look`` finds in its cases."""

    def find(model: Model, step: int) -> Found:
        return {case.case_id: rows_of(look(model, case), case) for case in source.cases}

    review = Review(SECOND, 0.0, find, lambda found: source.tell(*places_of(found, source.cases)), summary_of)
    return Sequel(SECOND, [Player(SECOND, (SECOND,), source, OPTIMISATION, review=review)], SHARE)
