"""Outcome `classes`: of which class the lesions of a case are, or the case itself, measured by the balanced accuracy.

A method predicts probabilities (n, k) of the k classes of `cohort.classes`, for the n lesions of a case that count, in
their order; where the truth of the cohort is `label`, n is 1 and the row is that of the case. They are kept in
`classes.csv`, with a column for each class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.tables import Cell, read_table, write_table
from hakken.evaluation.caution import NO_WIDTH
from hakken.evaluation.classification import Classified, balanced, measure_classes, rows_balanced
from hakken.evaluation.findings import Floats
from hakken.evaluation.optimism import replicated
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.imaging.whole import NORMAL
from hakken.outcomes import Measured, Part, Replicates, Row
from hakken.study import Section, Study

FILE = "classes.csv"
COLUMNS = ("case_id", "patient", "lesion", "class", "called")
"""Columns of the table; the probability of each class follows in a column of its name."""
FIGURES = ("confusion",)
BASELINES = ("class_priors",)
MEASURED_ON = ("abnormal",)
PROBABILITY = "p."
ROWS = ("balanced accuracy", "accuracy", "MCC", "macro AUC")

Predictions = Mapping[str, NDArray[np.float64]]


class Settings(Section):
    """How classes are measured: there is nothing to set."""


@dataclass(frozen=True)
class Unit:
    """What is classified: a lesion by its number in the case, or the case itself (``lesion`` ''), and its class."""

    lesion: str
    name: str


def words(settings: Section) -> str:
    """Return the objective in a few words."""
    return "balanced accuracy"


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write the probabilities of a part; what each unit is called is its most probable class."""
    classes = part.study.cohort.classes
    rows: list[tuple[Cell, ...]] = []
    for case in part.cases:
        for unit, values in zip(units_of(case, part), found[case.case_id].tolist(), strict=True):
            rows.append((case.case_id, case.patient, unit.lesion, unit.name, classes[int(np.argmax(values))], *values))
    write_table(folder / FILE, (*COLUMNS, *(f"{PROBABILITY}{name}" for name in classes)), rows)


def read(folder: Path, part: Part) -> Predictions:
    """Return the probabilities of a part; raises HakkenError naming what is missing or no probability."""
    classes = part.study.cohort.classes
    columns = [f"{PROBABILITY}{name}" for name in classes]
    table = read_table(folder / FILE, (*COLUMNS, *columns))
    values = np.stack([table.numbers(column) for column in columns], axis=1)
    rows: dict[str, dict[str, int]] = {}
    for number, (case_id, lesion) in enumerate(zip(table.cells["case_id"], table.cells["lesion"], strict=True)):
        rows.setdefault(case_id, {})[lesion] = number
    found = {}
    for case in part.cases:
        wanted = [unit.lesion for unit in units_of(case, part)]
        lacking = [lesion for lesion in wanted if lesion not in rows.get(case.case_id, {})]
        if lacking:
            what = f"lesion {lacking[0]}" if lacking[0] else "the case"
            raise HakkenError(f"{table.path}: case {case.case_id}: {what} has no probabilities; predict again")
        found[case.case_id] = values[[rows[case.case_id][lesion] for lesion in wanted]].reshape(-1, len(classes))
    return found


def row_names(study: Study) -> tuple[str, ...]:
    """Return the names of the rows that are measured."""
    return ROWS


def objective(found: Predictions, part: Part) -> float:
    """Return the balanced accuracy."""
    return balanced(classified(found, part))


def replicates(tables: Sequence[Predictions], part: Part, seed: int) -> Replicates:
    """Return the balanced accuracy of each model on the same resamples of the patients."""
    known = [classified(found, part) for found in tables]
    truth, called = known[0].truth, [one.called for one in known]

    def measured(weights: Floats) -> Floats:
        return np.stack([rows_balanced(truth, row, weights) for row in called])

    found, drawn, skipped = replicated(measured, known[0].patient_index, part.resamples, seed)
    return Replicates(found, drawn, part.resamples, skipped, seed)


def measure(found: Predictions, part: Part) -> Measured:
    """Measure confusion, accuracy, balanced accuracy and AUC."""
    measured = measure_classes(classified(found, part), resamples=part.resamples, seed=part.seed)
    details = measured.as_dict()
    chance = details["chance"]
    reached = measured.balanced_accuracy
    main = Row(ROWS[0], reached.value, reached.low, reached.high)
    rows = (
        main,
        Row("  of guessing", chance["balanced_accuracy"], reference=True),
        Row(ROWS[1], measured.accuracy.value, measured.accuracy.low, measured.accuracy.high),
        Row("  of the most frequent class", chance["accuracy"], reference=True),
        Row(ROWS[2], measured.mcc.value, measured.mcc.low, measured.mcc.high),
        Row(ROWS[3], measured.macro_auc.value, measured.macro_auc.low, measured.macro_auc.high),
    )
    counts = details["counts"]
    return Measured(
        objective=main,
        rows=rows,
        counts={"lesions": counts["lesions"], "patients": counts["patients"]},
        warnings=tuple(line for line in measured.warnings if NO_WIDTH not in line),  # the rows have it
        details=details,
    )


def classified(found: Predictions, part: Part) -> Classified:
    """Return the units of a part as evaluation takes them; raises HakkenError where there is none."""
    classes = part.study.cohort.classes
    number = {name: place for place, name in enumerate(classes)}
    rows = [(case, unit) for case in part.cases for unit in units_of(case, part)]
    values = [found[case.case_id] for case in part.cases]
    return Classified(
        classes,
        np.array([number[unit.name] for _, unit in rows], np.int64),
        [case.patient or case.case_id for case, _ in rows],
        np.concatenate(values) if values else np.zeros((0, len(classes))),
    )


def units_of(case: Any, part: Part) -> tuple[Unit, ...]:
    """Return what is classified of a case; raises HakkenError naming a class that the study does not have."""
    classes = part.study.cohort.classes
    if part.study.cohort.truth == "label":
        name = case.label or NORMAL
        if name not in classes:
            raise HakkenError(f"case {case.case_id}: has the label `{name}`; cohort.classes names {', '.join(classes)}")
        return (Unit("", name),)
    return tuple(Unit(str(lesion.lesion), lesion.lesion_class or "") for lesion in classified_lesions(case, classes))


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
