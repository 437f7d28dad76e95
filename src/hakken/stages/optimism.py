"""Stage `optimism`: what the choice of the best trial on validation costs in honesty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from hakken.console import progress
from hakken.errors import HakkenError
from hakken.evaluation.case_scores import score_cases
from hakken.evaluation.classification import rows_balanced
from hakken.evaluation.findings import Floats
from hakken.evaluation.matching import Rules, match
from hakken.evaluation.optimism import Optimism, optimism_by, optimism_of_cases
from hakken.evaluation.optimism import optimism as optimism_of_lesions
from hakken.evaluation.segmentation import dice, weighted_means
from hakken.files import read_json, require_same, write_json
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.report.classes import read_classified
from hakken.report.masks import read_masks
from hakken.report.tables import cohort_of, read_candidates
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.stages.select_trial import REDO
from hakken.study import Study

Cohort = Sequence[PreparedCase]


@stage
def optimism(*, study: Study, trials: list[Path], prepared: list[Path], output: Path) -> None:
    """Write the naive objective of the selected trial, its optimism, and the corrected objective.

    From the validation predictions that every complete trial has stored. Raises HakkenError naming a table that is
    missing or changed.
    """
    cohort = sorted((case for folder in prepared for case in prepared_cases(folder)), key=lambda case: case.case_id)
    records = [record for record in map(read_json, trials) if record["state"] == "complete"]
    if not records:
        raise HakkenError(f"none of the {len(trials)} trials finished; see logs/trial/")
    stored = [record["prediction"] for record in records]
    tables = [require_same(Path(table["path"]), table["sha256"], REDO) for table in stored]
    found = _measure_of(study)(study, cohort, tables)
    numbers = [int(record["number"]) for record in records]
    limit = {"max_fp": study.evaluation.maximum_fp} if _measure_of(study) is _by_lesions else {}
    write_json(output, asdict(found) | {"chosen": numbers[found.chosen]} | limit)
    progress(
        f"best of {len(records)} trials on validation: {study.objective} {found.naive.value:.3f}, "
        f"corrected for the choice {found.corrected.value:.3f}; chosen again in {100 * found.again:.0f} % of resamples"
    )


def _measure_of(study: Study) -> Callable[[Study, Cohort, list[Path]], Optimism]:
    """Return how the trials of a study are compared, from their tables of validation."""
    if study.task == "segmentation":
        return _by_masks
    if study.task == "classification":
        return _by_classes
    return _by_cases if study.of_cases else _by_lesions


def _by_lesions(study: Study, cohort: Cohort, tables: list[Path]) -> Optimism:
    cases, lesions = cohort_of(cohort)
    rules = Rules(hit=study.evaluation.hit)
    matchings = [match(cases, lesions, read_candidates(table, cases), rules) for table in tables]
    return optimism_of_lesions(matchings, study.evaluation.maximum_fp, study.evaluation.bootstrap, _seed(study))


def _by_cases(study: Study, cohort: Cohort, tables: list[Path]) -> Optimism:
    cases, _ = cohort_of(cohort)
    abnormal = [case.abnormal for case in cohort]
    scored = [score_cases(cases, abnormal, read_candidates(table, cases)) for table in tables]
    scores = np.array([one.score for one in scored])
    return optimism_of_cases(scored[0].abnormal, cases.patient_index, scores, study.evaluation.bootstrap, _seed(study))


def _by_masks(study: Study, cohort: Cohort, tables: list[Path]) -> Optimism:
    values = np.stack([_dice(table, cohort) for table in tables])  # (trials, sizes x cases)
    patient = np.tile(cohort_of(cohort)[0].patient_index, values.shape[1] // len(cohort))
    return optimism_by(
        lambda weights: weighted_means(values, weights), patient, study.evaluation.bootstrap, _seed(study)
    )


def _dice(table: Path, cohort: Cohort) -> Floats:
    """Return the Dice of each size and case (sizes x cases,), the cases of the largest size first; NaN where none."""
    found = [
        dice(case.labels(mmap=True) > 0, masks[case.case_id])
        for masks in read_masks(table, cohort).values()
        for case in cohort
    ]
    return np.array([np.nan if value is None else value for value in found], float)


def _by_classes(study: Study, cohort: Cohort, tables: list[Path]) -> Optimism:
    found = [read_classified(table, study.cohort.classes) for table in tables]
    truth, called = found[0].truth, [one.called for one in found]

    def measure(weights: Floats) -> Floats:
        return np.stack([rows_balanced(truth, row, weights) for row in called])

    return optimism_by(measure, found[0].patient_index, study.evaluation.bootstrap, _seed(study))


def _seed(study: Study) -> int:
    return derive_seed(study.seed, "optimism")
