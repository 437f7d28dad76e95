"""Stage `figure_overlays`: slices through found lesions, false positives and missed lesions of a part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.console import progress
from hakken.evaluation.findings import Flags, Ints
from hakken.evaluation.matching import Matching, Rules, match
from hakken.evaluation.operating import false_at, found_at
from hakken.plots.overlays import Kind, Mark, OverlaysInput, Tile, draw_overlays
from hakken.plots.publish import publish
from hakken.plots.style import Origin
from hakken.core.files import read_json
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.report.figure import provenance
from hakken.report.seal import read_openings
from hakken.report.tables import cohort_of, read_candidates
from hakken.stages import stage
from hakken.study import Study
from hakken.core.volume import Geometry

FIELD_MM = 50.0
FALSE_RADIUS_MM = 4.0
SHOWN = 6
CIRCLE_MM, OUTLINED = 5.0, 12  # lesions up to this radius of fewer pixels are marked by a circle
PERCENTILES = (1.0, 99.5)

Window = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class _Result:
    """A matching at the operating point: which lesions are found or missed and which candidates are false."""

    cohort: tuple[PreparedCase, ...]
    matching: Matching
    found: Flags
    missed: Flags
    false: Flags

    @property
    def totals(self) -> dict[Kind, int]:
        return {"found": int(self.found.sum()), "missed": int(self.missed.sum()), "false": int(self.false.sum())}


@stage
def figure_overlays(
    *,
    study: Study,
    candidates: Path,
    prepared: list[Path],
    evaluation: Path,
    table: Path,
    openings: Path,
    code: str,
    output: list[Path],
) -> None:
    """Draw the most instructive findings at the operating point of ``evaluation``, from the ``prepared`` folders."""
    result = _result(study, candidates, prepared, read_json(evaluation)["operating_point"]["threshold"])
    channel, opened = study.reference, len(read_openings(openings))
    given = OverlaysInput(
        tiles=tuple(_tile(result, kind, int(row), channel) for kind, rows in _chosen(result).items() for row in rows),
        totals=result.totals,
        reading=f"{channel}, axial slices of {FIELD_MM:.0f} mm through the finding; candidates at the operating point. "
        "Outline: lesion; cross: candidate that found it; square: false positive.",
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    inputs = [candidates, evaluation, *prepared, table]
    facts = provenance(study, figure="overlays", inputs=inputs, code=code, openings=opened)
    publish(draw_overlays(given), output, facts)
    progress(", ".join(f"{number} {kind}" for kind, number in result.totals.items()))


def _result(study: Study, candidates: Path, prepared: list[Path], threshold: float | None) -> _Result:
    cohort = sorted((case for folder in prepared for case in prepared_cases(folder)), key=lambda case: case.case_id)
    cases, lesions = cohort_of(cohort)
    matching = match(cases, lesions, read_candidates(candidates, cases), Rules(hit=study.evaluation.hit))
    level = np.inf if threshold is None else threshold
    found = found_at(matching, level)
    return _Result(tuple(cohort), matching, found, lesions.included & ~found, false_at(matching, level))


def _chosen(result: _Result) -> Mapping[Kind, Ints]:
    """Return the rows to show: false positives by score, missed lesions by size, found lesions at both ends."""
    matching = result.matching
    false, missed, found = (np.flatnonzero(flags) for flags in (result.false, result.missed, result.found))
    false = false[np.argsort(-matching.candidates.score[false], kind="stable")][:SHOWN]
    missed = missed[np.argsort(-matching.lesions.diameter_mm[missed], kind="stable")][:SHOWN]
    found = found[np.argsort(matching.lesion_score[found], kind="stable")]
    if len(found) > SHOWN:
        found = np.concatenate([found[: SHOWN // 2], found[-(SHOWN - SHOWN // 2) :]])
    return {"false": false, "missed": missed, "found": found}


def _tile(result: _Result, kind: Kind, row: int, channel: str) -> Tile:
    """Cut the slice through one finding, with all marks of the case that it shows."""
    matching = result.matching
    findings = matching.candidates if kind == "false" else matching.lesions
    number, centre = int(findings.case[row]), findings.xyz[row]
    case = result.cohort[number]
    image = case.image()[case.channels.index(channel)]
    place = case.geometry.to_voxel(centre[None])[0]
    plane = int(np.clip(np.rint(place[0]), 0, len(image) - 1))
    window = _window_around(place, case.geometry)
    crop = _crop(image[plane].astype(np.float32), window, float(image[plane].min()))
    sx, sy, _ = case.geometry.spacing
    return Tile(
        kind=kind,
        image=crop,
        width_mm=crop.shape[1] * sx,
        height_mm=crop.shape[0] * sy,
        window=_window(image, case.mask()),
        marks=tuple(_lesion_marks(result, number, plane, window) + _false_marks(result, number, plane, window)),
        caption=(case.case_id[:20], _caption(matching, kind, row)),
    )


def _window_around(place: NDArray[np.float64], geometry: Geometry) -> Window:
    """Return the pixels of FIELD_MM around ``place`` (z, y, x): first row, rows, first column, columns."""
    _, y, x = (int(value) for value in np.clip(np.rint(place), 0, np.array(geometry.shape_zyx) - 1))
    half_y, half_x = (max(1, round(FIELD_MM / 2 / step)) for step in (geometry.spacing[1], geometry.spacing[0]))
    return (y - half_y, 2 * half_y + 1, x - half_x, 2 * half_x + 1)


def _crop(plane: NDArray[Any], window: Window, outside: float) -> NDArray[Any]:
    """Return the pixels of ``plane`` (rows, columns) in a window, ``outside`` beyond its edges."""
    top, rows, left, columns = window
    padded = np.pad(plane, ((rows, rows), (columns, columns)), constant_values=outside)
    return padded[top + rows : top + 2 * rows, left + columns : left + 2 * columns]


def _window(image: NDArray[np.float16], mask: NDArray[np.uint8]) -> tuple[float, float]:
    inside = image[mask > 0].astype(np.float32)
    low, high = np.percentile(inside, PERCENTILES).tolist() if inside.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1)


def _on_tile(case: PreparedCase, xyz: NDArray[np.float64], plane: int, window: Window) -> tuple[float, float, float]:
    """Return x, y in mm from the upper left corner of a window, and the distance in mm from its slice."""
    sx, sy, sz = case.geometry.spacing
    z, y, x = case.geometry.to_voxel(xyz[None])[0].tolist()
    return (x - window[2] + 0.5) * sx, (y - window[0] + 0.5) * sy, abs(z - plane) * sz


def _lesion_marks(result: _Result, number: int, plane: int, window: Window) -> list[Mark]:
    """Return the included lesions of one case that a slice cuts, with their outline there."""
    matching, case = result.matching, result.cohort[number]
    labels = _crop(case.labels(mmap=True)[plane], window, 0) if case.has_truth else np.zeros((1, 1))
    marks = []
    for row in np.flatnonzero((matching.lesions.case == number) & matching.lesions.included):
        x, y, off = _on_tile(case, matching.lesions.xyz[row], plane, window)
        radius = float(matching.lesions.diameter_mm[row]) / 2
        outline = labels == matching.lesions.label[row]
        if outline.any() or (off < radius <= CIRCLE_MM):
            hit = bool(result.found[row])
            cross = matching.candidates.xyz[matching.lesion_mark[row]] if hit else None
            place = None if cross is None else _on_tile(case, cross, plane, window)
            shown = None if place is None or place[2] > FALSE_RADIUS_MM else place[:2]
            shape = outline if radius > CIRCLE_MM or outline.sum() >= OUTLINED else None
            marks.append(Mark("found" if hit else "missed", x, y, radius + 1, shape, shown))
    return marks


def _false_marks(result: _Result, number: int, plane: int, window: Window) -> list[Mark]:
    """Return the false positives of one case at or near a slice."""
    places = [
        _on_tile(result.cohort[number], result.matching.candidates.xyz[row], plane, window)
        for row in np.flatnonzero(result.false & (result.matching.candidates.case == number))
    ]
    return [Mark("false", x, y, FALSE_RADIUS_MM) for x, y, off in places if off <= FALSE_RADIUS_MM]


def _caption(matching: Matching, kind: Kind, row: int) -> str:
    if kind == "false":
        return f"score {matching.candidates.score[row]:.2f}"
    score, size = matching.lesion_score[row], f"{matching.lesions.diameter_mm[row]:.1f} mm"
    if kind == "found":
        return f"score {score:.2f}, {size}"
    return f"{size}, best {score:.2f}" if np.isfinite(score) else f"{size}, no candidate"
