"""Outcome `masks`: which voxels belong to lesions, measured by the Dice coefficient.

A method predicts masks (z, y, x) of a case by name: one, or several between which is chosen afterwards (sizes of a
network). They are kept in `masks.csv` as runs of voxels: a mask is gone through in C order, x fastest; a run begins at
the flat index ``start`` and is ``length`` voxels long. A mask without a voxel has one line, of length 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.core.tables import Cell, read_table, write_table
from hakken.core.volume import Geometry
from hakken.evaluation.extent import largest_of_pieces
from hakken.evaluation.findings import Floats, Ints
from hakken.evaluation.optimism import replicated
from hakken.evaluation.overlap import Overlap, measure_overlap
from hakken.evaluation.segmentation import Mean, dice, mean_over_cases, weighted_means
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Measured, Part, Point, Replicates, Row, Table
from hakken.outcomes._images import write_on_reference
from hakken.outcomes._units import MM3_PER_ML, grid_of, named_in, value_in
from hakken.study import Section

FILE = "masks.csv"
COLUMNS = ("case_id", "mask", "start", "length")
FIGURES = ("segmentations",)
BASELINES = ("colour_threshold",)
MEASURED_ON = ("abnormal",)
MEANS = ("dice", "relative_volume_error", "hd95_mm", "false_positive_ml", "false_negative_ml")
CASES = (
    *("case_id", "patient", "mask"),
    *("truth_ml", "prediction_ml", "dice", "volume_error_ml", "relative_volume_error", "hd95_mm"),
    *("false_positive_ml", "false_negative_ml"),
    *("truth_lesions", "found_lesions", "predicted_lesions", "matched_lesions"),
    *("truth_diameter_mm", "prediction_diameter_mm"),
)

Mask = NDArray[np.bool_]
Runs = NDArray[np.int64]
Predictions = Mapping[str, Mapping[str, Mask]]


class Settings(Section):
    """How masks are measured: there is nothing to set."""


def words(settings: Section) -> str:
    """Return the objective in a few words."""
    return "mean Dice"


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write the masks of a part."""
    rows: list[tuple[Cell, ...]] = []
    for case in part.images:
        for name, mask in found[case.case_id].items():
            rows += [(case.case_id, name, *run) for run in runs_of(mask).tolist() or [(0, 0)]]
    write_table(folder / FILE, COLUMNS, rows)


def read(folder: Path, part: Part) -> Predictions:
    """Return the masks of a part by name, in the order of the file.

    Raises HakkenError naming the row of an unknown case, and a case that lacks a mask or whose runs do not fit.
    """
    table = read_table(folder / FILE, COLUMNS)
    known = {case.case_id: case.geometry.shape_zyx for case in part.images}
    start, length = (table.numbers(column).astype(np.int64) for column in ("start", "length"))
    runs: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, (case_id, name) in enumerate(zip(table.cells["case_id"], table.cells["mask"], strict=True)):
        if case_id not in known:
            raise table.error(number, "case_id", f"no case `{case_id}` in the cohort{nearest(case_id, known)}")
        runs[name][case_id].append(number)
    both = np.stack([start, length], 1)
    found: dict[str, dict[str, Mask]] = {case_id: {} for case_id in known}
    for name, by_case in runs.items():
        for case_id, shape in known.items():
            if case_id not in by_case:
                raise HakkenError(f"{table.path}: case {case_id} has no mask `{name}`; predict it again")
            try:
                found[case_id][name] = mask_of(both[by_case[case_id]], shape)
            except ValueError as error:
                raise HakkenError(f"{table.path}: case {case_id}: {error}; predict it again") from None
    return found


def objective(found: Predictions, part: Part) -> float:
    """Return the mean Dice over cases and masks; two empty masks have none and do not count.

    Raises HakkenError where there is none at all.
    """
    values = [dice(truth_of(case), mask) for case in part.images for mask in found[case.case_id].values()]
    defined = [value for value in values if value is not None]
    if not defined:
        raise HakkenError("no validation case has a lesion or a mask, so there is no Dice to maximise")
    return float(np.mean(defined))


