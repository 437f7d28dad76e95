"""Stage `figure_confusion`: which classes are taken for which, on validation and test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hakken.core.console import progress
from hakken.plots.classes import MatrixInput, draw_matrices
from hakken.plots.publish import publish
from hakken.plots.style import Origin, interval_text
from hakken.core.files import read_json
from hakken.report.figure import provenance
from hakken.report.seal import read_openings
from hakken.report.starts import start_words
from hakken.stages import stage
from hakken.study import Study


@stage
def figure_confusion(
    *,
    study: Study,
    validation: Path,
    test: Path,
    selected: Path,
    table: Path,
    openings: Path,
    code: str,
    output: list[Path],
) -> None:
    """Draw the confusion matrices of the selected model on ``validation`` and ``test``, measurements as JSON."""
    opened, chosen = len(read_openings(openings)), read_json(selected)
    panels = [_panel("Validation", read_json(validation)), _panel("Test", read_json(test))]
    origin = Origin(study.title or study.name, study.scale, study.data, opened)
    note = f"{study.training.network}, {start_words(study, study.training.network)}"
    facts = provenance(
        study,
        figure="confusion",
        inputs=[validation, test, selected, table],
        code=code,
        openings=opened,
        trials=[int(chosen["models"]["selected"]["number"])],
        spent={"gpu_seconds": float(chosen.get("gpu_seconds", 0.0))},
    )
    publish(draw_matrices(panels, note, origin), output, facts)
    progress(f"balanced accuracy on test {panels[1].words[0]}")


def _panel(title: str, measured: dict[str, Any]) -> MatrixInput:
    """Return a matrix with the numbers above it: balanced accuracy and accuracy, each beside guessing."""
    numbers = [
        f"{name} {interval_text(*(measured[key][end] for end in ('value', 'low', 'high')))}, "
        f"{known} {measured['chance'][key]:.2f}"
        for name, key, known in (
            ("balanced accuracy", "balanced_accuracy", "guessing"),
            ("accuracy", "accuracy", "most frequent class"),
        )
    ]
    confusion = measured["confusion"]
    counts = measured["counts"]
    title = f"{title}: {counts['lesions']} tumours of {counts['patients']} patients"
    return MatrixInput(title, tuple(confusion["classes"]), np.array(confusion["matrix"], np.int64), tuple(numbers))
