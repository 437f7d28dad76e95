"""Candidates that are told apart by class, measured: how many are found and rightly named.

Two readings are given beside each other. *By class* each class is a detector of its own: its marks are those that are
called so, its lesions those that are of it, a mark on a lesion of another class is false, and so many false positives
per case are allowed to each class. *Over found lesions* the class of a lesion is that of the mark that it was found
with, the one with the highest score; an accuracy over found lesions alone can be gained by finding the easy ones, so
the share of all lesions that are found and rightly named stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hakken.evaluation import measure as evaluation
from hakken.evaluation.classification import Classified, measure_classes
from hakken.evaluation.findings import Cases, Findings, Flags, Ints, Lesions
from hakken.evaluation.matching import Matching, Rules, match_findings
from hakken.evaluation.strata import Proportion, proportion
from hakken.imaging.prepared import PreparedCase
from hakken.inference import candidates as inference
from hakken.outcomes import Row

NO_LESIONS = "no lesions"
ACCURACY, RIGHTLY = "accuracy of the class over found lesions", "found and rightly named, of all lesions"
GUESSING = "  of the most frequent class"


@dataclass(frozen=True, eq=False)
class Named:
    """The classes of lesions (L,) and of marks (M,) as numbers of ``classes``; -1 of one that is none of them."""

    classes: tuple[str, ...]
    lesion: Ints
    mark: Ints


def named_of(
    found: Mapping[str, inference.Candidates], cases: Sequence[PreparedCase], classes: tuple[str, ...]
) -> Named | None:
    """Return the classes of all lesions and marks of some cases; None where the marks have none."""
    marks = [found[case.case_id].classes for case in cases]
    if not classes or any(one is None for one in marks):
        return None
    number = {name: place for place, name in enumerate(classes)}
    lesions = [number.get(lesion.lesion_class or "", -1) for case in cases for lesion in case.lesions]
    called = [number.get(name, -1) for one in marks for name in one or ()]
    return Named(classes, np.array(lesions, np.int64), np.array(called, np.int64))


def measured_by_class(
    findings: Findings, matching: Matching, found: Flags, named: Named, settings: evaluation.Settings
) -> tuple[list[Row], dict[str, Any]]:
    """Return all rows of the classes, and the details of the lesions ``found`` (L,) of a ``matching``."""
    rows = [*rows_by_class(findings, named, matching.rules, settings), *rows_of_found(matching, found, named, settings)]
    return rows, details_of_found(matching, found, named, settings)


def by_class(findings: Findings, named: Named) -> Findings:
    """Return findings in which each class of each case is a case of its own, case by case, in the order of the classes.

    Lesions that do not count stand in each of them, since marks on them are neither right nor wrong whatever they say.
    """
    count, cases = len(named.classes), findings.cases
    ids = [f"{case} {name}" for case in cases.case_id for name in named.classes]
    patients = [patient for patient in cases.patient for _ in named.classes]
    counts = findings.lesions.included & (named.lesion >= 0)
    own = findings.lesions.where(counts)
    own = replace(own, case=own.case * count + named.lesion[counts])
    other = findings.lesions.where(~counts)
    parts = [own, *(replace(other, case=other.case * count + place) for place in range(count))]
    called = named.mark >= 0
    marks = findings.candidates.where(called)
    marks = replace(marks, case=marks.case * count + named.mark[called])
    return Findings(Cases.of(ids, patients), _joined(parts), marks)


def rows_by_class(findings: Findings, named: Named, rules: Rules, settings: evaluation.Settings) -> Iterator[Row]:
    """Yield the sensitivity by class at the one rate of ``settings``: of all classes, then of each."""
    (rate,) = settings.at
    apart = by_class(findings, named)
    names = names_by_class(rate, named.classes)
    yield _sensitivity(names[0], apart, rules, settings)
    for place, name in enumerate(names[1:]):
        keep: Flags = np.arange(len(apart.cases)) % len(named.classes) == place
        yield _sensitivity(name, apart.of_cases(keep), rules, settings)


def names_by_class(rate: float, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the rows of `rows_by_class`."""
    whole = f"sensitivity by class at {rate:g} FP/case of each"
    return (whole, *(f"{name}: sensitivity at {rate:g} FP/case of its own" for name in classes))


def rows_of_found(matching: Matching, found: Flags, named: Named, settings: evaluation.Settings) -> Iterator[Row]:
    """Yield the accuracy over the ``found`` lesions (L,), and the share of all that are found and rightly named."""
    told = details_of_found(matching, found, named, settings)
    at, right = told["accuracy"], rightly_named(matching, found, named)
    none = "" if found.any() else "no lesion is found"
    yield Row(ACCURACY, at["value"], at["low"], at["high"], digits=2, text=none)
    if found.any():
        yield Row(GUESSING, told["chance"]["accuracy"], digits=2, reference=True)
    none = "" if right.total else NO_LESIONS
    yield Row(RIGHTLY, right.value, right.low, right.high, digits=2, text=none)


def details_of_found(matching: Matching, found: Flags, named: Named, settings: evaluation.Settings) -> dict[str, Any]:
    """Return the confusion of the ``found`` lesions (L,) with what follows from it, as plain values."""
    classes, counts = named.classes, found & (named.lesion >= 0)
    if not counts.any():
        size = len(classes)
        nothing = {"value": None, "low": None, "high": None}
        return {
            "counts": {"lesions": 0, "patients": 0, "classes": dict.fromkeys(classes, 0)},
            "accuracy": nothing,
            "balanced_accuracy": nothing,
            "chance": {"accuracy": None, "balanced_accuracy": 1 / size},
            "confusion": {"classes": list(classes), "matrix": np.zeros((size, size), int).tolist()},
        }
    called = named.mark[matching.lesion_mark[counts]]
    patients = [matching.cases.patient[case] for case in matching.lesions.case[counts].tolist()]
    certain = np.eye(len(classes))[called]  # a detector that gives a name and no probabilities
    classified = Classified(classes, named.lesion[counts], patients, certain)
    told = measure_classes(classified, resamples=settings.resamples, seed=settings.seed).as_dict()
    return {key: told[key] for key in ("counts", "accuracy", "balanced_accuracy", "chance", "confusion")}


def rightly_named(matching: Matching, found: Flags, named: Named) -> Proportion:
    """Return the share of the included lesions that are among the ``found`` (L,) and called by their class."""
    right = found.copy()
    right[found] = (named.lesion[found] >= 0) & (named.mark[matching.lesion_mark[found]] == named.lesion[found])
    included = matching.lesions.included
    patient = matching.cases.patient_index[matching.lesions.case]
    return proportion(right[included], patient[included])


def _sensitivity(name: str, findings: Findings, rules: Rules, settings: evaluation.Settings) -> Row:
    """Return the sensitivity of findings, `no lesions` where they have none that counts."""
    if not findings.lesions.included.any():
        return Row(name, text=NO_LESIONS)
    measured = evaluation.measure(match_findings(findings, rules), settings)
    one, ends = next(iter(measured.sensitivity_at.values()))
    warning = measured.about(evaluation.at_rate(settings.at[0]))
    return Row(name, one.value, ends.low, ends.high, digits=2, warning=warning)


def _joined(parts: Sequence[Lesions]) -> Lesions:
    return Lesions(
        np.concatenate([one.case for one in parts]),
        np.concatenate([one.xyz for one in parts]),
        np.concatenate([one.diameter_mm for one in parts]),
        np.concatenate([one.included for one in parts]),
        np.concatenate([one.label for one in parts]),
    )
