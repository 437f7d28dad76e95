"""How well lesions are told apart by class: confusion, accuracy, balanced accuracy, one-vs-rest AUC, over patients.

The class called is that of the highest probability, the first of equals. Macro AUC is the mean over the classes of the
area under the ROC curve of that class's probability against all others; a class that has no lesion, or all, is left
out. Balanced accuracy, the mean of the classes' recalls, is 1 / k for whoever guesses among k classes, whatever their
frequencies, while the accuracy of always naming the most frequent class grows with its frequency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hakken.core.errors import HakkenError
from hakken.evaluation import agreement_measure
from hakken.evaluation.agreement import balanced_accuracy, confusion
from hakken.evaluation.agreement_measure import Labels, Measurement
from hakken.evaluation.bootstrap import Estimate
from hakken.evaluation.findings import Floats, Ints
from hakken.evaluation.resampling import Resampled, bootstrapped, over_patients
from hakken.evaluation.roc import Counts

MODEL = "network"


@dataclass(frozen=True, eq=False)
class Classified:
    """Lesions with the number of their class (n,), their patient's name (n,), and probabilities (n, k) by class."""

    classes: tuple[str, ...]
    truth: Ints
    patient: Sequence[str]
    probability: Floats

    def __post_init__(self) -> None:
        if len(self.truth) == 0:
            raise HakkenError("no lesion with a class to measure; see the column `class` of the lesion tables")
        if self.probability.shape != (len(self.truth), len(self.classes)):
            raise HakkenError(f"probabilities {self.probability.shape}: {len(self.truth)} lesions, {self.classes}")
        if not np.isfinite(self.probability).all():
            raise HakkenError(f"lesion {int(np.argwhere(~np.isfinite(self.probability))[0, 0])}: no finite probability")

    @property
    def called(self) -> Ints:
        """The number of the class that each lesion is called (n,)."""
        return np.asarray(self.probability.argmax(axis=1), np.int64)

    @property
    def patient_index(self) -> Ints:
        """The number of each lesion's patient (n,), from 0."""
        return np.asarray(np.unique(np.asarray(self.patient), return_inverse=True)[1], np.int64)

    @property
    def most_frequent(self) -> float:
        """The share of the most frequent class: the accuracy of calling every lesion so."""
        return float(np.bincount(self.truth).max() / len(self.truth))


@dataclass(frozen=True, eq=False)
class ClassMeasurement:
    """The confusion matrix with what follows from it, and the macro AUC."""

    classified: Classified
    agreement: Measurement
    macro_auc: Estimate

    @property
    def balanced_accuracy(self) -> Estimate:
        """The mean of the classes' recalls with its interval over patients."""
        found = self.agreement.predictions[0].balanced_accuracy
        return Estimate(found.value, found.bootstrap.low, found.bootstrap.high)

    @property
    def accuracy(self) -> Estimate:
        """The share of lesions that are called rightly with its interval over patients."""
        found = self.agreement.predictions[0]
        return Estimate(found.accuracy.value, found.accuracy_ends.low, found.accuracy_ends.high)

    @property
    def mcc(self) -> Estimate:
        """Matthews' correlation coefficient with its interval over patients."""
        found = self.agreement.predictions[0].mcc
        return Estimate(found.value, found.bootstrap.low, found.bootstrap.high)

    @property
    def warnings(self) -> list[str]:
        """A sentence for each value that is undefined or weakly founded."""
        return agreement_measure.warnings(self.agreement)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = self.agreement.as_dict()
        network = found["predictions"][MODEL]
        return {
            "counts": {
                "lesions": len(self.classified.truth),
                "patients": self.agreement.labels.patients,
                "classes": {name: int((self.classified.truth == n).sum()) for n, name in _numbered(self.classified)},
            },
            "accuracy": asdict(self.accuracy),
            "balanced_accuracy": asdict(self.balanced_accuracy),
            "mcc": asdict(self.mcc),
            "macro_auc": asdict(self.macro_auc),
            "chance": {
                "accuracy": self.classified.most_frequent,
                "balanced_accuracy": 1 / len(self.classified.classes),
            },
            "confusion": network["confusion"],
            "classes": network["classes"],
            "bootstrap": found["bootstrap"],
        }


