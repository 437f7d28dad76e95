"""`hakken froc` against the reference numbers: the tables as they stand, in both layouts, through the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hakken.cli import main

CAPS = {"cap100": ("--max-candidates", "100"), "nocap": ()}


def froc(folder: Path, tmp_path: Path, *options: str) -> dict[str, Any]:
    tables = [
        part for name in ("cases", "lesions", "candidates") for part in (f"--{name}", str(folder / f"{name}.csv"))
    ]
    output = tmp_path / "out.json"
    assert main(["froc", *tables, "--bootstrap", "100", "--output", str(output), *options]) == 0
    found: dict[str, Any] = json.loads(output.read_text())
    return found


@pytest.fixture(scope="module")
def luna(reference_data: Path) -> Path:
    return reference_data / "evaluation" / "luna16_rule"


@pytest.fixture(scope="module")
def edges(reference_data: Path) -> Path:
    return reference_data / "evaluation" / "edge_cases"


def answer(edges: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((edges / "expected.json").read_text())[name]["recommended"]
    return content


@pytest.mark.parametrize("cap", CAPS)
def test_luna16_counts_and_sensitivities(luna: Path, tmp_path: Path, cap: str) -> None:
    expected = json.loads((luna / "expected.json").read_text())[cap]
    at = ",".join(expected["sens_at_fp"]["value"])
    found = froc(luna, tmp_path, "--unknown-diameter", "10", "--at", at, *CAPS[cap])
    official = expected["counts"]["value"]
    assert found["counts"]["true_positives"] == official["True positives"]
    assert found["counts"]["false_positives"] == official["False positives"]
    assert found["counts"]["missed"] == official["False negatives"]
    assert found["counts"]["ignored_excluded"] == official["Ignored candidates on excluded nodules"]
    assert found["cpm"]["value"] == pytest.approx(expected["cpm"]["value"], abs=1e-9)
    for rate, value in expected["sens_at_fp"]["value"].items():
        assert found["sensitivity_at"][f"{float(rate):g}"]["value"] == pytest.approx(value, abs=1e-9)
    inclusive = ("--hit", "distance-inclusive", "--unknown-diameter", "10", *CAPS[cap])
    assert froc(luna, tmp_path, *inclusive)["counts"]["true_positives"] == expected["with_rule_le"]["n_detected"]


def test_luna16_in_its_own_layout(luna: Path, tmp_path: Path) -> None:
    """seriesuid, coordX, probability, no label of a lesion; without the excluded findings more marks are false."""
    layout = luna / "luna16_layout"
    (tmp_path / "cases.csv").write_text("seriesuid\n" + (layout / "seriesuids.csv").read_text())
    tables = {
        "cases": tmp_path / "cases.csv",
        "lesions": layout / "annotations.csv",
        "candidates": layout / "submission.csv",
    }
    output = tmp_path / "out.json"
    options = [part for name, path in tables.items() for part in (f"--{name}", str(path))]
    assert main(["froc", *options, "--max-candidates", "100", "--bootstrap", "100", "--output", str(output)]) == 0
    found = json.loads(output.read_text())["counts"]
    official = json.loads((luna / "expected.json").read_text())["cap100"]["counts"]["value"]
    assert found["true_positives"] == official["True positives"]
    assert found["missed"] == official["False negatives"]
    dropped = official["Ignored candidates on excluded nodules"]
    assert found["false_positives"] == official["False positives"] + dropped


def test_no_lesions_at_all(edges: Path, tmp_path: Path) -> None:
    expected = answer(edges, "e01_no_lesions_at_all")
    found = froc(edges / "e01_no_lesions_at_all", tmp_path)
    assert found["curve"]["fp_per_case"][-1] == pytest.approx(expected["fp_per_case_max"])
    assert (found["cpm"]["value"], found["partial_auc"]["value"]) == (expected["cpm"], expected["pauc"])
    assert found["sensitivity_at"]["1"]["value"] is expected["sensitivity"]
    assert found["warnings"]


def test_all_ties(edges: Path, tmp_path: Path) -> None:
    expected = answer(edges, "e03_all_ties")
    at = ",".join({**expected["sens_at_fp_linear"], **expected["sens_at_fp_step"]})
    found = froc(edges / "e03_all_ties", tmp_path, "--at", at)
    points = zip(found["curve"]["fp_per_case"], found["curve"]["sensitivity"], strict=True)
    assert [list(point) for point in points] == expected["curve"]
    for rate, value in expected["sens_at_fp_linear"].items():
        assert found["sensitivity_at"][f"{float(rate):g}"]["value"] == value
    for rate, value in expected["sens_at_fp_step"].items():
        assert found["sensitivity_at"][f"{float(rate):g}"]["step"] == value


def test_several_candidates_on_one_lesion(edges: Path, tmp_path: Path) -> None:
    expected = answer(edges, "e04_several_candidates_on_one_lesion")
    counts = froc(edges / "e04_several_candidates_on_one_lesion", tmp_path)["counts"]
    found = (counts["true_positives"], counts["false_positives"], counts["ignored_duplicates"])
    assert found == (expected["n_detected"], expected["n_fp"], expected["doubles"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("e07_nan_score", "candidates.csv, row 2, column score: `NaN` is not finite; give a number"),
        ("e13_lesion_of_unknown_case", "lesions.csv, row 3: case `zz` is not among the"),
    ],
)
def test_what_cannot_be_measured_names_its_row(
    edges: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    tables = [
        part for one in ("cases", "lesions", "candidates") for part in (f"--{one}", str(edges / name / f"{one}.csv"))
    ]
    assert main(["froc", *tables]) == 2
    assert message.lower() in capsys.readouterr().err.lower()
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def radius(reference_data: Path) -> Path:
    folder = reference_data.parent / "cases" / "froc_exact_radius"
    if not folder.is_dir():
        pytest.skip("../shared/cases/froc_exact_radius is not here")
    return folder


@pytest.mark.parametrize(("hit", "found"), [("distance", 0), ("distance-inclusive", 2)])
def test_marks_exactly_on_the_radius(radius: Path, tmp_path: Path, hit: str, found: int) -> None:
    output = tmp_path / "out.json"
    tables = {"cases": "cases.csv", "lesions": "lesions.csv", "candidates": "cand.csv"}
    options = [part for name, file in tables.items() for part in (f"--{name}", str(radius / file))]
    assert main(["froc", *options, "--hit", hit, "--bootstrap", "50", "--output", str(output)]) == 0
    assert json.loads(output.read_text())["counts"]["true_positives"] == found
