"""Figure `calibration`: z of test cases without lesions against the standard normal, validation beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import stats

from hakken.core.names import counted
from hakken.figures import Drawing, Files, Table, cells
from hakken.plots.calibration import Calibrated, CalibrationInput, draw_calibration
from hakken.plots.style import interval_text
from hakken.runs.measurement import read_measurement
from hakken.study import Study

INPUTS = {"test": "measurements/test/selected", "validation": "measurements/validation/selected"}
CAPTION = (
    "z of test and validation cases without lesions against the standard normal distribution, its quantiles, and mean "
    "and standard deviation of each case."
)
COLUMNS = ("part", "what", "x", "y")

Details = Mapping[str, Any]


def draw(study: Study, files: Files) -> Drawing:
    """Draw the calibration of test and validation; goals are printed met or missed."""
    measured = {
        part.capitalize(): read_measurement(files.one(part)).outcomes["expectations"].details
        for part in ("test", "validation")
    }
    goals = measured["Test"]["goals"]
    lines = [_line(part, details) for part, details in measured.items()]
    threshold: float | None = getattr(study.inference, "threshold", None)
    given = CalibrationInput(
        parts=tuple(_part(part, details) for part, details in measured.items()),
        threshold=threshold,
        mean_within=goals["mean_within"],
        sd_within=goals["sd_within"],
        lines=(
            *lines,
            f"Cases without lesions, all voxels of the mask; brackets: 95 %, patients resampled. Goals: mean 0 within "
            f"{goals['mean_within']:g}, SD 1 within {goals['sd_within']:g}."
            + ("" if threshold is None else " Dotted: z of candidates."),
        ),
        origin=files.origin,
    )
    rows = [row for part in given.parts for row in _rows(part)]
    return Drawing(draw_calibration(given), Table(COLUMNS, cells(rows)), lines[0])


def _part(label: str, details: Details) -> Calibrated:
    known = {float(share): z for share, z in details["quantiles"].items() if z is not None}
    return Calibrated(
        label=label,
        edges=np.array(details["edges"]),
        counts=np.array(details["histogram"][1:-1], float),
        quantiles=np.array([(stats.norm.ppf(share), z) for share, z in known.items()]).reshape(-1, 2),
        mean=np.array([case["mean"] for case in details["each"]]),
        sd=np.array([case["sd"] for case in details["each"]]),
    )


def _rows(part: Calibrated) -> Iterator[tuple[Any, ...]]:
    """Yield voxels by z, quantiles of the standard normal and of z, and mean and SD of each case."""
    middle = ((part.edges[1:] + part.edges[:-1]) / 2).tolist()
    yield from (
        (part.label, "voxels", z, count) for z, count in zip(middle, part.counts.tolist(), strict=True) if count
    )
    yield from ((part.label, "quantile", expected, found) for expected, found in part.quantiles.tolist())
    yield from ((part.label, "case", *case) for case in zip(part.mean.tolist(), part.sd.tolist(), strict=True))


def _line(label: str, details: Details) -> str:
    """Return what a part measured, and whether it meets the goals."""
    above, usual = details["beyond"]["3"]["value"], details["expected_beyond"]["3"]
    return (
        f"{label}, {counted(details['cases'], 'case')} of {counted(details['patients'], 'patient')}: "
        f"mean {_cell(details, 'mean')}, SD {_cell(details, 'sd')}; "
        f"z >= 3: {100 * above:.2f} % (normal {100 * usual:.2f} %)."
    )


def _cell(details: Details, name: str) -> str:
    found, met = details[name], details[f"{name}_met"]
    return f"{interval_text(found['value'], found['low'], found['high'], 3)} ({'met' if met else 'missed'})"
