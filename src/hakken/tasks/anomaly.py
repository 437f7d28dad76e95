"""Anomaly: a patch is to be reconstructed, a case is as abnormal as its worst patch, measured by the ROC of the cases.

Sato et al., A primitive study on unsupervised anomaly detection with an autoencoder in emergency head CT volumes, Proc.
SPIE 10575 (2018): the network sees patches of normal cases alone, so that what it cannot reconstruct is abnormal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from hakken.errors import HakkenError
from hakken.evaluation import findings
from hakken.evaluation.case_scores import area, score_cases
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.inference.detect import detect_prepared
from hakken.networks.build import build_network
from hakken.patches.loader import Batch
from hakken.study import Hyperparameters, Study
from hakken.tasks.detection import marks_of, partial_auc_of, table_of


@dataclass(frozen=True)
class ReconstructionLoss:
    """The loss of a batch: the mean squared error between the patches and what the network makes of them."""

    def __call__(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean loss (scalar) of a batch."""
        images = batch.images if batch.images.ndim == 5 else batch.images[:, :, None]
        return functional.mse_loss(network(images).float(), images)


@dataclass(frozen=True, eq=False)
class AnomalyTask:
    """How a network learns what is normal, and how well it tells the cases of ``validation`` apart.

    ``dimensions`` are the patches' axes, 2 or 3.
    """

    study: Study
    dimensions: int
    parameters: Hyperparameters
    validation: Sequence[PreparedCase]

    def network(self) -> nn.Module:
        """Return an untrained network; raises InvalidArchitecture when the parameters describe none."""
        return build_network(self.study.training.network, len(self.study.inputs), self.dimensions, self.parameters)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean loss (scalar) of a batch."""
        return ReconstructionLoss()(network, batch)

    @property
    def negative_ratio(self) -> float:
        """Negatives per positive in a mini-batch: there are no positives."""
        return math.inf

    @property
    def classes(self) -> tuple[str, ...]:
        """Patches are all of one kind."""
        return ()

    def predict(self, network: nn.Module, case: PreparedCase) -> Candidates:
        """Return the candidates of a case; their scores are errors, at least 0."""
        return detect_prepared(network, case, self.study.inference)

    def table(self, predictions: Mapping[str, Candidates]) -> str:
        """Return the candidates as CSV, with the lesion that each lies in."""
        return table_of(predictions, self.validation)

    def objective(self, found: Mapping[str, Candidates]) -> float:
        """Return the AUC of the validation cases, each with the score of its highest candidate by case id.

        With `evaluation.objective: froc` it is the partial AUC of the FROC of the candidates. Raises HakkenError when
        all cases are normal or all are abnormal.
        """
        if not self.study.of_cases:
            return partial_auc_of(found, self.validation, self.study)
        cases = findings.Cases.of([case.case_id for case in self.validation], [c.patient for c in self.validation])
        marks = marks_of([found[case.case_id] for case in self.validation], self.validation)
        value = area(score_cases(cases, [case.abnormal for case in self.validation], marks))
        if value is None:
            raise HakkenError("the validation cases are all normal or all abnormal, so there is no AUC to maximise")
        return value
