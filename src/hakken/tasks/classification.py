"""Classification: crops of a lesion become probabilities of its class, averaged over the slices through it.

After Yamada et al. (IJCARS 2019;14:1281): three registered phases are the colours of one crop, and a network that has
learnt ImageNet is fine-tuned on them. Training sees each class equally often, and maximises the balanced accuracy, so
that neither leans on how frequent a class happens to be: who guesses reaches 1 / k.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from hakken.errors import HakkenError
from hakken.evaluation.classification import Classified, balanced
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.networks.build import build_classifier
from hakken.patches.lesion_crops import lesion_crops
from hakken.patches.loader import Batch
from hakken.study import Hyperparameters, Study
from hakken.tasks.pretrained import load_weights, weights_file

COLUMNS = ("case_id", "patient", "lesion", "class", "called")
"""Columns of a table of predictions; the probability of each class follows in a column of its name."""


@dataclass(frozen=True, eq=False)
class Probabilities:
    """The lesions of a case that count, with the probabilities (n, k) of their classes."""

    lesions: tuple[Lesion, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassificationTask:
    """How a network learns to tell classes apart, and how well it does so on the lesions of ``validation``."""

    study: Study
    dimensions: int
    parameters: Hyperparameters
    validation: Sequence[PreparedCase]

    def network(self) -> nn.Module:
        """Return a network that starts from the study's weights, or at random where it has none for this network."""
        training = self.study.training
        network = build_classifier(training, len(self.study.inputs), len(self.classes), self.parameters)
        weights = next((one for name, one in training.weights.items() if name == training.network), None)
        if weights is not None:
            load_weights(network.backbone, weights_file(Path(weights.path)), weights.sha256)
        return network

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean cross-entropy (scalar) of a batch."""
        return functional.cross_entropy(network(batch.images).float(), batch.targets)

    @property
    def negative_ratio(self) -> float:
        """Every crop shows a lesion."""
        return 0.0

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes in the order of the network's output."""
        return self.study.cohort.classes

    def predict(self, network: nn.Module, case: PreparedCase) -> Probabilities:
        """Return the probabilities of the classes of a case's lesions."""
        lesions = classified_lesions(case, self.classes)
        device = next(network.parameters()).device
        found = np.zeros((len(lesions), len(self.classes)))
        for row, lesion in enumerate(lesions):
            crops = torch.from_numpy(lesion_crops(case, lesion, self.parameters.patch_size)).to(device)
            with torch.no_grad():
                found[row] = network(crops.float()).float().softmax(1).mean(0).cpu().double().numpy()
        if not np.isfinite(found).all():
            raise FloatingPointError("the network's probabilities are not finite")
        return Probabilities(lesions, found)

    def table(self, predictions: Mapping[str, Probabilities]) -> str:
        """Return the lesions of ``validation`` as CSV: their class, what they are called, and the probabilities."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*COLUMNS, *self.classes])
        for case in self.validation:
            found = predictions[case.case_id]
            for lesion, row in zip(found.lesions, found.values, strict=True):
                called = self.classes[int(row.argmax())]
                numbers = [repr(float(value)) for value in row]
                writer.writerow([case.case_id, case.patient, lesion.lesion, lesion.lesion_class, called, *numbers])
        return text.getvalue()

    def objective(self, predictions: Mapping[str, Probabilities]) -> float:
        """Return the balanced accuracy over the lesions of ``validation``."""
        return balanced(self.classified(predictions))

    def classified(self, predictions: Mapping[str, Probabilities]) -> Classified:
        """Return the lesions of ``validation`` as evaluation takes them."""
        number = {name: place for place, name in enumerate(self.classes)}
        found = [predictions[case.case_id] for case in self.validation]
        rows = [(case, lesion) for case, one in zip(self.validation, found, strict=True) for lesion in one.lesions]
        return Classified(
            self.classes,
            np.array([number[lesion.lesion_class or ""] for _, lesion in rows], np.int64),
            [case.patient or case.case_id for case, _ in rows],
            np.concatenate([one.values for one in found]) if found else np.zeros((0, len(self.classes))),
        )


def classified_lesions(case: PreparedCase, classes: Sequence[str]) -> tuple[Lesion, ...]:
    """Return the included lesions of a case; raises HakkenError naming one whose class is none of ``classes``."""
    lesions = tuple(lesion for lesion in case.lesions if lesion.kind == "included")
    for lesion in lesions:
        if lesion.lesion_class not in classes:
            raise HakkenError(
                f"case {case.case_id}, lesion {lesion.lesion}: has the class `{lesion.lesion_class or ''}`; "
                f"cohort.classes of the study names {', '.join(classes)}"
            )
    return lesions
