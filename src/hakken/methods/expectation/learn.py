"""Learning what a channel is expected to show, and where a case shows more."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hakken.core.errors import HakkenError
from hakken.imaging.cases import Cases, image
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidate_regions import highest_counted
from hakken.inference.components import components
from hakken.methods.expectation import Inference, Parameters
from hakken.methods.expectation.expect import Array, excess_of, expected_of, seen_as
from hakken.methods.expectation.network import ExpectationUNet, negative_log_likelihood
from hakken.methods.expectation.recalibration import Seen, fit_recalibration, recalibrated
from hakken.networks.structure import Structure
from hakken.networks.unet import level_widths
from hakken.patches.loader import Batch
from hakken.study import Section
from hakken.training.method import Averaged, Data, Method
from hakken.training.patch_player import NETWORK, patch_player
from hakken.training.players import Loss, Model, Networks, Player

MEAN, SQUARE, RAW = "mean", "square", "raw "
RECALIBRATION = "recalibration"


class Learner(Averaged, Method):
    """How a U-Net learns what to expect, and where the excess makes a candidate."""

    parameters: Parameters
    inference: Inference

    @classmethod
    def require(cls, parameters: Section) -> None:
        """Raise InvalidArchitecture where the parameters describe no U-Net."""
        level_widths(Structure.of(parameters))

    def networks(self) -> dict[str, nn.Module]:
        """Return the untrained network."""
        seen, structure = len(self.facts.inputs), Structure.of(self.parameters)
        return {NETWORK: ExpectationUNet(seen, 1, self.facts.axes, structure, self.parameters.windows)}

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        """Return the one player, on patches that are all of one kind."""
        return [patch_player(self.parameters, data, seed, device, negative_ratio=float("inf"))]

    def loss(self, player: str, networks: Networks, batch: Batch, draw: torch.Generator) -> Loss:
        """Return the negative logarithm of the Gaussian likelihood of the target, mean over the body; see `beta`.

        Prepared channels are 0 outside the mask and augmentation moves 0 in from beyond a patch, so the body is where
        the target is above 0; a measured 0 within the body, where nothing is taken up at all, is left out with it.
        Raises HakkenError where the patches hold no target channel.
        """
        if batch.maps is None:
            raise HakkenError("the patches hold no target channel; give one channel of the study `target: true`")
        expected = networks[NETWORK](batch.images)
        return Loss(negative_log_likelihood(expected, batch.maps, batch.maps > 0, self.parameters.beta))

    def answer(self, model: Model, case: PreparedCase) -> Mapping[str, NDArray[Any]]:
        """Return the mean and the mean square (z, y, x) of what is expected: both are averaged in a mixture."""
        network = model.networks[NETWORK]
        assert isinstance(network, ExpectationUNet)
        expected = expected_of(network, case.image(), case.mask(), self.facts, self.inference)
        mean, sigma = expected.mean.astype(np.float64), expected.sigma.astype(np.float64)
        as_learnt = {MEAN: mean, SQUARE: sigma**2 + mean**2}
        values = model.values.get(RECALIBRATION)
        if values is None:
            return as_learnt
        changed, wide = recalibrated(mean, sigma, case.body_regions() if case.has_body else None, values)
        return {MEAN: changed, SQUARE: wide**2 + changed**2, **{RAW + name: one for name, one in as_learnt.items()}}

    def calibrate(self, model: Model, cases: Cases) -> Mapping[str, Any]:
        """Return the recalibration of z on the validation cases without lesions, where the parameters ask for it.

        Raises HakkenError where none of the cases is without lesions.
        """
        if self.parameters.recalibrate == "none":
            return {}
        normal = [case for case in map(image, cases) if not case.lesions]
        if not normal:
            raise HakkenError(
                "parameters.recalibrate: every validation case has lesions, and z is normal without; add some"
            )
        seen = (self._seen(model, case) for case in normal)
        return {RECALIBRATION: fit_recalibration(self.parameters.recalibrate, seen)}

    def _seen(self, model: Model, case: PreparedCase) -> Seen:
        network = model.networks[NETWORK]
        assert isinstance(network, ExpectationUNet)
        expected, inside = expected_of(network, case.image(), case.mask(), self.facts, self.inference), case.mask() > 0
        region = case.body_regions() if case.has_body else np.zeros(inside.shape, np.uint8)
        return Seen(expected.z[inside].astype(np.float64), expected.sigma[inside].astype(np.float64), region[inside])

    def conclude(
        self, answer: Mapping[str, NDArray[Any]], case: PreparedCase, wanted: Collection[str]
    ) -> Mapping[str, Any]:
        """Return the components of the excess from the threshold on, its highest that counts, and what was expected.

        That is mean and standard deviation (2, z, y, x), and where z was recalibrated, both before that (4, z, y, x).
        """
        mean, sigma = _moments(answer, "")
        expected = seen_as(mean, sigma, case.image(), case.mask(), self.facts)
        raw = _moments(answer, RAW) if RAW + MEAN in answer else ()
        threshold, most = self.inference.threshold, self.inference.maximum_candidates
        excess = excess_of(expected.z, expected.sigma, self.inference.tolerance)
        found = components(excess, case.geometry, case.mask(), threshold=threshold, maximum=most)
        return {
            "candidates": found,
            "case_scores": highest_counted(found, case, self.facts.apart),
            "expectations": np.stack([expected.mean, expected.sigma, *raw]),
        }


def _moments(answer: Mapping[str, NDArray[Any]], which: str) -> tuple[Array, Array]:
    """Return mean and standard deviation (z, y, x) of an answer."""
    mean, square = answer[which + MEAN], answer[which + SQUARE]
    return mean.astype(np.float32), np.sqrt(square - mean**2).astype(np.float32)
