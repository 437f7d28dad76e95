"""Learning which voxels belong to lesions, and the candidates, the mask and the score of a case."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hakken.core.console import log
from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.imaging.cases import Cases, image
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates, extract_candidates
from hakken.inference.component_tree import branches, candidates_of_branches, classes_of_branches
from hakken.inference.maps import ScoreMap, Triple
from hakken.inference.sliding import voxels_seen, whole_map
from hakken.methods.dense import Inference, Parameters, window_at_use
from hakken.methods.dense.loss import apart_loss, class_loss, heat_loss, label_loss, near_region, over_levels
from hakken.methods.dense.mining import AFTER, mined, places_of, summary_of, within_budget
from hakken.methods.dense.organs import organ_of, regions_of
from hakken.methods.dense.second import SECOND, WEIGHT, SecondStage, changed, cropping_of, second_stage_on
from hakken.methods.dense.targets import class_targets, numbered, with_regions
from hakken.networks.dense_resnet import DenseResNet, Head, require_widths, widths_of
from hakken.patches.augment import Augmentation
from hakken.study import Section
from hakken.training.crops import CropSource
from hakken.training.method import Averaged, Data, Method, Sequel
from hakken.training.patch_player import NETWORK
from hakken.training.players import Found, Loss, Model, Networks, Player, Review
from hakken.training.sources import Samples
from hakken.training.windows import Drawing, Targets, WindowSource, heat_targets, label_targets

LESIONS = "lesions"
"""The head of the map of lesions."""
REGIONS = "regions"
"""The head of the regions."""
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
            len(self._seen),
            self._heads(),
            self.parameters.axes,
            widths=_widths(chosen),
            convolutions=chosen.convolutions,
            joining=chosen.joining,
            norm=chosen.norm,
            supervised=1 if chosen.target == "heat" else chosen.supervised,
            dropout=chosen.dropout,
            phases=len(self._seen) if chosen.phases else 0,
        )
        if not chosen.second_stage:
            return {NETWORK: network}
        return {NETWORK: network, SECOND: self._second.network()}

    @property
    def _second(self) -> SecondStage:
        return SecondStage(cropping_of(self.parameters.patch_size, self.parameters.axes), self._seen)

    @property
    def _seen(self) -> list[int]:
        """Which of the channels of a case the network sees."""
        inputs = self.facts.inputs
        return [inputs.index(name) for name in self.parameters.channels or inputs]

    def _heads(self) -> dict[str, Head]:
        """Return the heads: of lesions or their classes, then of regions where they are learnt."""
        chosen = self.parameters
        outputs = len(self.facts.classes) if chosen.classes else 1
        heads = {LESIONS: Head(outputs, "heat" if chosen.target == "heat" else "labels")}
        return heads | ({REGIONS: Head(len(self.facts.regions), "labels", rare=False)} if chosen.regions else {})

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the one player, on windows of the training cases."""
        chosen = self.parameters
        source = WindowSource(
            data.images(),
            self._targets(),
            self._drawing(),
            spacing=self.facts.spacing_mm,
            augmentation=Augmentation(chosen.augmentation, **AMOUNTS),
            seed=derive_seed(seed, "windows"),
            device=device,
        )
        average = chosen.average or None
        review = self._review(source, data.images(), seed) if chosen.hard_share else None
        return [Player(NETWORK, (NETWORK,), source, chosen.optimisation, clip=CLIP, average=average, review=review)]

    def _review(self, source: WindowSource, cases: Sequence[PreparedCase], seed: int) -> Review:
        """Return the review that looks for false candidates in training cases, once, half-way."""

        def find(model: Model, step: int) -> Found:
            learnt = step * self.parameters.batch_size * self.parameters.patch_size**self.parameters.axes
            asked = within_budget(cases, self._voxels_seen, learnt, seed)
            return mined(asked, partial(self._candidates_of, model.networks[NETWORK]))

        return Review(
            "hard_mining",
            AFTER,
            find,
            lambda found: source.tell(places_of(found, cases)),
            lambda found: summary_of(found, cases),
        )

    def sequel(self, model: Model, data: Data, seed: int, device: torch.device) -> Sequel | None:
        """Return the second stage, which learns from the candidates of the network on its own training cases."""
        if not self.parameters.second_stage:
            return None

        def look(model: Model, case: PreparedCase) -> Candidates:
            return self._candidates_of(model.networks[NETWORK], case, shown=changed(case, amounts=amounts, seed=seed))

        amounts = {name: self.parameters.augmentation * AMOUNTS[name] for name in ("gain", "shift", "noise")}
        source = CropSource(
            data.images(),
            self._second.cropping,
            spacing=self.facts.spacing_mm,
            augmentation=Augmentation(self.parameters.augmentation, **AMOUNTS),
            seed=derive_seed(seed, SECOND),
            device=device,
        )
        return second_stage_on(source, look)

    def calibrate(self, model: Model, cases: Cases) -> Mapping[str, Any]:
        """Return the weight of the second stage, chosen on validation cases; nothing where there is none."""
        if not self.parameters.second_stage:
            return {}
        look = partial(self._candidates_of, model.networks[NETWORK], flips=self.inference.flips)
        every = [(case, look(case)) for case in map(image, cases)]
        return {WEIGHT: self._second.weight(model.networks[SECOND], every)}

    def _voxels_seen(self, case: PreparedCase) -> int:
        return voxels_seen(case.mask(), self._window, self.inference.overlap)

    def _candidates_of(
        self, network: nn.Module, case: PreparedCase, *, flips: bool = False, shown: NDArray[np.float32] | None = None
    ) -> Candidates:
        """Return the candidates of a case as they are at use, with the scores of the network.

        They are looked for without mirror images, which cost four times as much, unless ``flips``. Where channels (c,
        z, y, x) are ``shown``, the network sees these in place of the case's own.
        """
        answer = self._said_of(network, case, flips=flips, shown=shown)
        found: Candidates = self.conclude(answer, case, ("candidates",))["candidates"]
        return found

    def _targets(self) -> Targets:
        """Return what gives the target channels: of lesions or their classes, of what does not count, of regions."""
        chosen = self.parameters
        targets: Targets = heat_targets if chosen.target == "heat" else label_targets
        targets = class_targets(self.facts.classes) if chosen.classes else targets
        return with_regions(targets, len(self.facts.regions)) if chosen.regions or chosen.within else targets

    def _drawing(self) -> Drawing:
        chosen = self.parameters
        return Drawing(
            chosen.patch_size,
            chosen.axes,
            chosen.batch_size,
            chosen.lesion_share,
            chosen.lesion_power,
            balanced=chosen.balanced,
            region=self._place(chosen.within),
            region_share=chosen.region_share,
            hard_share=chosen.hard_share,
        )

    def _place(self, region: str) -> int:
        """Return the number of a region in the labels of a case, 0 for none."""
        return self.facts.regions.index(region) + 1 if region else 0

    def loss(self, player: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        """Return the loss of a mini-batch, over all levels that have a head.

        Beyond the region of ``parameters.within`` and the voxels around it, lesions have neither a loss nor a gradient.
        """
        if player == SECOND:
            return self._second.loss(networks[SECOND], batch)
        said, chosen = networks[NETWORK](batch["images"][:, self._seen]), self.parameters
        count = len(self.facts.classes) if chosen.classes else 1
        lesions, ignored, regions = batch["targets"].tensor_split((count, count + 1), dim=1)
        weight = (ignored < 0.5).float()
        if chosen.within:
            place = self._place(chosen.within) - 1
            weight = weight * near_region(regions[:, place : place + 1], chosen.within_voxel)
        lost = self._lesion_loss(said[LESIONS], lesions, weight)
        if not chosen.regions:
            return Loss(lost)
        loss = partial(class_loss, dice=chosen.dice)
        of_regions = over_levels(said[REGIONS], numbered(regions).float(), torch.ones_like(weight), loss)
        parts = {LESIONS: lost.detach(), REGIONS: of_regions.detach()}
        return Loss(of_regions + chosen.lesion_weight * lost, parts)

    def _lesion_loss(self, said: Sequence[torch.Tensor], targets: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        chosen = self.parameters
        if chosen.target == "heat":
            return over_levels(said, targets, weight, heat_loss)
        if chosen.classes:
            of_classes = apart_loss if chosen.apart else class_loss
            loss = partial(of_classes, dice=chosen.dice, rare=chosen.class_balance)
            return over_levels(said, numbered(targets).float(), weight, loss)
        return over_levels(said, (targets >= 0.5).float(), weight, partial(label_loss, dice=chosen.dice))

    def answer(self, model: Model, case: PreparedCase) -> Mapping[str, NDArray[Any]]:
        """Return the probability of a lesion (z, y, x) at each voxel, or of each class (k, z, y, x); and of regions."""
        return self._said_of(model.networks[NETWORK], case, flips=self.inference.flips)

    def predict(self, model: Model, case: PreparedCase, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return what a model says of a case; where it has a second stage, that has a say in the scores.

        The mask and the regions are the network's own.
        """
        found = super().predict(model, case, wanted)
        if not model.values.get(WEIGHT):
            return found
        again = self._second.scored(model.networks[SECOND], case, found["candidates"], model.values[WEIGHT])
        return {**found, "candidates": again, "case_scores": again.highest}

    def _said_of(
        self, network: nn.Module, case: PreparedCase, *, flips: bool, shown: NDArray[np.float32] | None = None
    ) -> Mapping[str, NDArray[Any]]:
        found = self.probabilities(network, case, flips=flips, shown=shown)
        return found if self.parameters.classes else found | {LESIONS: found[LESIONS][0]}

    def conclude(
        self, answer: Mapping[str, NDArray[Any]], case: PreparedCase, wanted: Collection[str]
    ) -> Mapping[str, Any]:
        """Return the candidates, the mask and the highest probability of a case, and its regions.

        Where lesions have classes, their map is that of the probability of any of them.
        """
        chosen, classes = self.inference, self.parameters.classes
        found = answer[LESIONS].sum(0) if classes else answer[LESIONS]
        place = self._place(chosen.within)
        labels = regions_of(answer[REGIONS], place) if REGIONS in answer else None
        if place:
            organ = _true_regions(case) if chosen.oracle or labels is None else labels
            found = np.where(organ_of(organ == place, case.geometry, chosen.within_mm), found, 0)
        read = self.peaks if chosen.reading == "peaks" else self.branches
        candidates = read(found, case, answer[LESIONS] if classes else None)
        mask = found >= chosen.mask_threshold
        regions = {} if labels is None else {"regions": labels}
        return {"candidates": candidates, "masks": {MASK: mask}, "case_scores": candidates.highest} | regions

    def branches(
        self, found: NDArray[np.float32], case: PreparedCase, classes: NDArray[np.float32] | None = None
    ) -> Candidates:
        """Return the branches of the component tree of a map (z, y, x) as candidates.

        Where the probabilities of the ``classes`` (k, z, y, x) are given, each has that with the largest sum over it.
        """
        chosen = self.inference
        every = branches(found, threshold=chosen.threshold, prominence=chosen.prominence)
        if len(every) > chosen.maximum_candidates:
            log(f"case {case.case_id}: {len(every)} candidates, of which {chosen.maximum_candidates} are kept")
        candidates = candidates_of_branches(every, case.geometry, chosen.maximum_candidates)
        if classes is None:
            return candidates
        named = classes_of_branches(every[: len(candidates)], classes, self.facts.classes)
        return replace(candidates, classes=named)

    def peaks(
        self, found: NDArray[np.float32], case: PreparedCase, classes: NDArray[np.float32] | None = None
    ) -> Candidates:
        """Return the voxels of a map (z, y, x) that none of their neighbours exceeds as candidates.

        Where the probabilities of the ``classes`` (k, z, y, x) are given, each has the most probable one of its voxel.
        """
        chosen = self.inference
        candidates = extract_candidates(
            ScoreMap(found, (0, 0, 0), (1, 1, 1)),
            case.geometry,
            threshold=chosen.threshold,
            suppression_mm=chosen.suppression_mm,
            maximum=chosen.maximum_candidates,
            at_points=True,
        )
        if classes is None:
            return candidates
        z, y, x = np.rint(candidates.voxel).astype(int).T
        named = tuple(self.facts.classes[int(one)] for one in classes[:, z, y, x].argmax(0))
        return replace(candidates, classes=named)

    @property
    def _window(self) -> Triple:
        """The shape (z, y, x) of a window at use."""
        edge = window_at_use(self.parameters, self.inference)
        return (1 if self.parameters.axes == 2 else edge, edge, edge)

    def probabilities(
        self,
        network: nn.Module,
        case: PreparedCase,
        *,
        flips: bool = False,
        shown: NDArray[np.float32] | None = None,
    ) -> dict[str, NDArray[np.float32]]:
        """Return the probabilities (k, z, y, x) of each head at each voxel of the mask of a case, 0 elsewhere.

        With ``flips`` they are the mean over the case and its mirror images; where channels (c, z, y, x) are ``shown``,
        the network sees these in place of the case's own. Raises FloatingPointError where they are not finite.
        """
        chosen = self.inference
        heads = self._heads()

        def run(images: torch.Tensor) -> torch.Tensor:
            said = network(images[:, self._seen])
            return torch.cat([_probabilities(said[name][0].float(), head) for name, head in heads.items()], 1)

        found = whole_map(
            run,
            case.image() if shown is None else shown,
            case.mask(),
            window=self._window,
            overlap=chosen.overlap,
            batch=chosen.windows,
            flips=flips,
            device=next(network.parameters()).device,
        )
        if not np.isfinite(found).all():
            raise FloatingPointError("the network's probabilities are not finite")
        outputs = [head.outputs for head in heads.values()]
        if len(found) < sum(outputs):  # the mask of the case is empty
            found = np.zeros((sum(outputs), *found.shape[1:]), np.float32)
        return dict(zip(heads, np.split(found, np.cumsum(outputs)[:-1]), strict=True))


def _true_regions(case: PreparedCase) -> NDArray[np.uint8]:
    """Return the true regions of a case; raises HakkenError where nobody knows them."""
    if not case.has_regions:
        raise HakkenError(
            f"case {case.case_id}: its true regions are not known, and the model was made to look into them "
            "(`inference.oracle`); use one that finds the region itself"
        )
    return case.regions()


def _probabilities(logits: torch.Tensor, head: Head) -> torch.Tensor:
    """Return the probabilities (b, k, ...) of logits, the background's being 0."""
    if head.outputs == 1 or head.kind == "heat":
        return torch.sigmoid(logits)
    return torch.softmax(torch.cat([torch.zeros_like(logits[:, :1]), logits], 1), 1)[:, 1:]


def _widths(parameters: Parameters) -> tuple[int, ...]:
    return widths_of(parameters.base_features, parameters.levels, parameters.growth)
