"""Stage `figure_anomalies`: the most anomalous cases of the test set, and where they are so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.plots.anomalies import AnomaliesInput, CaseInput, draw_anomalies
from hakken.plots.publish import publish
from hakken.plots.style import Origin
from hakken.core.files import read_json
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.report.figure import provenance
from hakken.report.operating import chosen_words
from hakken.report.seal import read_openings
from hakken.stages import stage
from hakken.study import Study

BORDER = 4  # voxels around the mask
PERCENTILES = (1.0, 99.5)
BRIGHTEST = 99.8  # percentile of the errors inside the masks of the slices: the upper end of the colours

Box = tuple[slice, slice]


@stage
def figure_anomalies(
    *,
    study: Study,
    errors: Path,
    prepared: list[Path],
    evaluation: Path,
    table: Path,
    openings: Path,
    code: str,
    output: list[Path],
) -> None:
    """Draw the cases of the folder ``errors``, each as the slice through its worst patch and the errors there."""
    shown, measured = read_json(errors / "shown.json"), read_json(evaluation)
    known = {case.case_id: case for folder in prepared for case in prepared_cases(folder)}
    threshold, counts = measured["operating_point"]["threshold"], measured["roc"]["counts"]
    cases = [_case(known[entry["case_id"]], entry, errors, study.reference, threshold) for entry in shown["cases"]]
    inside = np.concatenate([case.error[case.error > 0] for case in cases] or [np.zeros(0)])
    opened = len(read_openings(openings))
    point = f"{threshold:.3g}, chosen on validation {chosen_words(measured['operating_point'])}"
    given = AnomaliesInput(
        cases=tuple(cases),
        totals=(counts["abnormal"], counts["normal"]),
        highest=float(np.percentile(inside, BRIGHTEST)) if inside.size else 1.0,
        reading=(
            f"{study.reference}, the axial slice through the patch with the highest mean squared error (cyan), lesions "
            "(magenta); right: the error over it.",
            f"Score: the error of that patch. Called abnormal from {point}.",
        ),
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    inputs = [errors, evaluation, *prepared, table]
    facts = provenance(study, figure="anomalies", inputs=inputs, code=code, openings=opened)
    publish(draw_anomalies(given), output, facts)
    wrong = sum(case.caption[1].endswith("wrongly") for case in cases)
    progress(f"{len(cases)} cases, {wrong} of them called wrongly")


def _case(case: PreparedCase, entry: Mapping[str, Any], errors: Path, channel: str, threshold: float) -> CaseInput:
    """Cut the slice through the worst patch of one case."""
    patch, path, mask = entry["patch_voxel"], errors / f"{case.case_id}.npy", case.mask() > 0
    volume: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    if volume.shape != mask.shape:
        raise HakkenError(f"{path}: holds {volume.shape} voxels, the case {mask.shape}; delete the folder to redo it")
    image = case.image()[case.channels.index(channel)]
    place = case.geometry.to_voxel(np.array([entry["xyz"]], float))[0]
    plane, row, column = np.clip(np.rint(place).astype(int), 0, np.array(mask.shape) - 1).tolist()
    box = _box(mask)
    labels = case.labels(mmap=True)[plane][box] > 0 if case.has_truth else np.zeros((1, 1), bool)
    sx, sy, _ = case.geometry.spacing
    rows, columns = image[plane][box].shape
    left, top = column - patch[2] // 2 - box[1].start, row - patch[1] // 2 - box[0].start
    called = entry["score"] >= threshold
    verdict = f"called {'abnormal' if called else 'normal'}" + ("" if called == entry["abnormal"] else ", wrongly")
    return CaseInput(
        abnormal=entry["abnormal"],
        image=image[plane][box].astype(np.float32),
        error=np.asarray(volume[plane][box]),
        lesions=np.asarray(labels),
        width_mm=columns * sx,
        height_mm=rows * sy,
        window=_window(image, mask),
        patch=(left * sx, top * sy, patch[2] * sx, patch[1] * sy),
        caption=(case.case_id[:24], f"score {entry['score']:.3g}, {verdict}"),
    )


def _box(mask: NDArray[np.bool_]) -> Box:
    """Return the rows and columns of a mask (z, y, x) with a border, whatever the slice."""
    found = []
    for axis, extent in enumerate(mask.shape[1:], start=1):
        places = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        low, high = (places[0], places[-1]) if places.size else (0, extent - 1)
        found.append(slice(max(int(low) - BORDER, 0), min(int(high) + BORDER + 1, extent)))
    return found[0], found[1]


def _window(image: NDArray[np.float16], mask: NDArray[np.bool_]) -> tuple[float, float]:
    inside = image[mask].astype(np.float32)
    low, high = np.percentile(inside, PERCENTILES).tolist() if inside.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1)
