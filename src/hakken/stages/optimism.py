"""Stage `optimism`: what the choice of the best trial on validation costs in honesty."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from hakken.console import progress
from hakken.errors import HakkenError
from hakken.evaluation.case_scores import score_cases
from hakken.evaluation.findings import Candidates, Cases, Lesions
from hakken.evaluation.matching import Rules, match
from hakken.evaluation.optimism import Optimism, optimism_of_cases
from hakken.evaluation.optimism import optimism as measure_optimism
from hakken.files import read_json, require_same, write_json
from hakken.imaging.prepared import prepared_cases
from hakken.report.tables import cohort_of, read_candidates
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.stages.select_trial import REDO
from hakken.study import Study


@stage
def optimism(*, study: Study, trials: list[Path], prepared: list[Path], output: Path) -> None:
    """Write the naive objective of the selected trial, its optimism, and the corrected objective.

    From the validation candidates that every complete trial has stored. Raises HakkenError naming a table of candidates
    that is missing or changed.
    """
    cohort = sorted((case for folder in prepared for case in prepared_cases(folder)), key=lambda case: case.case_id)
    cases, lesions = cohort_of(cohort)
    records = [record for record in map(read_json, trials) if record["state"] == "complete"]
    if not records:
        raise HakkenError(f"none of the {len(trials)} trials finished; see logs/trial/")
    stored = [record["prediction"] for record in records]
    tables = [require_same(Path(table["path"]), table["sha256"], REDO) for table in stored]
    abnormal = [case.abnormal for case in cohort]
    found = _measured(study, cases, lesions, abnormal, [read_candidates(table, cases) for table in tables])
    numbers = [int(record["number"]) for record in records]
    limit = {} if study.of_cases else {"max_fp": study.evaluation.maximum_fp}
    write_json(output, asdict(found) | {"chosen": numbers[found.chosen]} | limit)
    progress(
        f"best of {len(records)} trials on validation: {study.objective} {found.naive.value:.3f}, "
        f"corrected for the choice {found.corrected.value:.3f}; chosen again in {100 * found.again:.0f} % of resamples"
    )


def _measured(study: Study, cases: Cases, lesions: Lesions, abnormal: list[bool], found: list[Candidates]) -> Optimism:
    """Measure what the choice among the candidates ``found`` by each trial costs."""
    chosen, seed = study.evaluation, derive_seed(study.seed, "optimism")
    if study.of_cases:
        scored = [score_cases(cases, abnormal, candidates) for candidates in found]
        scores = np.array([one.score for one in scored])
        return optimism_of_cases(scored[0].abnormal, cases.patient_index, scores, chosen.bootstrap, seed)
    rules = Rules(hit=chosen.hit)
    matchings = [match(cases, lesions, candidates, rules) for candidates in found]
    return measure_optimism(matchings, chosen.maximum_fp, chosen.bootstrap, seed)
