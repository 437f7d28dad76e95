"""Stage `evaluate_classes`: how well one model tells the classes of the lesions of one part apart."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from hakken.console import log, progress
from hakken.evaluation.classification import measure_classes
from hakken.files import sha256_file, write_json
from hakken.report.classes import read_classified
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.study import Part, Study

HIGHEST = {"chosen_by": "highest probability", "threshold": 0.0}
"""The operating point: a lesion is of the class that is most probable, whatever the probability."""


@stage
def evaluate_classes(*, study: Study, predictions: Path, model: str, part: Part, output: Path) -> None:
    """Write the measurement of the table ``predictions`` as JSON. Raises HakkenError naming a row that is no use."""
    classified = read_classified(predictions, study.cohort.classes)
    seed = derive_seed(study.seed, "bootstrap")
    measured = measure_classes(classified, resamples=study.evaluation.bootstrap, seed=seed)
    reached = measured.balanced_accuracy
    write_json(
        output,
        {
            "study": study.name,
            "scale": study.scale,
            "model": model,
            "part": part,
            **measured.as_dict(),
            "objective": {"name": study.objective, **asdict(reached)},
            "operating_point": HIGHEST,
            "warnings": measured.warnings,
            "hashes": {"predictions": sha256_file(predictions)},
        },
    )
    for warning in measured.warnings:
        log(f"warning: {warning}")
    progress(
        f"{model} on {part}: {len(classified.truth)} lesions, balanced accuracy {reached.value:.3f} "
        f"(guessing {1 / len(classified.classes):.3f}), accuracy {measured.accuracy.value:.3f} "
        f"(always the most frequent class {classified.most_frequent:.3f})"
    )
