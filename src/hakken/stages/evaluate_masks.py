"""Stage `evaluate_masks`: the masks of one model on one part of the cohort, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hakken.cohort.checks import Kinds, require_cases
from hakken.console import log, progress
from hakken.errors import HakkenError
from hakken.evaluation.findings import Floats, Ints
from hakken.evaluation.overlap import Overlap, measure_overlap
from hakken.evaluation.segmentation import Mean, mean_over_cases
from hakken.files import read_json, sha256_file, write_json
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.networks.unet import Size
from hakken.report.masks import KEYS, MEASURED, read_masks
from hakken.report.tables import cohort_of, write_rows
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.study import Part, Study

MEANS = ("dice", "relative_volume_error", "hd95_mm")


@stage
def evaluate_masks(
    *,
    study: Study,
    predictions: Path,
    prepared: list[Path],
    model: str,
    part: Part,
    output: Path,
    cases: Path,
    operating_threshold: Path | None = None,
) -> None:
    """Write the measurement (JSON) and the table of every case at every size (CSV).

    ``operating_threshold`` is the freeze file, on the test set. Raises HakkenError naming a case without a mask.
    """
    cohort = sorted((case for folder in prepared for case in prepared_cases(folder)), key=lambda case: case.case_id)
    if problems := require_cases(study.task, {part: Kinds.of(case.abnormal for case in cohort)}):
        raise HakkenError(str(problems[0]))
    masks = read_masks(predictions, cohort)
    measured = {size: [_measure(case, found[case.case_id]) for case in cohort] for size, found in masks.items()}
    known, truth = cohort_of(cohort)
    by_size = [_of_size(study, size, found, known.patient_index) for size, found in measured.items()]
    values = np.concatenate([_values(found, "dice") for found in measured.values()])
    objective = _mean(study, values, np.tile(known.patient_index, len(measured)))
    warnings = [*_warnings(by_size, objective), *_lacking(study, cohort)]
    write_rows(
        cases, (*KEYS, *MEASURED), [row for size, found in measured.items() for row in _rows(size, cohort, found)]
    )
    write_json(
        output,
        {
            "study": study.name,
            "scale": study.scale,
            "model": model,
            "part": part,
            "counts": {"cases": len(cohort), "patients": len(set(known.patient)), "lesions": len(truth)},
            "objective": {"name": "mean Dice", **_interval(objective)},
            "sizes": by_size,
            "strata": _strata(study, cohort, next(iter(measured.values())), known.patient_index),
            "operating_point": {"chosen_by": "study", "threshold": _threshold(study, operating_threshold, model)},
            "warnings": warnings,
            "hashes": {"predictions": sha256_file(predictions)},
        },
    )
    largest = by_size[0]["dice"]
    progress(f"{model} on {part}: {len(cohort)} cases, mean Dice {largest['value'] or 0:.3f} at the largest size")
    for line in warnings:
        log(f"warning: {line}")


def _measure(case: PreparedCase, mask: Any) -> Overlap:
    """Compare one mask with the truth of its case."""
    return measure_overlap(case.labels(mmap=True) > 0, mask, case.geometry.spacing[::-1])


def _values(found: Sequence[Overlap], measure: str) -> Floats:
    return np.array([np.nan if one.value(measure) is None else one.value(measure) for one in found], float)


def _mean(study: Study, values: Floats, patient: Ints) -> Mean:
    return mean_over_cases(values, patient, study.evaluation.bootstrap, derive_seed(study.seed, "bootstrap"))


def _interval(mean: Mean) -> dict[str, float | None]:
    return {"value": mean.value, "low": mean.low, "high": mean.high}


def _of_size(study: Study, size: Size, found: Sequence[Overlap], patient: Ints) -> dict[str, Any]:
    """Return the means of one size, and how many masks were empty."""
    means = {measure: asdict(_mean(study, _values(found, measure), patient)) for measure in MEANS}
    return {
        **asdict(size),
        **means,
        "empty": {
            "both": sum(one.both_empty for one in found),
            "truth": sum(not one.lesions.truth and bool(one.lesions.predicted) for one in found),
            "prediction": sum(not one.lesions.predicted and bool(one.lesions.truth) for one in found),
        },
    }


def _strata(
    study: Study, cohort: Sequence[PreparedCase], found: Sequence[Overlap], patient: Ints
) -> list[dict[str, Any]]:
    """Return the mean Dice of the largest size for each value of the columns that the study names."""
    values, strata = _values(found, "dice"), []
    for column in study.evaluation.strata:
        cells = np.array([case.columns.get(column, "") for case in cohort])
        for cell in np.unique(cells) if any(cells) else ():
            numbers = np.unique(patient[cells == cell], return_inverse=True)[1]
            mean = _mean(study, values[cells == cell], numbers)
            strata.append({"group": column, "stratum": str(cell) or "unknown", "dice": asdict(mean)})
    return strata


def _rows(size: Size, cohort: Sequence[PreparedCase], found: Sequence[Overlap]) -> list[tuple[Any, ...]]:
    return [
        (case.case_id, case.patient, size.levels, size.features, *(one.as_dict()[name] for name in MEASURED))
        for case, one in zip(cohort, found, strict=True)
    ]


def _threshold(study: Study, freeze: Path | None, model: str) -> float:
    """Return the probability that makes a voxel a lesion's: that of the freeze, where this model is in it."""
    sealed = read_json(freeze)["models"].get(model) if freeze is not None else None
    return float(sealed["operating_point"]["threshold"] if sealed else study.inference.threshold)


def _lacking(study: Study, cohort: Sequence[PreparedCase]) -> list[str]:
    """Return a line for each column to stratify by that no case fills."""
    return [
        f"no stratum by {column}: the case table has no such column"
        for column in study.evaluation.strata
        if not any(case.columns.get(column) for case in cohort)
    ]


def _warnings(by_size: Sequence[dict[str, Any]], objective: Mean) -> list[str]:
    lines = [
        f"{entry['levels']} levels, {entry['features']:g} of the maps: {entry['empty']['both']} cases have neither "
        "lesion nor mask and no Dice"
        for entry in by_size
        if entry["empty"]["both"]
    ]
    if objective.low is None:
        lines.append("the cases are of one patient; there is no interval over patients")
    return lines