def measure_classes(classified: Classified, *, resamples: int, seed: int) -> ClassMeasurement:
    """Measure with 95 % percentile intervals over resampled patients."""
    names = classified.classes
    patient = classified.patient_index
    labels = Labels(
        [names[number] for number in classified.truth.tolist()],
        patient,
        {MODEL: [names[number] for number in classified.called.tolist()]},
        names,
    )
    agreement = agreement_measure.measure(labels, resamples, seed)
    value = macro_auc(classified, np.ones((1, len(classified.truth))))[0]
    drawn = over_patients(
        patient, resamples, seed, lambda counts: {"auc": macro_auc(classified, counts[:, patient].astype(float))}
    )
    known = None if np.isnan(value) else float(value)
    ends = bootstrapped(known, drawn, "auc")
    return ClassMeasurement(classified, agreement, Estimate(known, ends.low, ends.high))


def macro_auc(classified: Classified, weights: Floats) -> Floats:
    """Return the macro AUC (r,) of lesions that count ``weights`` (r, n) times; NaN where no class has one."""
    areas = []
    for number, _ in _numbered(classified):
        score, own = classified.probability[:, number], classified.truth == number
        above = (score[own][:, None] > score[~own]) + 0.5 * (score[own][:, None] == score[~own])
        inside, outside = weights[:, own], weights[:, ~own]
        pairs = inside.sum(1) * outside.sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            areas.append(np.where(pairs > 0, ((inside @ above) * outside).sum(1) / pairs, np.nan))
    stacked = np.stack(areas)
    known = ~np.isnan(stacked)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, stacked, 0).sum(0) / known.sum(0))


def balanced(classified: Classified) -> float:
    """Return the balanced accuracy; classes without a lesion do not count."""
    matrix = confusion(classified.truth, classified.called, len(classified.classes))
    return float(balanced_accuracy(matrix, matrix.sum(axis=1) > 0))


def rows_balanced(truth: Ints, called: Ints, weights: Floats) -> Floats:
    """Return the balanced accuracy (r,) of lesions that count ``weights`` (r, n) times, over the classes they have."""
    recalls = []
    for number in np.unique(truth):
        own = truth == number
        total = weights[:, own].sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            recalls.append(np.where(total > 0, (weights[:, own] * (called[own] == number)).sum(1) / total, np.nan))
    return np.asarray(np.nanmean(np.stack(recalls), axis=0))


def rows_accuracy(truth: Ints, called: Ints, weights: Floats) -> Floats:
    """Return the accuracy (r,) of lesions that count ``weights`` (r, n) times."""
    return np.asarray((weights * (truth == called)).sum(1) / weights.sum(1))


@dataclass(frozen=True)
class Difference:
    """By how much the first of two is better than the second on the same lesions, with intervals over patients."""

    accuracy: Estimate
    balanced_accuracy: Estimate


def compare(truth: Ints, patient: Ints, first: Ints, second: Ints, *, resamples: int, seed: int) -> Difference:
    """Compare the classes ``first`` (n,) that lesions are called with those that they are called ``second``."""
    measures = {"accuracy": rows_accuracy, "balanced accuracy": rows_balanced}

    def gaps(weights: Floats) -> Mapping[str, Floats]:
        return {name: rows(truth, first, weights) - rows(truth, second, weights) for name, rows in measures.items()}

    def resampled(counts: Counts) -> Mapping[str, Floats]:
        return gaps(counts[:, patient].astype(float))

    whole = gaps(np.ones((1, len(truth))))
    drawn: Resampled = over_patients(patient, resamples, seed, resampled)
    found = {}
    for name, value in whole.items():
        ends = bootstrapped(float(value[0]), drawn, name)
        found[name] = Estimate(float(value[0]), ends.low, ends.high)
    return Difference(found["accuracy"], found["balanced accuracy"])


def _numbered(classified: Classified) -> list[tuple[int, str]]:
    return list(enumerate(classified.classes))
