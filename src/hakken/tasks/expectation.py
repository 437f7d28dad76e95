"""Anomaly by expectation: what one channel is expected to show, given the others, and where it shows more.

Nakao et al., Jpn J Radiol 2022;40:730-739: a U-Net learns from cases without disease alone which uptake a CT slice
makes one expect, and with which standard deviation. What lies too many deviations above is a candidate. Cases with
disease are needed for validation only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from hakken.errors import HakkenError
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.inference.expectation import find_foci
from hakken.networks.expectation import ExpectationUNet, negative_log_likelihood
from hakken.patches.loader import Batch
from hakken.tasks.anomaly import AnomalyTask


@dataclass(frozen=True)
class ExpectationLoss:
    """The loss of a batch: the negative logarithm of the Gaussian likelihood of the target, mean over the body.

    Prepared channels are 0 outside the mask and augmentation moves 0 in from beyond a patch, so the body is where the
    target is above 0; a measured 0 within the body, where nothing is taken up at all, is left out with it.
    """

    def __call__(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean loss (scalar) of a batch; raises HakkenError where the patches hold no target channel."""
        if batch.maps is None:
            raise HakkenError("the patches hold no target channel; give one channel of the study `target: true`")
        return negative_log_likelihood(network(batch.images), batch.maps, batch.maps > 0)


@dataclass(frozen=True, eq=False)
class ExpectationTask(AnomalyTask):
    """How a network learns what to expect, and how well the excess finds the lesions of ``validation``."""

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean loss (scalar) of a batch."""
        return ExpectationLoss()(network, batch)

    def predict(self, network: nn.Module, case: PreparedCase) -> Candidates:
        """Return the candidates of a case; their scores are the highest z of each component."""
        assert isinstance(network, ExpectationUNet)
        return find_foci(network, case.image(), case.mask(), case.geometry, self.study)
