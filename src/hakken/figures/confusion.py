"""Figure `confusion`: which classes are taken for which, on validation and test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.core.names import counted, spoken
from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._models import cost_of, trials_of
from hakken.outcomes import Measured
from hakken.plots.classes import MatrixInput, draw_matrices
from hakken.plots.style import interval_text
from hakken.runs.measurement import read_measurement
from hakken.study import Study

INPUTS = {
    "test": "measurements/test/selected",
    "validation": "measurements/validation/selected",
    "record": "models/selected.json",
}
NEEDED = ("test", "validation")
CAPTION = "Confusion matrices of the selected model on validation and on the sealed test set."
BESIDE = (("balanced accuracy", "balanced_accuracy", "guessing"), ("accuracy", "accuracy", "most frequent class"))


def draw(study: Study, files: Files) -> Drawing:
    """Draw the confusion matrices of the selected model on validation and test."""
    what = "case" if study.cohort.truth == "label" else "lesion" if "classes" in study.outcomes else "found lesion"
    panels = [
        _panel(part.capitalize(), _told(read_measurement(files.one(part)).outcomes, study), what)
        for part in ("validation", "test")
    ]
    table = Table(("part", "class", "called", "count"), cells([row for panel in panels for row in _rows(panel)]))
    words = f"on test {panels[1].words[0]}"
    return Drawing(
        draw_matrices(panels, _model(study, files), files.origin), table, words, trials_of(files), cost_of(files)
    )


def _told(outcomes: Mapping[str, Measured], study: Study) -> Mapping[str, Any]:
    """Return what was measured of the classes: of all lesions, or of those that a detector found and named.

    Raises HakkenError where neither was measured.
    """
    if "classes" in outcomes:
        return outcomes["classes"].details
    named = outcomes["candidates"].details.get("named") if "candidates" in outcomes else None
    if named is None:
        raise HakkenError(f"study {study.name}: nothing tells lesions apart by class; leave the figure `confusion` out")
    return dict(named)


def _panel(title: str, details: Mapping[str, Any], what: str) -> MatrixInput:
    """Return a matrix with the numbers above it: balanced accuracy and accuracy, each beside guessing."""
    known = [one for one in BESIDE if details[one[1]]["value"] is not None]
    words = tuple(f"{name} {_cell(details[key])}, {beside} {details['chance'][key]:.2f}" for name, key, beside in known)
    words = words or ("no lesion is found",)
    counts, confusion = details["counts"], details["confusion"]
    heading = f"{title}: {counted(counts['lesions'], what)} of {counted(counts['patients'], 'patient')}"
    return MatrixInput(heading, tuple(confusion["classes"]), np.array(confusion["matrix"], np.int64), words)


def _cell(entry: dict[str, Any]) -> str:
    return interval_text(entry["value"], entry["low"], entry["high"])


def _rows(panel: MatrixInput) -> Iterator[tuple[Any, ...]]:
    """Yield how many of a class are called what."""
    part = panel.title.partition(":")[0].lower()
    for row, column in np.ndindex(panel.matrix.shape):
        yield part, panel.classes[row], panel.classes[column], int(panel.matrix[row, column])


def _model(study: Study, files: Files) -> str:
    """Return what was trained and, where it may have been trained before, what it started from."""
    words = [spoken(str(study.method))]
    for path in files.all("record"):
        parameters = read_json(path)["trial"]["all_parameters"]
        if network := parameters.get("network"):
            words.append(f"{network}, {'pretrained' if network in parameters.get('weights', {}) else 'random weights'}")
    return ", ".join(dict.fromkeys(words))
