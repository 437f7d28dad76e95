"""The example of docs/reference/overlap.md, read from its page."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hakken.evaluation.overlap import MEASURES, LesionRule, measure_overlap

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/overlap.md").read_text()


def masks() -> dict[str, np.ndarray]:
    """The masks of the table, each in turn."""
    found = {name: np.zeros((8, 12, 12), bool) for name in ("truth", "prediction")}
    rows = re.findall(r"^\| (truth|prediction) \|([^|]+)\|([^|]+)\|([^|]+)\| (\d+) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) == 4
    for name, *ranges, voxels in rows:
        ends = [[int(number) for number in text.split(" to ")] for text in ranges]
        part = np.zeros((8, 12, 12), bool)
        part[tuple(slice(places[0], places[-1] + 1) for places in ends)] = True
        assert part.sum() == int(voxels)
        found[name] |= part
    return found


def test_the_numbers_of_the_example() -> None:
    found = measure_overlap(*masks().values(), (3.0, 1.0, 1.0))
    assert "= 4/9. Jaccard: " in PAGE and "= 2/7." in PAGE
    assert (found.dice, found.jaccard) == (pytest.approx(4 / 9), pytest.approx(2 / 7))
    assert "= √153 = 12.369 mm" in PAGE
    assert found.hd95_mm == pytest.approx(np.sqrt(153)) == pytest.approx(12.369, abs=5e-4)
    assert "/ 18 = 2.475 mm" in PAGE
    assert found.mean_surface_distance_mm == pytest.approx(2.475, abs=5e-4)
    assert "= 0.027 ml each" in PAGE
    assert (found.truth_ml, found.volume_error_ml) == (pytest.approx(0.027), 0)
    assert (found.lesion_sensitivity, found.lesion_precision) == (0.5, 0.5)
    assert "negative volume are 0.003 ml." in PAGE
    assert (found.false_positive_ml, found.false_negative_ml) == (pytest.approx(0.003), pytest.approx(0.003))


@pytest.mark.parametrize(("minimum", "found"), [(0.33, 1), (0.34, 0)])
def test_the_union_of_the_example(minimum: float, found: int) -> None:
    assert "`--overlap 0.34`" in PAGE
    overlap = measure_overlap(*masks().values(), (3.0, 1.0, 1.0), LesionRule(minimum_iou=minimum))
    assert overlap.lesions.found == found


def test_every_measure_is_defined() -> None:
    assert [measure for measure in MEASURES if f"| `{measure}` |" not in PAGE] == []


@pytest.mark.parametrize(("truth", "prediction"), [("empty", "empty"), ("empty", "not"), ("not", "empty")])
def test_the_table_of_empty_masks(truth: str, prediction: str) -> None:
    row = re.search(rf"^\| {truth} \| {prediction} \| (.+) \|$", PAGE, flags=re.MULTILINE)
    assert row is not None
    cells = [None if cell == "null" else float(cell.replace("−", "-")) for cell in row[1].split(" | ")]  # noqa: RUF001
    some, nothing = np.ones((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    found = measure_overlap(*(nothing if word == "empty" else some for word in (truth, prediction)), (1, 1, 1))
    assert cells[0] == found.dice == found.jaccard
    assert cells[1] == found.hd95_mm == found.mean_surface_distance_mm
    assert cells[2:] == [found.relative_volume_error, found.lesion_sensitivity, found.lesion_precision]
