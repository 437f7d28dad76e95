"""Outcome `alternative_scores`: every score that a method can make of a case, whichever it goes by; each by its ROC.

A method predicts numbers by name, the higher the more abnormal by what each says. None is turned round: an AUC below
one half is what it is. They are kept in `alternative_scores.csv`. Which of them a method goes by is chosen elsewhere;
these rows are there so that nobody has to take the choice on trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hakken.core.errors import HakkenError
from hakken.core.tables import Cell, read_table, write_table
from hakken.evaluation import findings
from hakken.evaluation.case_scores import CaseScores, measure_cases
from hakken.outcomes import Measured, Part, Row
from hakken.outcomes.case_scores import area_of
from hakken.study import Section

FILE = "alternative_scores.csv"
FIGURES = ("roc",)
MEASURED_ON = ("abnormal", "normal")
RULE = "youden"

Predictions = Mapping[str, Mapping[str, float]]


class Settings(Section):
    """How they are measured: by their ROC."""


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write the scores of a part, a column for each."""
    names = _names(found)
    rows: list[list[Cell]] = [[case_id, *(float(found[case_id][name]) for name in names)] for case_id in part.case_ids]
    write_table(folder / FILE, ("case_id", *names), rows)


def read(folder: Path, part: Part) -> Predictions:
    """Return the scores of a part; raises HakkenError naming what is missing or no number."""
    table = read_table(folder / FILE, ("case_id",))
    names = [name for name in table.columns if name != "case_id"]
    columns = [table.numbers(name).tolist() for name in names]
    known = dict(zip(table.text("case_id"), zip(*columns, strict=True), strict=True))
    lacking = [case_id for case_id in part.case_ids if case_id not in known]
    if lacking:
        raise HakkenError(f"{table.path}: case {lacking[0]} has no scores; predict again")
    return {case_id: dict(zip(names, known[case_id], strict=True)) for case_id in part.case_ids}


def measure(found: Predictions, part: Part) -> Measured:
    """Measure the AUC of each score."""
    cases = findings.Cases.of(part.case_ids, part.patients)
    abnormal = np.array([case.abnormal for case in part.cases], bool)
    rows, details, counts = [], {}, {}
    for name in _names(found):
        scored = CaseScores(cases, abnormal, np.array([found[case_id][name] for case_id in part.case_ids], float))
        measured = measure_cases(scored, RULE, resamples=part.resamples, seed=part.seed).as_dict()
        counts, details[name] = measured["counts"], measured["auc"]
        entry = area_of(measured)
        rows.append(Row(f"AUC by {name}", entry["value"], entry["low"], entry["high"]))
    return Measured(
        objective=None, rows=tuple(rows), intervals="95 % intervals: DeLong", counts=counts, details=details
    )


def _names(found: Predictions) -> list[str]:
    """Return the names of the scores, in the order of the first case."""
    return [*next(iter(found.values()), {})]