def replicates(tables: Sequence[Predictions], part: Part, seed: int) -> Replicates:
    """Return the mean Dice of each model on the same resamples of the patients."""
    values = np.stack([_all_dice(found, part) for found in tables])  # (models, masks x cases)
    patient = np.tile(part.patient_index, values.shape[1] // len(part.images))
    found, drawn, skipped = replicated(lambda weights: weighted_means(values, weights), patient, part.resamples, seed)
    return Replicates(found, drawn, part.resamples, skipped, seed)


def measure(found: Predictions, part: Part) -> Measured:
    """Measure the masks of each name: means over the cases, strata, and every case in a table."""
    measured = {name: [_measure(case, found[case.case_id][name]) for case in part.images] for name in names_of(found)}
    by_name = {name: _means(part, overlaps) for name, overlaps in measured.items()}
    values = np.concatenate([_values(overlaps, "dice") for overlaps in measured.values()])
    overall = _mean(part, values, np.tile(part.patient_index, len(measured)))
    first, grid = next(iter(by_name.values())), grid_of(part.images)
    rows = [_row(f"Dice, {name}" if name else "Dice", entry["dice"]) for name, entry in by_name.items()]
    more = [
        _row(f"relative {'area' if grid.is_flat else 'volume'} error", first["relative_volume_error"], digits=2),
        _row(f"HD95 in {grid.unit}", first["hd95_mm"], digits=1),
        *(_size_row(f"false {kind}", first[f"false_{kind}_ml"], grid) for kind in ("positive", "negative")),
    ]
    strata = _strata(part, next(iter(measured.values())))
    return Measured(
        objective=_row("mean Dice", asdict(overall)),
        rows=(*rows, *more),
        counts={
            "cases": len(part.cases),
            "patients": len(set(part.patients)),
            "lesions": sum(len(case.lesions) for case in part.images),
        },
        warnings=(*_warnings(by_name, overall), *_lacking(part)),
        details={"masks": by_name, "strata": strata},
        tables={"cases": Table(named_in(CASES, grid), tuple(_case_rows(measured, found, part)))},
    )


ENDINGS = (".nii.gz", ".nii", ".mha")


def save_one(path: Path, found: Mapping[str, Mask], case: PreparedCase, point: Point | None) -> Iterator[str]:
    """Write the first mask of a new case as an image on the grid of its reference channel, and yield a line on it."""
    name, mask = next(iter(found.items()))
    whole = write_on_reference(path, mask, case)
    by = f" by {name}" if name else ""
    yield f"{path}: mask of {case.case_id}{by}, {int((whole > 0).sum())} voxels of {whole.size}; grid of the reference"


def runs_of(mask: Mask) -> Runs:
    """Return the start and the length (n, 2) of each run of a mask.

    >>> runs_of(np.array([[[False, True, True], [True, False, True]]]))
    array([[1, 3],
           [5, 1]])
    """
    edges = np.flatnonzero(np.diff(np.asarray(mask, np.int8).ravel(), prepend=0, append=0)).reshape(-1, 2)
    return np.stack([edges[:, 0], edges[:, 1] - edges[:, 0]], 1)


def mask_of(runs: Runs, shape: tuple[int, ...]) -> Mask:
    """Return the mask of this shape that has these runs (n, 2); raises ValueError where one does not fit in it."""
    mask = np.zeros(int(np.prod(shape)), bool)
    for start, length in runs.tolist():
        if not 0 <= start <= start + length <= len(mask):
            raise ValueError(f"a run of {length} voxels from {start} on does not fit into {shape}")
        mask[start : start + length] = True
    return mask.reshape(shape)


def names_of(found: Predictions) -> list[str]:
    """Return the names of the masks, in the order in which they were predicted."""
    return list(next(iter(found.values()), {}))


def truth_of(case: PreparedCase) -> Mask:
    """Return where a case has lesions (z, y, x)."""
    return np.asarray(case.labels(mmap=True) > 0)


def _all_dice(found: Predictions, part: Part) -> Floats:
    """Return the Dice of each mask and case (masks x cases,), the cases of the first mask first; NaN where none."""
    values = [dice(truth_of(case), found[case.case_id][name]) for name in names_of(found) for case in part.images]
    return np.array([np.nan if value is None else value for value in values], float)


def _measure(case: PreparedCase, mask: Mask) -> Overlap:
    """Compare one mask with the truth of its case."""
    return measure_overlap(truth_of(case), mask, case.geometry.spacing[::-1])


def _values(found: Sequence[Overlap], measure: str) -> Floats:
    return np.array([np.nan if one.value(measure) is None else one.value(measure) for one in found], float)


def _mean(part: Part, values: Floats, patient: Ints) -> Mean:
    return mean_over_cases(values, patient, part.resamples, part.seed)


def _row(name: str, entry: Mapping[str, Any], digits: int = 3) -> Row:
    return Row(name, entry["value"], entry["low"], entry["high"], digits)


def _size_row(name: str, entry: Mapping[str, Any], grid: Geometry) -> Row:
    """Return the row of a volume in ml, or of an area where the images are flat."""
    if not grid.is_flat:
        return _row(f"{name} volume in ml", entry, digits=2)
    scale = MM3_PER_ML / grid.spacing[2]
    scaled = {key: None if entry[key] is None else entry[key] * scale for key in ("value", "low", "high")}
    return _row(f"{name} area in {grid.size_unit}", scaled, digits=1)


def _means(part: Part, found: Sequence[Overlap]) -> dict[str, Any]:
    """Return the means of the masks of one name, and how many were empty."""
    means = {measure: asdict(_mean(part, _values(found, measure), part.patient_index)) for measure in MEANS}
    return {
        **means,
        "empty": {
            "both": sum(one.both_empty for one in found),
            "truth": sum(not one.lesions.truth and bool(one.lesions.predicted) for one in found),
            "prediction": sum(not one.lesions.predicted and bool(one.lesions.truth) for one in found),
        },
    }


def _strata(part: Part, found: Sequence[Overlap]) -> list[dict[str, Any]]:
    """Return the mean Dice of the first mask for each value of the columns that the study names, and of each fold."""
    values, patient, strata = _values(found, "dice"), part.patient_index, []
    columns = {column: np.array([case.columns.get(column, "") for case in part.images]) for column in part.study.strata}
    if part.folds is not None:
        columns["fold"] = part.folds.astype(np.str_)
    for column, cells in columns.items():
        for cell in np.unique(cells) if any(cells) else ():
            numbers = np.unique(patient[cells == cell], return_inverse=True)[1]
            mean = _mean(part, values[cells == cell], numbers)
            strata.append({"group": column, "stratum": str(cell) or "unknown", "dice": asdict(mean)})
    return strata


def _case_rows(measured: Mapping[str, Sequence[Overlap]], found: Predictions, part: Part) -> Iterator[tuple[Cell, ...]]:
    """Yield what was measured of each mask of each case, and the diameter of the largest lesion, true and found."""
    for name, overlaps in measured.items():
        for case, one in zip(part.images, overlaps, strict=True):
            told, size = one.as_dict(), case.geometry.spacing[::-1]
            diameters = (largest_of_pieces(mask, size) for mask in (truth_of(case), found[case.case_id][name]))
            values = (value_in(column, told[column], case) for column in CASES[3:-2])
            yield (case.case_id, case.patient, name, *values, *diameters)


def _lacking(part: Part) -> list[str]:
    """Return a line for each column to stratify by that no case fills."""
    return [
        f"no stratum by {column}: the case table has no such column"
        for column in part.study.evaluation.asked
        if not any(case.columns.get(column) for case in part.images)
    ]


def _warnings(by_name: Mapping[str, Mapping[str, Any]], overall: Mean) -> list[str]:
    lines = [
        f"{name or 'mask'}: {entry['empty']['both']} cases have neither lesion nor mask and no Dice"
        for name, entry in by_name.items()
        if entry["empty"]["both"]
    ]
    if overall.low is None:
        lines.append("the cases are of one patient; there is no interval over patients")
    return lines
