"""Figure `anomalies`: the most abnormal cases of the test set, and where they are so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.files import read_json
from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._pictures import blacked, images_of, named, slices_named, voxel_at, window_of
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.outcomes import Measured, chosen_words
from hakken.plots.anomalies import AnomaliesInput, CaseInput, draw_anomalies
from hakken.runs.measurement import read_measurement, table_of
from hakken.runs.predictions import part_of, read_predictions
from hakken.study import Study

INPUTS = {
    "predictions": "predictions/test/selected",
    "test": "measurements/test/selected",
    "cases": "cases/test",
    "record": "models/selected.json",
}
NEEDED = ("predictions", "test", "cases")
CAPTION = (
    "The abnormal and the normal test cases with the highest scores, each as the slice through the place that scores "
    "highest, and the map of scores over it."
)
COLUMNS = ("case_id", "abnormal", "score", "called", "x", "y", "z")

SHOWN = 6
"""Cases of each kind, the highest scores first."""

BORDER = 4  # voxels around the mask
BRIGHTEST = 99.8  # percentile of the maps inside the masks of the slices: the upper end of the colours

Box = tuple[slice, slice]
Voxel = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class _Shown:
    """A case that is shown: its score, whether it is abnormal and called so, its map (z, y, x), its highest voxel."""

    case: PreparedCase
    score: float
    abnormal: bool
    called: bool | None
    scores: NDArray[np.float32]
    highest: Voxel

    @property
    def verdict(self) -> str:
        """What the case is called."""
        if self.called is None:
            return "no threshold"
        return f"called {'abnormal' if self.called else 'normal'}{'' if self.called == self.abnormal else ', wrongly'}"

    @property
    def row(self) -> tuple[Any, ...]:
        """The case as the table has it."""
        called = None if self.called is None else int(self.called)
        place = self.case.geometry.to_world(np.array([self.highest], float))[0].tolist()
        return (self.case.case_id, int(self.abnormal), self.score, called, *place)


def draw(study: Study, files: Files) -> Drawing:
    """Draw the cases with the highest scores, each as a slice and the scores of its voxels."""
    measured = read_measurement(files.one("test")).outcomes["case_scores"]
    shown = list(_shown(study, files))
    edge = _patch_edge(files.all("record"))
    cases = [_case(one, study, edge) for one in shown]
    inside = np.concatenate([case.scores[case.scores > 0] for case in cases] or [np.zeros(0)])
    counts = measured.counts
    given = AnomaliesInput(
        cases=tuple(cases),
        totals=(counts["abnormal"], counts["normal"]),
        highest=float(np.percentile(inside, BRIGHTEST)) if inside.size else 1.0,
        reading=_reading(study, measured, edge, slices_named([one.case for one in shown], many=False)),
        origin=files.origin,
    )
    wrong = sum(one.called not in (None, one.abnormal) for one in shown)
    words = f"{len(cases)} cases, {wrong} of them called wrongly"
    return Drawing(draw_anomalies(given), Table(COLUMNS, cells([one.row for one in shown])), words)


def _shown(study: Study, files: Files) -> Iterator[_Shown]:
    """Yield the abnormal, then the normal cases with the highest scores."""
    cohort = images_of(files.all("cases"))
    known = {case.case_id: case for case in cohort}
    folder = files.one("predictions")
    maps = read_predictions(folder, "score_maps", part_of(study, "score_maps", cohort))
    marks: dict[str, Candidates] = {}
    if "candidates" in study.outcomes:
        marks = read_predictions(folder, "candidates", part_of(study, "candidates", cohort))
    table = table_of(files.one("test"), "case_scores", "cases", COLUMNS[:4])
    names, scores, abnormal = table.text("case_id"), table.numbers("score"), table.flags("abnormal")
    called = table.numbers("called", empty=True)
    ranked = np.argsort(-scores, kind="stable")
    for row in (*ranked[abnormal[ranked]][:SHOWN].tolist(), *ranked[~abnormal[ranked]][:SHOWN].tolist()):
        case, found = known[names[row]], maps[names[row]]
        verdict = None if np.isnan(called[row]) else bool(called[row])
        highest = _highest(case, found, marks.get(case.case_id))
        yield _Shown(case, float(scores[row]), bool(abnormal[row]), verdict, found, highest)


def _highest(case: PreparedCase, scores: NDArray[np.float32], marks: Candidates | None) -> Voxel:
    """Return the voxel z, y, x that scores highest: that of the first candidate, or of the map where there is none."""
    if marks is not None and len(marks):
        return voxel_at(case.geometry, marks.xyz[0])
    z, y, x = (int(place) for place in np.unravel_index(int(np.argmax(scores)), scores.shape))
    return z, y, x


def _patch_edge(records: Sequence[Path]) -> int | None:
    """Return the edge of a patch in voxels; None where the model sees none, or that of each fold others."""
    edges = {read_json(path)["trial"]["all_parameters"].get("patch_size") for path in records}
    return edges.pop() if len(edges) == 1 else None


def _reading(study: Study, measured: Measured, edge: int | None, shown: str) -> tuple[str, str]:
    """Return the lines on what is shown."""
    point = measured.point or {}
    level = point.get("threshold")
    called = "" if level is None else f"from a score of {level:.3g}, "
    patch = "" if edge is None else " (cyan: patch around it)"
    return (
        f"{study.reference}, {shown} through the highest score{patch}, lesions magenta; right: the map of scores.",
        f"Called abnormal {called}chosen on validation {chosen_words(point)}." if point else "",
    )


def _case(shown: _Shown, study: Study, edge: int | None) -> CaseInput:
    """Cut the slice through the highest voxel of one case."""
    case, (plane, row, column) = shown.case, shown.highest
    mask = case.mask() > 0
    image = case.image()[case.channels.index(study.reference)]
    box, greys = _box(mask), window_of(image, mask)
    labels = case.labels(mmap=True)[plane][box] > 0 if case.has_truth else np.zeros((1, 1), bool)
    sx, sy, _ = case.geometry.spacing
    rows, columns = image[plane][box].shape
    half = 0 if edge is None else edge // 2
    left, top = column - half - box[1].start, row - half - box[0].start
    return CaseInput(
        abnormal=shown.abnormal,
        image=blacked(image[plane][box], mask[plane][box], greys),
        scores=np.asarray(shown.scores[plane][box]),
        lesions=np.asarray(labels),
        width_mm=columns * sx,
        height_mm=rows * sy,
        window=greys,
        patch=None if edge is None else (left * sx, top * sy, edge * sx, edge * sy),
        caption=(named(case), f"score {shown.score:.3g}, {shown.verdict}"),
    )


def _box(mask: NDArray[np.bool_]) -> Box:
    """Return the rows and columns of a mask (z, y, x) with a border, whatever the slice."""
    found = []
    for axis, extent in enumerate(mask.shape[1:], start=1):
        places = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        low, high = (places[0], places[-1]) if places.size else (0, extent - 1)
        found.append(slice(max(int(low) - BORDER, 0), min(int(high) + BORDER + 1, extent)))
    return found[0], found[1]
