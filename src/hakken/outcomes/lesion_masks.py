"""Outcome `lesion_masks`: the voxels of each lesion that a user has clicked on, measured by the Dice coefficient.

Of a case there is a mask for each of its lesions that count, by the lesion's number: its runs (n, 2), start and length
in the flattened image (z, y, x), x fastest, as of the outcome `masks`. In `lesion_masks.csv` each run is a row; an
empty mask has one of length 0. The unit is the lesion; intervals resample the patients.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.names import counted, nearest
from hakken.core.tables import Cell, read_table, write_table
from hakken.evaluation.caution import of_few
from hakken.evaluation.findings import Floats, Ints
from hakken.evaluation.optimism import replicated
from hakken.evaluation.segmentation import mean_over_cases, weighted_means
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.outcomes import Measured, Part, Point, Replicates, Row, Table
from hakken.outcomes._units import MM3_PER_ML
from hakken.outcomes.masks import Runs, mask_of
from hakken.study import Section

FILE = "lesion_masks.csv"
COLUMNS = ("case_id", "lesion", "start", "length")
FIGURES = ("lesion_outlines",)
BASELINES = ("sphere_at_click",)
MEASURED_ON = ("abnormal",)
LESIONS = (
    *("case_id", "patient", "lesion", "group", "truth_ml", "prediction_ml"),
    *("dice", "volume_error_ml", "relative_volume_error"),
)

Predictions = Mapping[str, Mapping[int, Runs]]


class Settings(Section):
    """How masks of lesions are measured: there is nothing to set."""


@dataclass(frozen=True)
class Segmented:
    """A lesion and what was found of it: voxels of the truth, of the mask and of both, and the size of one in mm³."""

    case: PreparedCase
    lesion: int
    truth: int
    found: int
    shared: int

    @property
    def dice(self) -> float:
        """2 |T and P| / (|T| + |P|); NaN where both are empty."""
        return 2 * self.shared / (self.truth + self.found) if self.truth + self.found else float("nan")

    @property
    def error(self) -> float:
        """The volume that was found less that of the truth, as a share of the latter; NaN where that is empty."""
        return (self.found - self.truth) / self.truth if self.truth else float("nan")

    def millilitres(self, voxels: int) -> float:
        """Return the volume of so many voxels in ml."""
        return voxels * self.case.geometry.voxel_mm3 / MM3_PER_ML


def words(settings: Section) -> str:
    """Return the objective in a few words."""
    return "mean Dice over lesions"


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write the masks of a part."""
    rows: list[tuple[Cell, ...]] = []
    for case in part.images:
        for lesion, runs in sorted(found[case.case_id].items()):
            rows += [(case.case_id, lesion, *run) for run in runs.tolist() or [(0, 0)]]
    write_table(folder / FILE, COLUMNS, rows)


def read(folder: Path, part: Part) -> Predictions:
    """Return the runs of the masks of a part, by case and lesion.

    Raises HakkenError naming the row of an unknown case, and a lesion that has no mask or whose runs do not fit.
    """
    table = read_table(folder / FILE, COLUMNS)
    numbers = [table.numbers(column).astype(np.int64) for column in COLUMNS[1:]]
    rows: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    known = set(part.case_ids)
    for number, case_id in enumerate(table.cells["case_id"]):
        if case_id not in known:
            raise table.error(number, "case_id", f"no case `{case_id}` in the cohort{nearest(case_id, known)}")
        own, start, length = (int(column[number]) for column in numbers)
        rows[case_id, own].append((start, length))
    found: dict[str, dict[int, Runs]] = {case_id: {} for case_id in part.case_ids}
    for case in part.images:
        for lesion in _counting(case):
            known_runs = rows.get((case.case_id, lesion.lesion))
            if known_runs is None:
                raise HakkenError(
                    f"{table.path}: lesion {lesion.lesion} of case {case.case_id} has no mask; predict it again"
                )
            runs = np.array([run for run in known_runs if run[1]], np.int64).reshape(-1, 2)
            try:
                mask_of(runs, case.geometry.shape_zyx)
            except ValueError as error:
                raise HakkenError(f"{table.path}: case {case.case_id}: {error}; predict it again") from None
            found[case.case_id][lesion.lesion] = runs
    return found


def objective(found: Predictions, part: Part) -> float:
    """Return the mean Dice over the lesions; raises HakkenError where there is none."""
    values = _dice(segmented(found, part))
    if not np.isfinite(values).any():
        raise HakkenError("no validation case has a lesion that counts, so there is no Dice to maximise")
    return float(np.nanmean(values))


def replicates(tables: Sequence[Predictions], part: Part, seed: int) -> Replicates:
    """Return the mean Dice of each model on the same resamples of the patients."""
    every = [segmented(found, part) for found in tables]
    values = np.stack([_dice(lesions) for lesions in every])  # (models, lesions)
    patient = _patients(every[0], part)
    found, drawn, skipped = replicated(lambda weights: weighted_means(values, weights), patient, part.resamples, seed)
    return Replicates(found, drawn, part.resamples, skipped, seed)


