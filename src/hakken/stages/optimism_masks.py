"""Stage `optimism_masks`: what the choice of the best trial on validation costs in honesty, for masks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from hakken.console import progress
from hakken.errors import HakkenError
from hakken.evaluation.findings import Floats
from hakken.evaluation.optimism import optimism_by
from hakken.evaluation.segmentation import dice, weighted_means
from hakken.files import read_json, require_same, write_json
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.report.masks import read_masks
from hakken.report.tables import cohort_of
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.stages.select_trial import REDO
from hakken.study import Study


@stage
def optimism_masks(*, study: Study, trials: list[Path], prepared: list[Path], output: Path) -> None:
    """Write the naive objective of the selected trial, its optimism, and the corrected objective.

    From the validation masks that every complete trial has stored. Raises HakkenError naming a table of masks that is
    missing or changed.
    """
    cohort = sorted((case for folder in prepared for case in prepared_cases(folder)), key=lambda case: case.case_id)
    records = [record for record in map(read_json, trials) if record["state"] == "complete"]
    if not records:
        raise HakkenError(f"none of the {len(trials)} trials finished; see logs/trial/")
    stored = [record["prediction"] for record in records]
    tables = [require_same(Path(table["path"]), table["sha256"], REDO) for table in stored]
    values = np.stack([_dice(table, cohort) for table in tables])  # (trials, sizes x cases)
    patient = np.tile(cohort_of(cohort)[0].patient_index, values.shape[1] // len(cohort))
    seed = derive_seed(study.seed, "optimism")
    found = optimism_by(lambda weights: weighted_means(values, weights), patient, study.evaluation.bootstrap, seed)
    numbers = [int(record["number"]) for record in records]
    write_json(output, asdict(found) | {"chosen": numbers[found.chosen]})
    progress(
        f"best of {len(records)} trials on validation: {study.objective} {found.naive.value:.3f}, "
        f"corrected for the choice {found.corrected.value:.3f}; chosen again in {100 * found.again:.0f} % of resamples"
    )


def _dice(table: Path, cohort: list[PreparedCase]) -> Floats:
    """Return the Dice of each size and case (sizes x cases,), the cases of the largest size first; NaN where none."""
    found = [
        dice(case.labels(mmap=True) > 0, masks[case.case_id])
        for masks in read_masks(table, cohort).values()
        for case in cohort
    ]
    return np.array([np.nan if value is None else value for value in found], float)
