"""Stage `optimism`: what the choice of the best trial on validation costs in honesty."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from hakken import plugins
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import require_same
from hakken.evaluation.optimism import optimism as of_choice
from hakken.outcomes import in_order, words_of
from hakken.runs.cases import read_cases
from hakken.runs.predictions import MANIFEST, part_of, read_predictions
from hakken.runs.trials import read_trials
from hakken.seal.freeze import write_sealed
from hakken.stages import stage
from hakken.stages.select import REDO
from hakken.study import Study


@stage
def optimism(*, study: Study, trials: list[Path], cases: list[Path], output: Path) -> None:
    """Write the naive objective of the selected trial, its optimism, and the corrected objective.

    From the validation predictions that every complete trial has stored, on the resamples of all measurements, so that
    the naive objective has the same interval here as there. Raises HakkenError naming a folder that is
    missing or changed.
    """
    name = study.objective
    outcome, part = plugins.load("outcomes", name), part_of(study, name, in_order(read_cases(cases)))
    records = [record for record in read_trials(trials) if record["state"] == "complete"]
    if not records:
        raise HakkenError(f"none of the {len(trials)} trials finished; see logs/trial/")
    stored = [record["predictions"] for record in records]
    folders = [require_same(Path(one["path"]) / MANIFEST, one["sha256"], REDO).parent for one in stored]
    found = outcome.replicates([read_predictions(folder, name, part) for folder in folders], part, part.seed)
    chosen = of_choice(
        found.values,
        found.drawn,
        resamples=found.resamples,
        skipped=found.skipped,
        seed=found.seed,
        bounds=found.bounds,
    )
    numbers = [int(record["number"]) for record in records]
    words = words_of(study)
    write_sealed(output, asdict(chosen) | {"chosen": numbers[chosen.chosen], "objective": words})
    progress(
        f"best of {len(records)} trials on validation: {words} {chosen.naive.value:.3f}, "
        f"corrected for the choice {chosen.corrected.value:.3f}; "
        f"chosen again in {100 * chosen.again:.0f} % of resamples"
    )
