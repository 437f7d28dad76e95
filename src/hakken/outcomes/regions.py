"""Outcome `regions`: which voxels belong to which region (organ), measured by the Dice coefficient of each.

A method predicts labels (z, y, x) of a case, n for the region n of `cohort.regions`, 0 elsewhere. They are kept as one
array a case. A region that a case has neither in truth nor in what was found has no Dice, and one that is empty in
either has no distance; both are counted apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.names import counted
from hakken.core.tables import Cell
from hakken.evaluation.extent import largest_diameter
from hakken.evaluation.findings import Floats
from hakken.evaluation.optimism import replicated
from hakken.evaluation.overlap import Overlap, measure_overlap
from hakken.evaluation.segmentation import Mean, dice, mean_over_cases, weighted_means
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Measured, Part, Point, Replicates, Row, Table
from hakken.outcomes._arrays import read_arrays, write_arrays
from hakken.outcomes._images import write_on_reference
from hakken.outcomes._units import MM3_PER_ML, grid_of, named_in, unit_of, value_in
from hakken.study import Section, Study

FOLDER = "regions"
FIGURES = ("regions",)
BASELINES = ("mean_regions",)
MEAN = "mean Dice of the regions"
CASES = (
    *("case_id", "patient", "region", "truth_ml", "prediction_ml", "dice", "relative_volume_error", "hd95_mm"),
    *("truth_diameter_mm", "prediction_diameter_mm"),
)

Labels = NDArray[np.uint8]
Predictions = Mapping[str, Labels]


class Settings(Section):
    """How regions are measured: there is nothing to set."""


def problems(study: Study) -> Iterator[str]:
    """Yield what does not fit: a study without regions."""
    if not study.cohort.regions:
        yield "outcomes.regions: the study names no regions; name them in `cohort.regions`"


def words(settings: Section) -> str:
    """Return the objective in a few words."""
    return MEAN


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write the labels of a part."""
    write_arrays(folder / FOLDER, found, part.case_ids, "u1")


def read(folder: Path, part: Part) -> Predictions:
    """Return the labels of a part; raises HakkenError naming a file that is missing or of another shape."""
    return read_arrays(folder / FOLDER, {case.case_id: case.geometry.shape_zyx for case in part.images})


def objective(found: Predictions, part: Part) -> float:
    """Return the mean Dice over cases and regions; a region that is neither there nor found does not count.

    Raises HakkenError where there is none at all.
    """
    values = _all_dice(found, part)
    if np.isnan(values).all():
        raise HakkenError("no validation case has a region, so there is no Dice to maximise")
    return float(np.nanmean(values))


def replicates(tables: Sequence[Predictions], part: Part, seed: int) -> Replicates:
    """Return the mean Dice of each model on the same resamples of the patients."""
    values = np.stack([_all_dice(found, part) for found in tables])
    patient = np.tile(part.patient_index, len(part.study.cohort.regions))
    found, drawn, skipped = replicated(lambda weights: weighted_means(values, weights), patient, part.resamples, seed)
    return Replicates(found, drawn, part.resamples, skipped, seed)


def measure(found: Predictions, part: Part) -> Measured:
    """Measure each region: mean Dice and HD95 over the cases, how many are empty, and every case in a table."""
    regions = part.study.cohort.regions
    measured = {
        name: [_overlap(case, found[case.case_id], number) for case in part.images]
        for number, name in enumerate(regions, start=1)
    }
    entries = {name: _entry(part, overlaps) for name, overlaps in measured.items()}
    whole = _mean(part, _all_dice(found, part), len(regions))
    main = Row(MEAN, whole.value, whole.low, whole.high)
    unit = unit_of(part.images)
    rows = [row for name, entry in entries.items() for row in _rows(name, entry, unit)]
    return Measured(
        objective=main,
        rows=(main, *rows),
        counts={"cases": len(part.cases), "patients": len(set(part.patients))},
        warnings=tuple(line for name, entry in entries.items() for line in _warnings(name, entry["empty"])),
        details={"regions": entries},
        tables={"cases": Table(named_in(CASES, grid_of(part.images)), tuple(_case_rows(measured, found, part)))},
    )


