"""Stage `case_table`: the score of every case and the ROC curve of one measurement, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hakken.console import progress
from hakken.evaluation.case_scores import CaseScores, score_cases
from hakken.files import read_json
from hakken.imaging.prepared import prepared_cases
from hakken.report.tables import Cell, cohort_of, read_candidates, write_rows
from hakken.stages import stage

ROC = ("threshold", "fpr", "tpr", "low", "high")
CASES = ("case_id", "patient", "abnormal", "score", "called")


@stage
def case_table(*, evaluation: Path, candidates: Path, prepared: list[Path], roc: Path, cases: Path) -> None:
    """Write the curve of ``evaluation`` to the table ``roc`` and the cases' scores to the table ``cases``.

    ``candidates`` and ``prepared`` are those that were measured. Raises HakkenError naming a candidate that cannot be
    used.
    """
    cohort = sorted((case for folder in prepared for case in prepared_cases(folder)), key=lambda case: case.case_id)
    known, _ = cohort_of(cohort)
    measured = read_json(evaluation)["roc"]
    scored = score_cases(known, [case.abnormal for case in cohort], read_candidates(candidates, known))
    threshold = measured["operating_point"]["threshold"]
    write_rows(roc, ROC, _roc_rows(measured["curve"]))
    write_rows(cases, CASES, _case_rows(scored, threshold))
    called = 0 if threshold is None else int((scored.score >= threshold).sum())
    progress(f"{called} of {len(known)} cases are called abnormal")


def _roc_rows(curve: dict[str, Any] | None) -> Iterator[tuple[Cell, ...]]:
    """Yield each corner of the curve, with its band there; the first threshold, above every score, is empty."""
    if curve is None:
        return
    band = {name: [np.nan if value is None else value for value in values] for name, values in curve["band"].items()}
    low, high = (np.interp(curve["fpr"], band["fpr"], band[end]).tolist() for end in ("low", "high"))
    yield from zip(curve["threshold"], curve["fpr"], curve["tpr"], low, high, strict=True)


def _case_rows(scored: CaseScores, threshold: float | None) -> Iterator[tuple[Cell, ...]]:
    """Yield each case with its truth, its score and what it is called; that is empty without a threshold."""
    for number, case_id in enumerate(scored.cases.case_id):
        score = float(scored.score[number])
        called = None if threshold is None else int(score >= threshold)
        yield case_id, scored.cases.patient[number], int(scored.abnormal[number]), score, called