def measure(found: Predictions, part: Part) -> Measured:
    """Measure the mask of each lesion: means and spread over the lesions, strata, and every lesion in a table."""
    lesions = segmented(found, part)
    groups = groups_of(lesions, part)
    first = _mean(part, lesions, lambda one: one.dice)
    rows = [_row("Dice", first), Row("SD of Dice over lesions", _spread(lesions))]
    rows.append(_row("relative volume error", _mean(part, lesions, lambda one: one.error), 2))
    strata = [_stratum(part, lesions, groups, group) for group in sorted(set(groups)) if any(groups)]
    for one in strata:
        name = one["stratum"]
        few = "".join(of_few(one["patients"]))
        rows += [replace(_row(f"Dice, {name}", one["dice"]), warning=few), Row(f"SD of Dice, {name}", one["sd"])]
        rows.append(replace(_row(f"relative volume error, {name}", one["relative_volume_error"], 2), warning=few))
    return Measured(
        objective=_row("mean Dice over lesions", first),
        rows=tuple(rows),
        counts={"cases": len(part.cases), "patients": len(set(part.patients)), "lesions": len(lesions)},
        warnings=tuple(_warnings(lesions, first)),
        details={"strata": strata},
        tables={"lesions": Table(LESIONS, tuple(_lesion_rows(lesions, groups)))},
    )


ENDINGS = (".nii.gz", ".nii", ".mha")


def save_one(path: Path, found: Mapping[int, Runs], case: PreparedCase, point: Point | None) -> Iterator[str]:
    """Write the masks of a new case as labels on the grid of its reference channel, and yield a line on each."""
    import SimpleITK as sitk

    from hakken.core.volume import Volume
    from hakken.imaging.files import write_volume
    from hakken.imaging.registration import resample

    labels = np.zeros(case.geometry.shape_zyx, np.int16)
    for lesion, runs in found.items():
        labels[mask_of(runs, case.geometry.shape_zyx)] = lesion
    whole = resample(Volume.on(case.geometry, labels), case.source_geometry, sitk.Transform(), nearest=True).array
    write_volume(path, Volume.on(case.source_geometry, whole.astype(np.int16)))
    each = case.source_geometry.voxel_mm3 / MM3_PER_ML
    for lesion in found:
        voxels = int((whole == lesion).sum())
        yield f"{path}: lesion {lesion} of {case.case_id}, {voxels} voxels, {voxels * each:.2f} ml; reference's grid"


def segmented(found: Predictions, part: Part) -> list[Segmented]:
    """Return all lesions that count, case by case, with what was found of each."""
    return [one for case in part.images for one in _of_case(case, found[case.case_id])]


def groups_of(lesions: Sequence[Segmented], part: Part) -> list[str]:
    """Return what each lesion is told apart by: its kind where kinds are left out, else the first of the strata."""
    left = part.study.evaluation.leave_out
    column = left.column if left is not None else next(iter(part.study.strata), "")
    return [one.case.columns.get(column, "") for one in lesions]


def _counting(case: PreparedCase) -> list[Lesion]:
    return [lesion for lesion in case.lesions if lesion.kind == "included"]


def _of_case(case: PreparedCase, found: Mapping[int, Runs]) -> Iterator[Segmented]:
    counting = _counting(case)
    labels = case.labels(mmap=True).ravel() if counting else np.zeros(0, np.int16)
    sizes = np.bincount(labels[labels > 0]) if counting else np.zeros(1, int)
    for lesion in counting:
        number = lesion.lesion
        voxels = _voxels(found[number])
        truth = int(sizes[number]) if number < len(sizes) else 0
        yield Segmented(case, number, truth, len(voxels), int((labels[voxels] == number).sum()))


def _voxels(runs: Runs) -> NDArray[np.int64]:
    """Return the flat indices of all voxels of some runs.

    >>> _voxels(np.array([[1, 2], [7, 1]])).tolist()
    [1, 2, 7]
    """
    parts = [np.arange(start, start + length) for start, length in runs.tolist()]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _dice(lesions: Sequence[Segmented]) -> Floats:
    return np.array([one.dice for one in lesions], float)


def _patients(lesions: Sequence[Segmented], part: Part) -> Ints:
    """Return the number of each lesion's patient, from 0."""
    known = dict(zip(part.case_ids, part.patient_index.tolist(), strict=True))
    every = [known[one.case.case_id] for one in lesions]
    return np.asarray(np.unique(np.array(every, np.int64), return_inverse=True)[1], np.int64)


def _mean(part: Part, lesions: Sequence[Segmented], of: Callable[[Segmented], float]) -> dict[str, Any]:
    values = np.array([of(one) for one in lesions], float)
    return asdict(mean_over_cases(values, _patients(lesions, part), part.resamples, part.seed))


def _spread(lesions: Sequence[Segmented]) -> float | None:
    """Return the standard deviation of the Dice over lesions, of a sample; None of fewer than two."""
    values = _dice(lesions)
    values = values[np.isfinite(values)]
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _stratum(part: Part, lesions: Sequence[Segmented], groups: Sequence[str], group: str) -> dict[str, Any]:
    own = [one for one, name in zip(lesions, groups, strict=True) if name == group]
    return {
        "stratum": group or "unknown",
        "lesions": len(own),
        "patients": len(set(_patients(own, part).tolist())),
        "dice": _mean(part, own, lambda one: one.dice),
        "sd": _spread(own),
        "relative_volume_error": _mean(part, own, lambda one: one.error),
    }


def _warnings(lesions: Sequence[Segmented], first: Mapping[str, Any]) -> Iterator[str]:
    empty = sum(not one.found for one in lesions)
    if empty:
        yield f"nothing was found of {counted(empty, 'lesion')}, whose Dice is 0"
    if first["low"] is None:
        yield "the lesions are of one patient; there is no interval over patients"


def _lesion_rows(lesions: Sequence[Segmented], groups: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    for one, group in zip(lesions, groups, strict=True):
        truth, prediction = one.millilitres(one.truth), one.millilitres(one.found)
        yield (
            *(one.case.case_id, one.case.patient, one.lesion, group, truth, prediction),
            *(_known(one.dice), prediction - truth, _known(one.error)),
        )


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _row(name: str, entry: Mapping[str, Any], digits: int = 3) -> Row:
    return Row(name, entry["value"], entry["low"], entry["high"], digits)
