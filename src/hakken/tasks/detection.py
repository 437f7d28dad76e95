"""Detection: a patch is a centred voxel, lesion or not; a case becomes ranked candidates, measured by the FROC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from hakken.evaluation import findings
from hakken.evaluation.froc import objective
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.inference.detect import detect_prepared
from hakken.inference.table import candidate_rows, candidate_table
from hakken.networks.build import build_network
from hakken.patches.loader import Batch
from hakken.study import Hyperparameters, Study, Training


@dataclass(frozen=True)
class DetectionLoss:
    """The loss of a batch: cross-entropy or focal loss (Lin et al., Focal loss for dense object detection, 2017).

    Lesions and background weigh the same in sum, whatever the ratio of a mini-batch, so that a score is comparable
    between trainings with different ratios: 0.5 means that a patch is as frequent among lesions as among negatives.
    """

    training: Training
    negative_ratio: float

    def __call__(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean loss (scalar) of a batch."""
        images = batch.images if batch.images.ndim == 5 else batch.images[:, :, None]
        return self.of_logits(network(images).flatten(1), batch.targets)

    def of_logits(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean loss (scalar) of logits (b, 2) for targets (b,)."""
        share = 1 / (1 + self.negative_ratio)
        weights = torch.tensor([0.5 / (1 - share), 0.5 / share], device=logits.device)
        losses = functional.cross_entropy(logits.float(), targets, reduction="none")
        if self.training.loss == "focal":
            losses = losses * (1 - torch.exp(-losses)) ** self.training.focal_gamma
        return (losses * weights[targets]).mean()


@dataclass(frozen=True, eq=False)
class DetectionTask:
    """How a network learns to detect, and how well it does, on the cases of ``validation``.

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
        return DetectionLoss(self.study.training, self.parameters.negative_ratio)(network, batch)

    @property
    def negative_ratio(self) -> float:
        """Negatives per positive in a mini-batch."""
        return self.parameters.negative_ratio

    @property
    def classes(self) -> tuple[str, ...]:
        """Lesions are told from no lesion."""
        return ()

    def predict(self, network: nn.Module, case: PreparedCase) -> Candidates:
        """Return the candidates of a case."""
        return detect_prepared(network, case, self.study.inference)

    def table(self, predictions: Mapping[str, Candidates]) -> str:
        """Return the candidates as CSV, with the lesion that each lies in."""
        return table_of(predictions, self.validation)

    def objective(self, found: Mapping[str, Candidates]) -> float:
        """Return the partial AUC of the FROC of candidates by case id."""
        return partial_auc_of(found, self.validation, self.study)


def partial_auc_of(found: Mapping[str, Candidates], cases: Sequence[PreparedCase], study: Study) -> float:
    """Return the partial AUC of the FROC of candidates by case id, up to `evaluation.maximum_fp`."""
    known = findings.Cases.of([case.case_id for case in cases], [case.patient for case in cases])
    marks = marks_of([found[case.case_id] for case in cases], cases)
    return objective(marks, lesions_of(cases), known, study.evaluation.maximum_fp, study.evaluation.hit)


def table_of(found: Mapping[str, Candidates], cases: Sequence[PreparedCase]) -> str:
    """Return the candidates of ``cases`` by case id as CSV, with the lesion that each lies in."""
    return candidate_table(
        [
            row
            for case in cases
            for row in candidate_rows(case.case_id, found[case.case_id], candidate_labels(found[case.case_id], case))
        ]
    )


def lesions_of(cases: Sequence[PreparedCase]) -> findings.Lesions:
    """Return the lesions of prepared cases, by index of the case."""
    rows = [(number, lesion) for number, case in enumerate(cases) for lesion in case.lesions]
    return findings.Lesions.of(
        [number for number, _ in rows],
        [lesion.centre for _, lesion in rows],
        [lesion.diameter_mm for _, lesion in rows],
        [lesion.kind == "included" for _, lesion in rows],
        label=[lesion.lesion for _, lesion in rows],
    )


def marks_of(found: Sequence[Candidates], cases: Sequence[PreparedCase]) -> findings.Candidates:
    """Return the candidates of each case as evaluation takes them, with the lesion that each lies in."""
    labels = [candidate_labels(marks, case) for marks, case in zip(found, cases, strict=True)]
    known = all(label is not None for label in labels)
    return findings.Candidates.of(
        np.repeat(np.arange(len(found)), [len(marks) for marks in found]),
        np.concatenate([marks.xyz for marks in found]),
        np.concatenate([marks.score for marks in found]),
        np.concatenate([label for label in labels if label is not None]) if known else None,
    )


def candidate_labels(found: Candidates, case: PreparedCase) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    """Return the lesion label (n,) that each candidate lies in, None where the case has no truth."""
    return found.labels(case.labels(mmap=True)) if case.has_truth else None
