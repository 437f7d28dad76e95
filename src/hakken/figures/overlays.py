"""Figure `overlays`: slices through found lesions, false positives and missed lesions of the test set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.volume import Geometry
from hakken.evaluation.findings import Flags, Ints
from hakken.evaluation.matching import Matching, match_findings
from hakken.evaluation.operating import false_at, found_at, levelled
from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._pictures import blacked, images_of, named, thresholds_of, voxel_at, window_of
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes.candidates import findings_of, matched, rules_of
from hakken.plots.overlays import Kind, Mark, OverlaysInput, Tile, draw_overlays
from hakken.runs.measurement import read_measurement
from hakken.runs.predictions import part_of, read_predictions
from hakken.study import Study

INPUTS = {
    "predictions": "predictions/test/selected",
    "test": "measurements/test/selected",
    "cases": "cases/test",
}
CAPTION = (
    "Findings of the selected model in the test set at its operating point: found lesions in magenta, false positives "
    "in red, missed lesions in blue."
)
COLUMNS = ("kind", "case_id", "x", "y", "z", "score", "diameter_mm")

FIELD_MM, ROOM = 50.0, 1.5  # volumes are shown in a field of this width, or of so many times the widest lesion
FALSE_RADIUS, CIRCLE = 0.08, 0.1  # shares of the field
SHOWN = 6
OUTLINED = 12  # lesions of a small radius of fewer pixels are marked by a circle

Window = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class _Result:
    """A matching at the operating point: which lesions are found or missed and which candidates are false.

    ``field`` is the width of what is shown of a volume; flat images, for which it is None, are shown whole.
    """

    cohort: tuple[PreparedCase, ...]
    matching: Matching
    found: Flags
    missed: Flags
    false: Flags
    field: float | None

    @property
    def unit(self) -> str:
        return self.cohort[0].geometry.unit if self.cohort else "mm"

    @property
    def totals(self) -> dict[Kind, int]:
        return {"found": int(self.found.sum()), "missed": int(self.missed.sum()), "false": int(self.false.sum())}


def draw(study: Study, files: Files) -> Drawing:
    """Draw the most instructive findings at the operating point."""
    result = _result(study, files)
    chosen = [(kind, row) for kind, rows in _chosen(result).items() for row in rows.tolist()]
    channel = study.reference
    given = OverlaysInput(
        tiles=tuple(_tile(result, kind, row, channel) for kind, row in chosen),
        totals=result.totals,
        reading=f"{channel}, {_shown_as(result)}; candidates at the operating point. Outline: lesion; cross: candidate "
        "that found it; square: false positive.",
        unit=result.unit,
        origin=files.origin,
    )
    words = ", ".join(f"{number} {kind}" for kind, number in result.totals.items())
    named = tuple(f"diameter_{result.unit}" if column == "diameter_mm" else column for column in COLUMNS)
    table = Table(named, cells([_row(result.matching, kind, row) for kind, row in chosen]))
    return Drawing(draw_overlays(given), table, words)


def _result(study: Study, files: Files) -> _Result:
    cohort = images_of(files.all("cases"))
    part = part_of(study, "candidates", cohort)
    said = read_predictions(files.one("predictions"), "candidates", part)
    measured = read_measurement(files.one("test")).outcomes["candidates"]
    moved, level = levelled(findings_of(said, part), thresholds_of(measured, part.case_ids))
    at = match_findings(moved, rules_of(part))
    found = found_at(at, level)
    return _Result(
        cohort, matched(said, part), found, at.lesions.included & ~found, false_at(at, level), _field(cohort)
    )


def _field(cohort: tuple[PreparedCase, ...]) -> float | None:
    """Return the width of what is shown of each volume; None for flat images."""
    if cohort and cohort[0].geometry.is_flat:
        return None
    widest = max((lesion.diameter for case in cohort for lesion in case.lesions), default=0.0)
    return max(FIELD_MM, ROOM * widest)


def _shown_as(result: _Result) -> str:
    if result.field is None:
        return "whole images with the finding"
    return f"axial slices of {result.field:.0f} {result.unit} through the finding"


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


def _row(matching: Matching, kind: Kind, row: int) -> tuple[Any, ...]:
    """Return a finding as the table has it; a missed lesion has the highest score of its hits, if any."""
    lesion = kind != "false"
    findings = matching.lesions if lesion else matching.candidates
    score = float(matching.lesion_score[row] if lesion else matching.candidates.score[row])
    return (
        *(kind, matching.cases.case_id[int(findings.case[row])], *findings.xyz[row].tolist()),
        score if np.isfinite(score) else None,
        float(matching.lesions.diameter_mm[row]) if lesion else None,
    )


def _tile(result: _Result, kind: Kind, row: int, channel: str) -> Tile:
    """Cut the slice through one finding, with all marks of the case that it shows."""
    matching = result.matching
    findings = matching.candidates if kind == "false" else matching.lesions
    number = int(findings.case[row])
    case = result.cohort[number]
    image, mask = case.image()[case.channels.index(channel)], case.mask()
    plane, *middle = voxel_at(case.geometry, findings.xyz[row])
    window = _window_around(middle, case.geometry, result.field)
    greys = window_of(image, mask)
    crop = _crop(blacked(image[plane], mask[plane], greys), window, greys[0])
    sx, sy, _ = case.geometry.spacing
    marks = (*_lesion_marks(result, number, plane, window), *_false_marks(result, number, plane, window))
    return Tile(
        kind=kind,
        image=crop,
        width_mm=crop.shape[1] * sx,
        height_mm=crop.shape[0] * sy,
        window=greys,
        marks=marks,
        caption=(named(case, 20), _caption(matching, kind, row, result.unit)),
    )


def _window_around(middle: list[int], geometry: Geometry, field: float | None) -> Window:
    """Return the pixels of a ``field`` around the pixel ``middle`` (y, x): first row, rows, first column, columns."""
    if field is None:
        return (0, geometry.shape_zyx[1], 0, geometry.shape_zyx[2])
    y, x = middle
    half_y, half_x = (max(1, round(field / 2 / step)) for step in (geometry.spacing[1], geometry.spacing[0]))
    return (y - half_y, 2 * half_y + 1, x - half_x, 2 * half_x + 1)


def _crop(plane: NDArray[Any], window: Window, outside: float) -> NDArray[Any]:
    """Return the pixels of ``plane`` (rows, columns) in a window, ``outside`` beyond its edges."""
    top, rows, left, columns = window
    padded = np.pad(plane, ((rows, rows), (columns, columns)), constant_values=outside)
    return padded[top + rows : top + 2 * rows, left + columns : left + 2 * columns]


def _on_tile(case: PreparedCase, xyz: NDArray[np.float64], plane: int, window: Window) -> tuple[float, float, float]:
    """Return x, y in mm from the upper left corner of a window, and the distance in mm from its slice."""
    sx, sy, sz = case.geometry.spacing
    z, y, x = case.geometry.to_voxel(xyz[None])[0].tolist()
    return (x - window[2] + 0.5) * sx, (y - window[0] + 0.5) * sy, abs(z - plane) * sz


def _lesion_marks(result: _Result, number: int, plane: int, window: Window) -> Iterator[Mark]:
    """Yield the included lesions of one case that a slice cuts, with their outline there."""
    matching, case = result.matching, result.cohort[number]
    labels = _crop(case.labels(mmap=True)[plane], window, 0) if case.has_truth else np.zeros((1, 1))
    field = _width(case, window)
    for row in np.flatnonzero((matching.lesions.case == number) & matching.lesions.included):
        x, y, off = _on_tile(case, matching.lesions.xyz[row], plane, window)
        radius = float(matching.lesions.diameter_mm[row]) / 2
        outline = labels == matching.lesions.label[row]
        if outline.any() or (off < radius <= CIRCLE * field):
            hit = bool(result.found[row])
            cross = matching.candidates.xyz[matching.lesion_mark[row]] if hit else None
            place = None if cross is None else _on_tile(case, cross, plane, window)
            shown = None if place is None or place[2] > FALSE_RADIUS * field else place[:2]
            shape = outline if radius > CIRCLE * field or outline.sum() >= OUTLINED else None
            yield Mark("found" if hit else "missed", x, y, radius + field / 50, shape, shown)


def _false_marks(result: _Result, number: int, plane: int, window: Window) -> Iterator[Mark]:
    """Yield the false positives of one case at or near a slice."""
    radius = FALSE_RADIUS * _width(result.cohort[number], window)
    for row in np.flatnonzero(result.false & (result.matching.candidates.case == number)):
        x, y, off = _on_tile(result.cohort[number], result.matching.candidates.xyz[row], plane, window)
        if off <= radius:
            yield Mark("false", x, y, radius)


def _width(case: PreparedCase, window: Window) -> float:
    """Return how wide a window is."""
    return window[3] * case.geometry.spacing[0]


def _caption(matching: Matching, kind: Kind, row: int, unit: str) -> str:
    if kind == "false":
        return f"score {matching.candidates.score[row]:.2f}"
    score, size = matching.lesion_score[row], f"{matching.lesions.diameter_mm[row]:.1f} {unit}"
    if kind == "found":
        return f"score {score:.2f}, {size}"
    return f"{size}, best {score:.2f}" if np.isfinite(score) else f"{size}, no candidate"
