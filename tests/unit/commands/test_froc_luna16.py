"""`hakken froc` by the rules of LUNA16: published rows come out of the sensitivities that they print."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cli import main
from hakken.evaluation.froc import CPM_AT

SCANS, NODULES = 40, 1000
# Sensitivities at 1/8 to 8 false positives per scan, as the detection tutorial of MONAI lists them, and their means.
PUBLISHED = {
    "MONAI": ((0.835, 0.885, 0.931, 0.957, 0.974, 0.983, 0.988), 0.9361),
    "nnDetection": ((0.812, 0.885, 0.927, 0.950, 0.969, 0.979, 0.985), 0.9296),
    "Liu 2019": ((0.848, 0.876, 0.905, 0.933, 0.943, 0.957, 0.970), 0.9189),
}
NODULE_HEADING, MARK_HEADING = (
    "seriesuid,coordX,coordY,coordZ,diameter_mm",
    "seriesuid,coordX,coordY,coordZ,probability",
)

Row = tuple[Any, ...]


def write(path: Path, heading: str, rows: Iterable[Row]) -> Path:
    path.write_text("\n".join([heading, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def measured(folder: Path, scans: int, nodules: list[Row], marks: list[Row], heading: str = NODULE_HEADING) -> Any:
    output = folder / "froc.json"
    cases = write(folder / "cases.csv", "seriesuid", [(f"scan{number}",) for number in range(scans)])
    lesions = write(folder / "lesions.csv", heading, nodules)
    candidates = write(folder / "candidates.csv", MARK_HEADING, marks)
    given = ["--cases", str(cases), "--lesions", str(lesions), "--candidates", str(candidates)]
    assert main(["froc", *given, "--bootstrap", "20", "--unknown-diameter", "10", "--output", str(output)]) == 0
    return json.loads(output.read_text())


def realised(sensitivities: tuple[float, ...]) -> tuple[list[Row], list[Row]]:
    """Return nodules, and marks that find so many of them at the seven numbers of false positives.

    Of each step the false positives come first: the curve rises while their number stands at that of the step.
    """
    nodules = [(f"scan{number % SCANS}", 20 * (number // SCANS), 0, 0, 8) for number in range(NODULES)]
    marks: list[Row] = []
    found = false = 0
    for step, (at, sensitivity) in enumerate(zip(CPM_AT, sensitivities, strict=True)):
        high = 1 - step / 10
        for number in range(false, false := round(at * SCANS)):
            marks.append((f"scan{number % SCANS}", 10 + 20 * (number // SCANS), 50, 0, high))
        for number in range(found, found := round(sensitivity * NODULES)):
            marks.append((*nodules[number][:4], high - 0.05))
    return nodules, marks


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_means_come_out_of_their_seven_numbers(name: str, tmp_path: Path) -> None:
    sensitivities, mean = PUBLISHED[name]
    result = measured(tmp_path, SCANS, *realised(sensitivities))
    assert [entry["value"] for entry in result["sensitivity_at"].values()] == pytest.approx(sensitivities, abs=1e-12)
    assert round(result["cpm"]["value"], 4) == mean
    assert result["cpm"]["value"] == pytest.approx(np.mean(sensitivities), abs=1e-12)


def test_excluded_findings_second_hits_and_ties(tmp_path: Path) -> None:
    heading = f"{NODULE_HEADING},kind"
    nodules = [
        ("scan0", 0, 0, 0, 8, "included"),
        ("scan0", 40, 0, 0, 6, "included"),
        ("scan1", 0, 0, 0, 10, "included"),
        ("scan1", 60, 0, 0, -1, "excluded"),  # of unknown size: 10 mm
        ("scan2", 0, 0, 0, 5, "excluded"),
    ]
    marks = [
        ("scan0", 1, 0, 0, 0.9),
        ("scan0", -1, 0, 0, 0.9),  # the same nodule again, tied: neither right nor wrong
        ("scan0", 4, 0, 0, 0.8),  # at the radius: not below it, so wrong
        ("scan1", 61, 0, 0, 0.95),  # on an excluded finding: dropped
        ("scan1", 65, 0, 0, 0.7),  # at its 5 mm: wrong
        ("scan1", 2, 0, 0, 0.7),  # tied with a wrong one: both count at 0.7
        ("scan2", 0, 1, 0, 0.99),  # dropped
        ("scan3", 0, 0, 0, 0.1),  # a scan without a nodule: wrong
    ]
    result = measured(tmp_path, 8, nodules, marks, heading)
    counts = result["counts"]
    assert (counts["lesions"], counts["true_positives"], counts["missed"]) == (3, 2, 1)
    assert (counts["false_positives"], counts["ignored_duplicates"], counts["ignored_excluded"]) == (3, 1, 2)
    curve = result["curve"]
    assert curve["threshold"] == [None, 0.9, 0.8, 0.7, 0.1]
    assert curve["fp_per_case"] == [0, 0, 1 / 8, 2 / 8, 3 / 8]
    assert curve["sensitivity"] == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    # 1/3 at 1/8, 2/3 at 1/4, and 2/3 at the five beyond.
    assert result["cpm"]["value"] == pytest.approx((1 / 3 + 6 * 2 / 3) / 7)
