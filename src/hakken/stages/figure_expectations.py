"""Stage `figure_expectations`: test lesions, from the best found to the missed, with what was expected there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hakken.console import progress
from hakken.evaluation.findings import Candidates
from hakken.figures.expectations import ExpectationsInput, Row, draw_expectations
from hakken.figures.publish import publish
from hakken.figures.style import Origin
from hakken.files import read_json
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
Threshold = float


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
    cases, _ = cohort_of(cohort)
    found = read_candidates(candidates, cases)
    point = read_json(evaluation)["operating_point"]["threshold"]
    level = study.inference.threshold if point is None else float(point)
    rows = [
        _row(study, cohort, found, place, level, expected) for place in _chosen(lesions, [c.case_id for c in cohort])
    ]
    opened = len(read_openings(openings))
    target = next(name for name in study.channels if name not in study.inputs)
    low, high = study.channels[target].range or (0.0, 1.0)
    highest = float(np.percentile(np.concatenate([row.target.ravel() for row in rows]), TARGET_PERCENTILE))
    given = ExpectationsInput(
        rows=tuple(rows),
        titles=(study.inputs[0], target, f"expected {target}", "its deviation", "z"),
        window=(0.0, 1.0),
        highest=round(highest * (high - low), 1),
        highest_sigma=float(
            np.percentile(np.concatenate([row.sigma.ravel() for row in rows]), SIGMA_PERCENTILE) * (high - low)
        ),
        threshold=study.inference.threshold,
        highest_z=3 * study.inference.threshold,
        reading=(
            f"Axial slices through {len(rows)} test lesions (magenta), at even steps of their ranking from the highest "
            "score to the lowest.",
            f"Crosses: candidates at or above the operating point, highest z of a component from {level:.2f} on.",
        ),
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    inputs = [expected, candidates, lesions, evaluation, *prepared, table]
    publish(
        draw_expectations(_in_units(given, high - low)),
        output,
        provenance(study, figure="expectations", inputs=inputs, code=code, openings=opened),
    )
    progress(f"{len(rows)} lesions")


def _chosen(lesions: Path, case_ids: Sequence[str]) -> list[tuple[int, NDArray[np.float64], float, bool]]:
    """Return case number, place x, y, z, score (NaN: no candidate) and whether found, of some lesions."""
    rows = [row for row in read_rows(lesions, LESIONS) if row["case_id"] in case_ids]
    score, flags = numbers(lesions, rows, "score"), numbers(lesions, rows, "found")
    places = np.stack([numbers(lesions, rows, axis) for axis in "xyz"], axis=1)
    ranked = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    steps = np.unique(np.round(np.linspace(0, len(ranked) - 1, min(SHOWN, len(ranked)))).astype(int))
    return [
        (case_ids.index(rows[row]["case_id"]), places[row], float(score[row]), bool(flags[row]))
        for row in ranked[steps].tolist()
    ]


def _row(
    study: Study,
    cohort: Sequence[PreparedCase],
    found: Candidates,
    place: tuple[int, NDArray[np.float64], float, bool],
    level: float,
    expected: Path,
) -> Row:
    """Cut the slice through one lesion."""
    number, xyz, score, hit = place
    case = cohort[number]
    mean, sigma = read_expected(case, expected)
    target, inside = target_of(case, study), case.mask() > 0
    plane = int(np.clip(np.rint(case.geometry.to_voxel(xyz[None])[0, 0]), 0, len(target) - 1))
    sx, sy, sz = case.geometry.spacing
    shown = np.flatnonzero((found.case == number) & (found.score >= level))
    voxels = case.geometry.to_voxel(found.xyz[shown])
    near = np.abs(voxels[:, 0] - plane) * sz <= max(sz, 5.0)
    seen = case.image()[list(study.channels).index(study.inputs[0])][plane]
    body = inside[plane]
    return Row(
        seen=np.asarray(seen, np.float32),
        target=target[plane],
        mean=np.where(body, mean[plane], 0),
        sigma=np.where(body, sigma[plane], 0),
        z=np.where(body, (target[plane] - mean[plane]) / sigma[plane], 0),
        lesions=case.labels(mmap=True)[plane] > 0,
        width_mm=target.shape[2] * sx,
        height_mm=target.shape[1] * sy,
        candidates=tuple(
            (float((x + 0.5) * sx), float((y + 0.5) * sy), float(z))
            for (_, y, x), z in zip(voxels[near], found.score[shown][near], strict=True)
        ),
        caption=f"{case.case_id[:24]}: "
        + (f"z {score:.1f}, " if np.isfinite(score) else "no candidate, ")
        + ("found" if hit else "missed"),
    )


def _in_units(given: ExpectationsInput, scale: float) -> ExpectationsInput:
    """Return the rows with target, mean and sigma in the units of the target instead of shares of its window."""
    from dataclasses import replace

    rows = [
        replace(row, target=row.target * scale, mean=row.mean * scale, sigma=row.sigma * scale) for row in given.rows
    ]
    return replace(given, rows=tuple(rows))
