"""Figure `expectations`: test lesions, from the best found to the missed, with what was expected there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._pictures import images_of, named, slices_named, thresholds_of, voxel_at
from hakken.figures._words import titled
from hakken.imaging.prepared import PreparedCase
from hakken.imaging.scales import intensities_of
from hakken.inference.candidates import Candidates
from hakken.outcomes.expectations import target_of, used
from hakken.plots.expectations import ExpectationsInput, Row, draw_expectations
from hakken.runs.measurement import read_measurement, table_of
from hakken.runs.predictions import part_of, read_predictions
from hakken.study import Study

INPUTS = {
    "predictions": "predictions/test/selected",
    "test": "measurements/test/selected",
    "cases": "cases/test",
}
CAPTION = (
    "Test lesions from the highest score to the lowest: input, target channel, its predicted mean and standard "
    "deviation, and z (or what candidates are scored by), with the candidates at the operating point."
)
COLUMNS = ("case_id", "lesion", "x", "y", "z", "score", "found")

SHOWN = 5
"""Lesions, at even steps of the ranking by their scores, so that found and missed ones are shown alike."""

TARGET_PERCENTILE, SIGMA_PERCENTILE = 99.7, 99.5
NEAR_MM = 5.0
THRESHOLD = 3.0
"""The z that is marked where the method names no threshold."""


@dataclass(frozen=True, eq=False)
class _Place:
    """A lesion: its case and number, centre x, y, z in mm, its score (NaN: no hit) and whether it was found."""

    case_id: str
    lesion: int
    xyz: NDArray[np.float64]
    score: float
    found: bool

    @property
    def row(self) -> tuple[Any, ...]:
        """The lesion as the table has it."""
        score = self.score if np.isfinite(self.score) else None
        return (self.case_id, self.lesion, *self.xyz.tolist(), score, int(self.found))


@dataclass(frozen=True, eq=False)
class _Said:
    """What the model says of a case: mean and sigma (2, z, y, x) and the candidates at the operating point, x, y, z."""

    expected: NDArray[np.float32]
    marks: NDArray[np.float64]


def draw(study: Study, files: Files) -> Drawing:
    """Draw the slices of some test lesions: input, target, mean, sigma and score, with lesions and candidates."""
    places = _chosen(files)
    cohort = {case.case_id: case for case in images_of(files.all("cases"))}
    said = _said(study, files, tuple(cohort.values()))
    rows = tuple(_row(study, cohort[place.case_id], place, said[place.case_id]) for place in places)
    given = _input(study, files, rows, slices_named(list(cohort.values())))
    return Drawing(
        draw_expectations(given), Table(COLUMNS, cells([place.row for place in places])), f"{len(rows)} lesions"
    )


def _chosen(files: Files) -> list[_Place]:
    """Return some lesions, from the highest score to the lowest."""
    table = table_of(files.one("test"), "candidates", "lesions", COLUMNS)
    score, flags, labels = table.numbers("score", empty=True), table.flags("found"), table.numbers("lesion")
    xyz, case_ids = np.stack([table.numbers(axis) for axis in "xyz"], axis=1), table.text("case_id")
    ranked = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    steps = np.unique(np.round(np.linspace(0, len(ranked) - 1, min(SHOWN, len(ranked)))).astype(int))
    return [
        _Place(case_ids[row], int(labels[row]), xyz[row], float(score[row]), bool(flags[row]))
        for row in ranked[steps].tolist()
    ]


def _said(study: Study, files: Files, cohort: tuple[PreparedCase, ...]) -> dict[str, _Said]:
    """Return what the model says of each case; without an operating point all candidates are shown."""
    folder = files.one("predictions")
    expected = read_predictions(folder, "expectations", part_of(study, "expectations", cohort))
    found: dict[str, Candidates] = read_predictions(folder, "candidates", part_of(study, "candidates", cohort))
    level = thresholds_of(read_measurement(files.one("test")).outcomes["candidates"], list(found))
    levels = np.broadcast_to(-np.inf if level is None else level, len(found)).tolist()
    return {
        name: _Said(expected[name], marks.xyz[marks.score >= least])
        for (name, marks), least in zip(found.items(), levels, strict=True)
    }


def _row(study: Study, case: PreparedCase, place: _Place, said: _Said) -> Row:
    """Cut the slice through one lesion."""
    plane, units = voxel_at(case.geometry, place.xyz)[0], partial(_in_units, study)
    target, inside = target_of(case, study)[plane], case.mask()[plane] > 0
    mean, sigma = used(said.expected[:, plane])
    sx, sy, sz = case.geometry.spacing
    voxels = case.geometry.to_voxel(said.marks)
    near = np.abs(voxels[:, 0] - plane) * sz <= max(sz, NEAR_MM)
    score = f"{_scored(study).casefold()} {place.score:.1f}" if np.isfinite(place.score) else "no hit"
    return Row(
        seen=np.asarray(case.image()[case.channels.index(_shown(study))][plane], np.float32),
        target=units(target),
        mean=np.where(inside, units(mean), units(np.zeros_like(mean))),
        sigma=np.where(inside, (units(mean + sigma) - units(mean - sigma)) / 2, 0),
        z=np.divide(target - mean, np.hypot(sigma, _tolerance(study)), out=np.zeros_like(target), where=inside),
        lesions=case.labels(mmap=True)[plane] > 0,
        width_mm=target.shape[1] * sx,
        height_mm=target.shape[0] * sy,
        candidates=tuple((float((x + 0.5) * sx), float((y + 0.5) * sy)) for _, y, x in voxels[near].tolist()),
        caption=f"{named(case)}: {score}, {'found' if place.found else 'missed'}",
    )


def _tolerance(study: Study) -> np.float32:
    """Return the deviation that candidates are allowed besides the predicted one, in shares of the window."""
    return np.float32(getattr(study.inference, "tolerance", 0.0))


def _scored(study: Study) -> str:
    """Return what candidates are scored by: z, or the excess over what is also tolerated."""
    return "Excess" if _tolerance(study) > 0 else "z"


def _shown(study: Study) -> str:
    """Return the first channel that the method sees in every case."""
    return next(name for name in study.inputs if name not in study.optional)


def _in_units(study: Study, shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return shares of the target's window as intensities above its lower end."""
    channel = study.channels[study.targets[0]]
    low, high = channel.range or (0.0, 1.0)
    return np.asarray(intensities_of(shares, low, high, channel.scale) - np.float32(low), np.float32)


def _input(study: Study, files: Files, rows: tuple[Row, ...], shown_as: str) -> ExpectationsInput:
    """Return what is drawn, with colours that reach from 0 to a high percentile of all rows."""
    target, threshold = study.targets[0], float(getattr(study.inference, "threshold", THRESHOLD))
    shown = np.concatenate([row.target.ravel() for row in rows])
    deviation = np.concatenate([row.sigma.ravel() for row in rows])
    level = (read_measurement(files.one("test")).outcomes["candidates"].point or {}).get("threshold")
    return ExpectationsInput(
        rows=rows,
        titles=(_shown(study), target, f"Predicted mean of {target}", "Standard deviation", _scored(study)),
        highest=float(np.percentile(shown, TARGET_PERCENTILE)),
        highest_sigma=float(np.percentile(deviation, SIGMA_PERCENTILE)),
        threshold=threshold,
        highest_z=3 * threshold,
        reading=(
            f"{titled(shown_as)} through {len(rows)} test lesions (magenta), at even steps of their ranking from the "
            "highest score to the lowest.",
            "Crosses: candidates near the slice whose score reaches the operating point"
            f"{'' if level is None else f', {level:.2f}'}. {target}: dark is high.",
        ),
        origin=files.origin,
    )
