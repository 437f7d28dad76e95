"""Everything that a result file says about one or two labellings of the same cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import sparse

from hakken.evaluation.agreement import (
    Kappa,
    McNemar,
    Weighting,
    accuracy,
    balanced_accuracy,
    class_numbers,
    confusion,
    f1,
    kappa,
    macro_f1,
    mcnemar,
    precision,
    recall,
    rows_kappa,
    rows_mcc,
    weights,
)
from hakken.evaluation.caution import of_few
from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.proportions import Share, share
from hakken.evaluation.resampling import Bootstrapped, Resampled, bootstrapped, over_patients
from hakken.evaluation.roc import Counts


@dataclass(frozen=True, eq=False)
class Labels:
    """Cases with their true label and patient (n,), and one or two predictions (n,) by name.

    ``classes`` are all that occur, or more, in the order of the matrix; ``ordered`` says that this order has a meaning.
    """

    truth: Sequence[str]
    patient: Ints
    predictions: Mapping[str, Sequence[str]]
    classes: tuple[str, ...]
    ordered: bool = False

    @property
    def patients(self) -> int:
        """The number of patients."""
        return len(np.unique(self.patient))


@dataclass(frozen=True)
class Estimated:
    """A value with its bootstrap interval; None where it is not defined."""

    value: float | None
    bootstrap: Bootstrapped


@dataclass(frozen=True)
class ClassMeasures:
    """One class: its cases, how often it was called, and the three measures."""

    truth: int
    predicted: int
    precision: Share
    recall: Share
    precision_ends: Bootstrapped
    recall_ends: Bootstrapped
    f1: Estimated

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "truth": self.truth,
            "predicted": self.predicted,
            "precision": asdict(self.precision) | {"bootstrap": asdict(self.precision_ends)},
            "recall": asdict(self.recall) | {"bootstrap": asdict(self.recall_ends)},
            "f1": asdict(self.f1),
        }


@dataclass(frozen=True, eq=False)
class Agreement:
    """One prediction against the truth."""

    name: str
    matrix: Ints
    accuracy: Share
    accuracy_ends: Bootstrapped
    balanced_accuracy: Estimated
    macro_f1: Estimated
    mcc: Estimated
    classes: Mapping[str, ClassMeasures]
    kappas: Mapping[Weighting, tuple[Kappa, Bootstrapped]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the rows of the matrix are the truth, its columns the prediction."""
        return {
            "confusion": {"classes": list(self.classes), "matrix": self.matrix.tolist()},
            "accuracy": asdict(self.accuracy) | {"bootstrap": asdict(self.accuracy_ends)},
            "balanced_accuracy": asdict(self.balanced_accuracy),
            "macro_f1": asdict(self.macro_f1),
            "mcc": asdict(self.mcc),
            "classes": {name: found.as_dict() for name, found in self.classes.items()},
            "kappa": {name: asdict(found) | {"bootstrap": asdict(ends)} for name, (found, ends) in self.kappas.items()},
        }


@dataclass(frozen=True)
class Comparison:
    """The accuracy of the first prediction minus that of the second, and McNemar's test."""

    difference: Estimated
    mcnemar: McNemar


