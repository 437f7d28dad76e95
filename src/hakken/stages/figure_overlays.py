"""Stage `figure_overlays`: slices through found lesions, false positives and missed lesions of a part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hakken.console import progress
from hakken.evaluation.findings import Flags, Ints
from hakken.evaluation.matching import Matching, Rules, match
from hakken.evaluation.operating import false_at, found_at
from hakken.figures.overlays import Kind, Mark, OverlaysInput, Tile, draw_overlays
from hakken.figures.publish import publish
from hakken.figures.style import Origin
from hakken.files import read_json
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.report.figure import provenance
from hakken.report.seal import read_openings
from hakken.report.tables import cohort_of, read_candidates
from hakken.stages import stage
from hakken.study import Study

FIELD_MM = 50.0
FALSE_RADIUS_MM = 4.0
SHOWN = 6
WINDOW = (1.0, 99.5)


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
        f"Circle: lesion; cross: candidate that found it; square: false positive.",
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
    crop, start = _crop(image, place, case.geometry.spacing)
    high, wide = crop.shape
    sx, sy, _ = case.geometry.spacing
    return Tile(
        kind=kind,
        image=crop,
        width_mm=wide * sx,
        height_mm=high * sy,
        window=_window(image, case.mask()),
        marks=tuple(_marks(result, number, round(float(place[0])), start)),
        caption=(case.case_id[:20], _caption(matching, kind, row)),
    )


def _crop(
    image: NDArray[np.float16], place: NDArray[np.float64], spacing: tuple[float, float, float]
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Return the slice (rows, columns) of FIELD_MM around ``place`` (z, y, x), black outside, and its first (y, x)."""
    z, y, x = (int(value) for value in np.clip(np.rint(place), 0, np.array(image.shape) - 1))
    half_y, half_x = (max(1, round(FIELD_MM / 2 / step)) for step in (spacing[1], spacing[0]))
    low = float(image[z].min())
    padded = np.pad(image[z].astype(np.float32), ((half_y, half_y), (half_x, half_x)), constant_values=low)
    return padded[y : y + 2 * half_y + 1, x : x + 2 * half_x + 1], (y - half_y, x - half_x)


def _window(image: NDArray[np.float16], mask: NDArray[np.uint8]) -> tuple[float, float]:
    inside = image[mask > 0].astype(np.float32)
    low, high = np.percentile(inside, WINDOW).tolist() if inside.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1)


def _marks(result: _Result, number: int, plane: int, start: tuple[int, int]) -> list[Mark]:
    """Return the marks of one case that cut the slice ``plane``, in mm from the upper left corner of a crop."""
    matching, geometry = result.matching, result.cohort[number].geometry
    sx, sy, sz = geometry.spacing
    marks = []

    def on_tile(xyz: NDArray[np.float64]) -> tuple[float, float, float]:
        z, y, x = geometry.to_voxel(xyz[None])[0].tolist()
        return (x - start[1] + 0.5) * sx, (y - start[0] + 0.5) * sy, abs(z - plane) * sz

    for row in np.flatnonzero((matching.lesions.case == number) & matching.lesions.included):
        x, y, off = on_tile(matching.lesions.xyz[row])
        radius = float(matching.lesions.diameter_mm[row]) / 2
        if off <= max(radius, sz / 2):
            hit = bool(result.found[row])
            cross = on_tile(matching.candidates.xyz[matching.lesion_mark[row]])[:2] if hit else None
            marks.append(Mark("found" if hit else "missed", x, y, radius + 1, cross))
    for row in np.flatnonzero(result.false & (matching.candidates.case == number)):
        x, y, off = on_tile(matching.candidates.xyz[row])
        if off <= FALSE_RADIUS_MM:
            marks.append(Mark("false", x, y, FALSE_RADIUS_MM))
    return marks


def _caption(matching: Matching, kind: Kind, row: int) -> str:
    if kind == "false":
        return f"score {matching.candidates.score[row]:.2f}"
    score, size = matching.lesion_score[row], f"{matching.lesions.diameter_mm[row]:.1f} mm"
    if kind == "found":
        return f"score {score:.2f}, {size}"
    return f"{size}, best {score:.2f}" if np.isfinite(score) else f"{size}, no candidate"
