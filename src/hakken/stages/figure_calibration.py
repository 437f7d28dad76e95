"""Stage `figure_calibration`: z of test cases without disease against the standard normal, validation beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from hakken.core.console import progress
from hakken.plots.calibration import Calibrated, CalibrationInput, draw_calibration
from hakken.plots.publish import publish
from hakken.plots.style import Origin, interval_text
from hakken.core.files import read_json
from hakken.report.figure import provenance
from hakken.report.seal import read_openings
from hakken.stages import stage
from hakken.stages.calibrate import verdict
from hakken.study import Study


@stage
def figure_calibration(
    *, study: Study, validation: Path, test: Path, table: Path, openings: Path, code: str, output: list[Path]
) -> None:
    """Draw the calibrations (JSON of `calibrate`) of ``test`` and ``validation``; goals are printed met or missed."""
    measured = {"Test": read_json(test), "Validation": read_json(validation)}
    opened = len(read_openings(openings))
    goals = measured["Test"]["goals"]
    lines = [_line(label, entry) for label, entry in measured.items()]
    given = CalibrationInput(
        parts=tuple(_part(label, entry) for label, entry in measured.items()),
        threshold=study.inference.threshold,
        mean_within=goals["mean_within"],
        sd_within=goals["sd_within"],
        lines=(
            *lines,
            f"Cases without lesions, all voxels of the body; brackets: 95 %, patients resampled. Goals: mean 0 within "
            f"{goals['mean_within']:g}, SD 1 within {goals['sd_within']:g}. Dotted: z of candidates.",
        ),
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    facts = provenance(study, figure="calibration", inputs=[validation, test, table], code=code, openings=opened)
    publish(draw_calibration(given), output, facts)
    progress(lines[0])


def _part(label: str, measured: Mapping[str, Any]) -> Calibrated:
    known = {float(share): z for share, z in measured["quantiles"].items() if z is not None}
    return Calibrated(
        label=label,
        edges=np.array(measured["edges"]),
        counts=np.array(measured["histogram"][1:-1], float),
        quantiles=np.array([(stats.norm.ppf(share), z) for share, z in known.items()]).reshape(-1, 2),
        mean=np.array([case["mean"] for case in measured["each"]]),
        sd=np.array([case["sd"] for case in measured["each"]]),
    )


def _line(label: str, measured: Mapping[str, Any]) -> str:
    """Return what a part measured, and whether it meets the goals."""
    mean, sd = (_cell(measured[name]) for name in ("mean", "sd"))
    above, usual = measured["beyond"]["3"]["value"], measured["expected_beyond"]["3"]
    return (
        f"{label}, {measured['cases']} cases of {measured['patients']} patients: mean {mean} ("
        f"{verdict(measured['mean_met'])}), SD {sd} ({verdict(measured['sd_met'])}); "
        f"z >= 3: {100 * above:.2f} % (normal {100 * usual:.2f} %)."
    )


def _cell(entry: Mapping[str, Any]) -> str:
    return interval_text(entry["value"], entry["low"], entry["high"], 3)
