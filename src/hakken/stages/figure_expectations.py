"""Stage `figure_expectations`: test lesions, from the best found to the missed, with what was expected there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hakken.core.console import progress
from hakken.evaluation.findings import Candidates
from hakken.plots.expectations import ExpectationsInput, Row, draw_expectations
from hakken.plots.publish import publish
from hakken.plots.style import Origin
from hakken.core.files import read_json
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.report.figure import provenance
from hakken.report.seal import read_openings
from hakken.report.tables import cohort_of, numbers, read_candidates, read_rows
from hakken.stages import stage
from hakken.stages.calibrate import read_expected, target_of
from hakken.study import Study

SHOWN = 5
"""Lesions, at even steps of the ranking by their scores, so that found and missed ones are shown alike."""

LESIONS = ("case_id", "lesion", "x", "y", "z", "score", "found")
TARGET_PERCENTILE, SIGMA_PERCENTILE = 99.7, 99.5
NEAR_MM = 5.0


@dataclass(frozen=True, eq=False)
class _Place:
    """A lesion: number of its case, centre x, y, z in mm, its score (NaN: no hit) and whether it was found."""

    case: int
    xyz: NDArray[np.float64]
    score: float
    found: bool


@stage
def figure_expectations(
    *,
    study: Study,
    expected: Path,
    prepared: list[Path],
    candidates: Path,
    lesions: Path,
    evaluation: Path,
    table: Path,
    openings: Path,
    code: str,
    output: list[Path],
) -> None:
    """Draw the slices of some test lesions: input, target, mean, sigma and z, with lesions and candidates.

    ``expected`` is the folder of `expect`, ``lesions`` the table of the lesions' scores, ``candidates`` those of the
    model; shown are candidates at or above the operating point of ``evaluation``.
    """
    cohort = sorted((case for folder in prepared for case in prepared_cases(folder)), key=lambda case: case.case_id)
    found = read_candidates(candidates, cohort_of(cohort)[0])
    point = read_json(evaluation)["operating_point"]["threshold"]
    level = study.inference.threshold if point is None else float(point)
    chosen = _chosen(lesions, [case.case_id for case in cohort])
    rows = [
        _row(study, cohort[one.case], one, found.where((found.case == one.case) & (found.score >= level)), expected)
        for one in chosen
    ]
    opened = len(read_openings(openings))
    facts = provenance(
        study,
        figure="expectations",
        inputs=[expected, candidates, lesions, evaluation, *prepared, table],
        code=code,
        openings=opened,
    )
    origin = Origin(study.title or study.name, study.scale, study.data, opened)
    publish(draw_expectations(_input(study, tuple(rows), level, origin)), output, facts)
    progress(f"{len(rows)} lesions")


def _input(study: Study, rows: tuple[Row, ...], level: float, origin: Origin) -> ExpectationsInput:
    """Return what is drawn, with colours that reach from 0 to a high percentile of all rows."""
    target = next(name for name in study.channels if name not in study.inputs)
    shown = np.concatenate([row.target.ravel() for row in rows])
    deviation = np.concatenate([row.sigma.ravel() for row in rows])
    return ExpectationsInput(
        rows=rows,
        titles=(study.inputs[0], target, f"Expected {target}", "Standard deviation", "z"),
        highest=float(np.percentile(shown, TARGET_PERCENTILE)),
        highest_sigma=float(np.percentile(deviation, SIGMA_PERCENTILE)),
        threshold=study.inference.threshold,
        highest_z=3 * study.inference.threshold,
        reading=(
            f"Axial slices through {len(rows)} test lesions (magenta), at even steps of their ranking from the highest "
            "score to the lowest.",
            f"Crosses: candidates near the slice whose highest z reaches the operating point, {level:.2f}. {target}: "
            "dark is high.",
        ),
        origin=origin,
    )


def _chosen(lesions: Path, case_ids: Sequence[str]) -> list[_Place]:
    """Return some lesions of the table, from the highest score to the lowest."""
    rows = read_rows(lesions, LESIONS)
    score, flags = numbers(lesions, rows, "score"), numbers(lesions, rows, "found")
    places = np.stack([numbers(lesions, rows, axis) for axis in "xyz"], axis=1)
    ranked = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    steps = np.unique(np.round(np.linspace(0, len(ranked) - 1, min(SHOWN, len(ranked)))).astype(int))
    return [
        _Place(case_ids.index(rows[row]["case_id"]), places[row], float(score[row]), bool(flags[row]))
        for row in ranked[steps].tolist()
    ]


def _row(study: Study, case: PreparedCase, place: _Place, found: Candidates, expected: Path) -> Row:
    """Cut the slice through one lesion; ``found`` are the candidates of its case that are shown."""
    scale = _window(study)
    mean, sigma = read_expected(case, expected)
    target, inside = target_of(case, study), case.mask() > 0
    sx, sy, sz = case.geometry.spacing
    plane = int(np.clip(np.rint(case.geometry.to_voxel(place.xyz[None])[0, 0]), 0, len(target) - 1))
    voxels = case.geometry.to_voxel(found.xyz)
    near = np.abs(voxels[:, 0] - plane) * sz <= max(sz, NEAR_MM)
    seen, body = case.image()[list(study.channels).index(study.inputs[0])][plane], inside[plane]
    score = f"z {place.score:.1f}" if np.isfinite(place.score) else "no hit"
    return Row(
        seen=np.asarray(seen, np.float32),
        target=target[plane] * scale,
        mean=np.where(body, mean[plane], 0) * scale,
        sigma=np.where(body, sigma[plane], 0) * scale,
        z=np.where(body, (target[plane] - mean[plane]) / sigma[plane], 0),
        lesions=case.labels(mmap=True)[plane] > 0,
        width_mm=target.shape[2] * sx,
        height_mm=target.shape[1] * sy,
        candidates=tuple((float((x + 0.5) * sx), float((y + 0.5) * sy)) for _, y, x in voxels[near].tolist()),
        caption=f"{case.case_id[:24]}: {score}, {'found' if place.found else 'missed'}",
    )


def _window(study: Study) -> float:
    """Return how many units of the target its window is wide; its images are stored in shares of it."""
    target = next(channel for channel in study.channels.values() if channel.target)
    low, high = target.range or (0.0, 1.0)
    return high - low