ENDINGS = (".nii.gz", ".nii", ".mha")


def save_one(path: Path, found: Labels, case: PreparedCase, point: Point | None) -> Iterator[str]:
    """Write the regions of a new case as labels on the grid of its reference channel, and yield a line on each."""
    whole = write_on_reference(path, found, case)
    yield f"{path}: regions of {case.case_id}, {int((whole > 0).sum())} voxels of {whole.size}; grid of the reference"
    unit = case.geometry.unit
    for number in np.unique(found[found > 0]).tolist():
        inside = np.asarray(found == number)
        size, diameter = inside.sum() * case.geometry.voxel_size, largest_diameter(inside, case.geometry.spacing[::-1])
        measured = f"{size:.4g} {case.geometry.size_unit}" if case.geometry.is_flat else f"{size / MM3_PER_ML:.4g} ml"
        yield f"region {number}: {measured}, largest diameter {diameter:.4g} {unit}"


def true_region(case: PreparedCase, number: int) -> NDArray[np.bool_]:
    """Return where a case has the region of this number (z, y, x)."""
    return np.asarray(case.regions(mmap=True) == number)


def _overlap(case: PreparedCase, labels: Labels, number: int) -> Overlap:
    return measure_overlap(true_region(case, number), np.asarray(labels == number), case.geometry.spacing[::-1])


def _all_dice(found: Predictions, part: Part) -> Floats:
    """Return the Dice of each region and case (regions x cases,), the cases of the first region first; NaN if none."""
    values = [
        dice(true_region(case, number), np.asarray(found[case.case_id] == number))
        for number in range(1, len(part.study.cohort.regions) + 1)
        for case in part.images
    ]
    return np.array([np.nan if value is None else value for value in values], float)


def _mean(part: Part, values: Floats, regions: int = 1) -> Mean:
    return mean_over_cases(values, np.tile(part.patient_index, regions), part.resamples, part.seed)


def _entry(part: Part, found: Sequence[Overlap]) -> dict[str, Any]:
    """Return the means of a region, and how many cases lack it."""
    values = {name: [one.value(name) for one in found] for name in ("dice", "hd95_mm", "relative_volume_error")}
    means = {
        name: asdict(_mean(part, np.array([np.nan if value is None else value for value in each], float)))
        for name, each in values.items()
    }
    return {
        **means,
        "empty": {
            "both": sum(one.both_empty for one in found),
            "truth": sum(one.truth_ml == 0 < one.prediction_ml for one in found),
            "prediction": sum(one.prediction_ml == 0 < one.truth_ml for one in found),
        },
    }


def _rows(name: str, entry: Mapping[str, Any], unit: str) -> Iterator[Row]:
    for key, spoken, digits in (("dice", "Dice", 3), ("hd95_mm", f"HD95 in {unit}", 1)):
        found = entry[key]
        yield Row(f"{spoken}, {name}", found["value"], found["low"], found["high"], digits)


def _warnings(name: str, empty: Mapping[str, int]) -> Iterator[str]:
    said = {
        "both": "it is neither there nor found: no Dice and no distance",
        "truth": "it is not there, yet it is found: Dice 0 and no distance",
        "prediction": "it is there and not found: Dice 0 and no distance",
    }
    yield from (f"region {name}: in {counted(empty[key], 'case')} {text}" for key, text in said.items() if empty[key])


def _case_rows(measured: Mapping[str, Sequence[Overlap]], found: Predictions, part: Part) -> Iterator[tuple[Cell, ...]]:
    """Yield each region of each case: volumes, overlap, and the largest diameters of truth and of what was found."""
    for number, (name, overlaps) in enumerate(measured.items(), start=1):
        for case, one in zip(part.images, overlaps, strict=True):
            told, size = one.as_dict(), case.geometry.spacing[::-1]
            both = (true_region(case, number), np.asarray(found[case.case_id] == number))
            diameters = [largest_diameter(mask, size) for mask in both]
            values = (value_in(column, told[column], case) for column in CASES[3:-2])
            yield (case.case_id, case.patient, name, *values, *diameters)