@dataclass(frozen=True, eq=False)
class Measurement:
    """One or two predictions, and their comparison where there are two."""

    labels: Labels
    predictions: tuple[Agreement, ...]
    comparison: Comparison | None
    resampled: Resampled

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "counts": {"cases": len(self.labels.truth), "patients": self.labels.patients},
            "ordered": self.labels.ordered,
            "predictions": {found.name: found.as_dict() for found in self.predictions},
            "comparison": None
            if self.comparison is None
            else {
                "accuracy_difference": asdict(self.comparison.difference),
                "mcnemar": asdict(self.comparison.mcnemar),
            },
            "bootstrap": {
                "resamples": self.resampled.drawn,
                "skipped": self.resampled.skipped,
                "seed": self.resampled.seed,
                "unit": "patient",
            },
        }


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is computed of each matrix: kappas by weighting, means over the classes that have a value at all."""

    classes: tuple[str, ...]
    kappas: Mapping[Weighting, Floats]
    with_truth: Flags
    with_f1: Flags

    def rows(self, matrix: Floats | Ints) -> dict[str, Floats]:
        """Return every measure (...) of matrices (..., C, C) by name."""
        found = {
            "accuracy": accuracy(matrix),
            "balanced accuracy": balanced_accuracy(matrix, self.with_truth),
            "macro F1": macro_f1(matrix, self.with_f1),
            "MCC": rows_mcc(matrix),
        }
        found |= {f"kappa {name}": rows_kappa(matrix, weight) for name, weight in self.kappas.items()}
        for kind, values in (("precision", precision(matrix)), ("recall", recall(matrix)), ("F1", f1(matrix))):
            found |= {f"{kind} {name}": values[..., number] for number, name in enumerate(self.classes)}
        return found


def measure(labels: Labels, resamples: int = 1000, seed: int = 0) -> Measurement:
    """Measure one or two predictions of the same cases, at least one."""
    size = len(labels.classes)
    truth = class_numbers(labels.truth, labels.classes)
    called = {name: class_numbers(row, labels.classes) for name, row in labels.predictions.items()}
    matrices = {name: confusion(truth, row, size) for name, row in called.items()}
    names: tuple[Weighting, ...] = ("unweighted", "linear", "quadratic") if labels.ordered else ("unweighted",)
    kappas = {name: weights(size, name) for name in names}
    plans = {
        name: _Plan(labels.classes, kappas, matrix.sum(axis=1) > 0, (matrix + matrix.T).sum(axis=1) > 0)
        for name, matrix in matrices.items()
    }
    cells = {name: _cells(labels.patient, truth * size + row, size**2) for name, row in called.items()}

    def measured(counts: Counts) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        for name, plan in plans.items():
            resampled = np.asarray((cells[name] @ counts.T).T).reshape(len(counts), size, size)
            found |= {f"{name} {key}": values for key, values in plan.rows(resampled).items()}
        return found

    resampled = over_patients(labels.patient, resamples, seed, measured, width=len(plans) * size**2)
    found = tuple(_agreement(name, matrices[name], plans[name], resampled) for name in matrices)
    right = [row == truth for row in called.values()]
    return Measurement(labels, found, _compared(right, list(called), resampled) if len(right) > 1 else None, resampled)


def warnings(measurement: Measurement) -> list[str]:
    """Return a sentence for every value that is undefined or weakly founded."""
    labels, drawn = measurement.labels, measurement.resampled
    lines = []
    if labels.patients < len(labels.truth):
        lines.append(
            f"{len(labels.truth)} cases of {labels.patients} patients: Wilson's, Clopper-Pearson's and the asymptotic "
            "intervals and McNemar's test take the cases as independent; `bootstrap` does not"
        )
    if labels.patients < 2:
        lines.append("one patient: there is no bootstrap over patients, so its intervals are null")
    lines += of_few(labels.patients)
    for found in measurement.predictions:
        lines += _undefined(found, drawn)
    if measurement.comparison is not None and measurement.comparison.mcnemar.exact_p is None:
        lines.append("McNemar's test is null: both predictions are right on the same cases")
    return lines


def _undefined(found: Agreement, drawn: Resampled) -> Iterator[str]:
    for name, part in found.classes.items():
        if not part.truth:
            yield f"{found.name}, class {name}: recall is null, no case has this truth; balanced accuracy leaves it out"
        if not part.predicted:
            yield f"{found.name}, class {name}: precision is null, no case was called so"
        if part.f1.value is None:
            yield f"{found.name}, class {name}: F1 is null, neither truth nor prediction has it; macro F1 leaves it out"
    if found.mcc.value is None:
        yield f"{found.name}: MCC is null, truth or prediction has one class only"
    for weighting, (value, _) in found.kappas.items():
        if value.value is None:
            yield f"{found.name}: {weighting} kappa is null, truth and prediction have one and the same class only"
        elif value.se == 0:
            yield f"{found.name}: the asymptotic interval of {weighting} kappa has no width, which is not certainty"
    for key, values in drawn.values.items():
        missing = int(np.isnan(values).sum())
        if key.startswith(f"{found.name} ") and 0 < missing < len(values):
            yield f"{key} is undefined in {missing} of {len(values)} resamples, which its interval leaves out"


def _agreement(name: str, matrix: Ints, plan: _Plan, resampled: Resampled) -> Agreement:
    values = plan.rows(matrix)

    def estimated(key: str) -> Estimated:
        value = None if np.isnan(values[key]) else float(values[key])
        return Estimated(value, bootstrapped(value, resampled, f"{name} {key}"))

    classes = {}
    for number, label in enumerate(plan.classes):
        right, of, called = (int(n) for n in (matrix[number, number], matrix[number].sum(), matrix[:, number].sum()))
        classes[label] = ClassMeasures(
            truth=of,
            predicted=called,
            precision=share(right, called),
            recall=share(right, of),
            precision_ends=estimated(f"precision {label}").bootstrap,
            recall_ends=estimated(f"recall {label}").bootstrap,
            f1=estimated(f"F1 {label}"),
        )
    return Agreement(
        name=name,
        matrix=matrix,
        accuracy=share(int(np.trace(matrix)), int(matrix.sum())),
        accuracy_ends=estimated("accuracy").bootstrap,
        balanced_accuracy=estimated("balanced accuracy"),
        macro_f1=estimated("macro F1"),
        mcc=estimated("MCC"),
        classes=classes,
        kappas={
            kind: (kappa(matrix, weight), estimated(f"kappa {kind}").bootstrap) for kind, weight in plan.kappas.items()
        },
    )


def _compared(right: Sequence[Flags], names: Sequence[str], resampled: Resampled) -> Comparison:
    first, second = (resampled.values.get(f"{name} accuracy", np.empty(0)) for name in names)
    gaps = Resampled({"difference": first - second}, resampled.drawn, resampled.skipped, resampled.seed)
    value = float((right[0].sum() - right[1].sum()) / len(right[0]))
    return Comparison(Estimated(value, bootstrapped(value, gaps, "difference")), mcnemar(right[0], right[1]))


def _cells(patient: Ints, cell: Ints, cells: int) -> sparse.csr_array:
    """Return how many cases of each patient fall in each cell of the matrix, (cells, patients)."""
    shape = (cells, int(patient.max()) + 1)
    return sparse.csr_array((np.ones(len(cell)), (cell, patient)), shape=shape)
