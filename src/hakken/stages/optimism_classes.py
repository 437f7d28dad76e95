"""Stage `optimism_classes`: what the choice of the best trial on validation costs in honesty, for classes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from hakken.console import progress
from hakken.errors import HakkenError
from hakken.evaluation.classification import rows_balanced
from hakken.evaluation.findings import Floats
from hakken.evaluation.optimism import optimism_by
from hakken.files import read_json, require_same, write_json
from hakken.report.classes import read_classified
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.stages.select_trial import REDO
from hakken.study import Study


@stage
def optimism_classes(*, study: Study, trials: list[Path], output: Path) -> None:
    """Write the naive balanced accuracy of the selected trial, its optimism, and the corrected one.

    From the validation predictions that every complete trial has stored. Raises HakkenError naming a table that is
    missing or changed.
    """
    records = [record for record in map(read_json, trials) if record["state"] == "complete"]
    if not records:
        raise HakkenError(f"none of the {len(trials)} trials finished; see logs/trial/")
    stored = [record["prediction"] for record in records]
    tables = [require_same(Path(table["path"]), table["sha256"], REDO) for table in stored]
    found = [read_classified(table, study.cohort.classes) for table in tables]
    truth, called = found[0].truth, [one.called for one in found]

    def measure(weights: Floats) -> Floats:
        return np.stack([rows_balanced(truth, row, weights) for row in called])

    seed = derive_seed(study.seed, "optimism")
    result = optimism_by(measure, found[0].patient_index, study.evaluation.bootstrap, seed)
    write_json(output, asdict(result) | {"chosen": int(records[result.chosen]["number"])})
    progress(
        f"best of {len(records)} trials on validation: {study.objective} {result.naive.value:.3f}, corrected for the "
        f"choice {result.corrected.value:.3f}; chosen again in {100 * result.again:.0f} % of resamples"
    )
