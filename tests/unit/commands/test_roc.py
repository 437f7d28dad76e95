"""`hakken roc` on tables, from the command line to the JSON and the figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cli import main

EXAMPLE = """case_id,label,score
1,1,0.9
2,1,0.8
3,1,0.6
4,1,0.3
5,0,0.7
6,0,0.6
7,0,0.2
8,0,0.1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scores.csv").write_text(EXAMPLE)
    return tmp_path


def results(*words: str) -> dict[str, Any]:
    assert main(["roc", "--scores", "scores.csv", "--output", "out.json", *words]) == 0
    content: dict[str, Any] = json.loads(Path("out.json").read_text())
    return content


def said(capsys: pytest.CaptureFixture[str], *words: str, table: str = "scores.csv") -> str:
    assert main(["roc", "--scores", table, *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def two_scores(path: Path, seed: int, prefix: str, cases: int = 60) -> None:
    rng = np.random.default_rng(seed)
    positive = np.arange(cases) % 3 == 0
    scores = 1 / (1 + np.exp(-rng.normal(np.outer([1.5, 0.5], positive))))
    rows = [f"{prefix}{i},{prefix}p{i // 2},{int(positive[i])},{scores[0, i]},{scores[1, i]}" for i in range(cases)]
    path.write_text("\n".join(["case_id,patient,label,score,score_b", *rows]) + "\n")


def test_the_example(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = results("--threshold", "0.6", "--max-fpr", "0.25", "--bootstrap", "200", "--seed", "3")
    assert content["counts"] == {"cases": 8, "positive": 4, "negative": 4, "patients": 8}
    found = content["scores"]["score"]
    assert found["auc"]["value"] == 25 / 32
    assert found["auc"]["delong"]["se"] == pytest.approx((17 / 512) ** 0.5)
    assert found["partial_auc"]["raw"]["value"] == 1 / 8
    assert found["partial_auc"]["corrected"]["value"] == pytest.approx(5 / 7)
    assert found["operating_points"]["threshold 0.6"]["ppv"]["value"] == 3 / 5
    assert found["curve"]["threshold"] == [None, 0.8, 0.7, 0.6, 0.3, 0.1]
    assert content["comparison"] is None
    assert content["bootstrap"]["resamples"] == 200
    assert content["bootstrap"]["seed"] == 3
    assert content["inputs"]["scores"]["path"] == "scores.csv"
    assert any(line.startswith("thresholds chosen on the same cases") for line in content["warnings"])
    shown = capsys.readouterr().out
    assert "8 cases of 8 patients: 4 with label 1, 4 with label 0" in shown
    assert "  AUC          0.7812 [0.3064, 0.9665] DeLong; [" in shown
    assert "  threshold 0.6                0.6        0.7500        0.5000        0.6000        0.6667" in shown
    for warning in content["warnings"]:
        assert f"warning: {warning}\n" in shown


def test_thresholds_from_another_table(folder: Path) -> None:
    (folder / "validation.csv").write_text("case_id,label,score\nv1,1,0.65\nv2,0,0.15\n")
    content = results("--threshold-from", "validation.csv", "--bootstrap", "50")
    points = content["scores"]["score"]["operating_points"]
    assert {name: point["threshold"] for name, point in points.items()} == {
        "youden": 0.65,
        "sensitivity 0.9": 0.65,
        "specificity 0.9": 0.65,
    }
    assert points["youden"]["chosen"] == "elsewhere"
    assert (points["youden"]["tp"], points["youden"]["fp"]) == (2, 1)
    assert not any("optimistic" in line for line in content["warnings"])
    assert len(content["inputs"]["threshold_from"]["sha256"]) == 64


def test_patients_of_both_tables_are_noticed(folder: Path) -> None:
    (folder / "other.csv").write_text("case_id,label,score,patient\nx,1,0.9,2\ny,0,0.1,z\n")
    content = results("--threshold-from", "other.csv", "--bootstrap", "50")
    assert content["warnings"][-1] == (
        "1 of 8 patients stand in other.csv too, where thresholds were chosen: sensitivity and specificity are "
        "optimistic; choose them on other patients"
    )
    assert results("--threshold-from", "scores.csv")["warnings"][-1].startswith("8 of 8 patients stand in scores.csv")


def test_two_scores_of_patients_with_several_cases(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_scores(folder / "scores.csv", 0, "a")
    two_scores(folder / "validation.csv", 1, "b")
    content = results("--threshold-from", "validation.csv", "--bootstrap", "300", "--figure", "roc.pdf")
    gap, found = content["comparison"], content["scores"]
    assert gap["delong"]["value"] == pytest.approx(found["score"]["auc"]["value"] - found["score_b"]["auc"]["value"])
    assert gap["bootstrap"]["low"] < gap["delong"]["value"] < gap["bootstrap"]["high"]
    assert gap["clustered"]["se"] != gap["delong"]["se"]
    parts = [found[name]["partial_auc"]["raw"]["value"] for name in ("score", "score_b")]
    assert gap["partial_auc"]["value"] == pytest.approx(parts[0] - parts[1])
    assert (
        gap["partial_auc"]["bootstrap"]["low"] < gap["partial_auc"]["value"] < gap["partial_auc"]["bootstrap"]["high"]
    )
    assert found["score"]["auc"]["clustered"]["se"] > 0
    assert (folder / "roc.pdf").read_bytes().startswith(b"%PDF")
    assert "AUC score - score_b: " in capsys.readouterr().out
    assert results("--threshold-from", "validation.csv", "--bootstrap", "300") == content


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_a_figure_is_the_same_every_time(kind: str, folder: Path) -> None:
    for name in ("one", "two"):
        results("--bootstrap", "30", "--figure", f"{name}.{kind}")
    assert (folder / f"one.{kind}").read_bytes() == (folder / f"two.{kind}").read_bytes()


def test_one_class_is_no_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "scores.csv").write_text("case_id,label,score\nA,1,0.5\nB,1,0.7\n")
    content = results("--figure", "roc.svg")
    assert content["scores"]["score"]["auc"]["value"] is None
    assert content["warnings"][0] == "AUC, partial AUC, curve and their intervals are null: no case has label 0"
    assert "score: no AUC" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case_id,label,score\n", ": the table has a heading but no case; add a row for each case"),
        ("", ": the table is empty; its first line must name the columns (case_id, label, score)"),
        (
            "case_id,score\nA,1\n",
            ": column label is missing; the table needs case_id, label, score; there are case_id, score",
        ),
        ("case_id,label,score\nA,1,nan\n", ", row 2, column score: `nan` is not finite; give a number"),
        ("case_id,label,score\nA,1,1\nB,0,inf\n", ", row 3, column score: `inf` is not finite; give a number"),
        ("case_id,label,score\nA,1,1\nB,0,\n", ", row 3, column score: is empty; give a number"),
        ("case_id,label,score\nA,2,1\n", ", row 2, column label: `2` is neither 0 nor 1"),
        ("case_id,label,score\nA,1,1\nA,0,2\n", ", row 3, column case_id: case `A` stands already in row 2; keep one"),
        ("case_id,label,score,patient\nA,1,1,\n", ", row 2, column patient: is empty"),
        ("case_id,label,score,score_b\nA,1,1,x\n", ", row 2, column score_b: `x` is not a number"),
    ],
)
def test_what_cannot_be_used_is_named(
    text: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.csv").write_text(text)
    assert said(capsys, "--output", "out.json", table="bad.csv") == f"hakken roc: bad.csv{message}\n"
    assert not (folder / "out.json").exists()


def test_the_other_table_must_offer_a_threshold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "other.csv").write_text("case_id,label,score\nA,1,1\n")
    assert said(capsys, "--threshold-from", "other.csv") == (
        "hakken roc: other.csv, column label: no case has label 0, so no threshold can be chosen; "
        "give cases of both labels\n"
    )
    two_scores(folder / "scores.csv", 0, "a")
    assert said(capsys, "--threshold-from", "other.csv").startswith(
        "hakken roc: other.csv: column score_b is missing; did you mean `score`?"
    )


def test_a_figure_of_an_unknown_format_is_refused_before_anything_is_computed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = said(capsys, "--figure", "roc.jpg", "--output", "out.json")
    assert message == "hakken roc: roc.jpg: figures are written as pdf, svg, png, not as `jpg`\n"
    assert not (folder / "out.json").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--max-fpr", "0"], "`0` is not above 0 and at most 1"),
        (["--sensitivity", "90"], "`90` is not above 0 and at most 1"),
        (["--specificity", "high"], "`high` is not above 0 and at most 1"),
        (["--threshold", "nan"], "`nan` is not a finite number"),
        (["--bootstrap", "-1"], "`-1` is not a whole number of at least 0"),
        (["--seed", "1.5"], "`1.5` is not a whole number of at least 0"),
    ],
)
def test_options_out_of_range(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["roc", "--scores", "scores.csv", *words])
    assert caught.value.code == 2
    assert reason in capsys.readouterr().err


def test_patients_in_two_spellings_are_named(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("case_id,label,score,patient\na,1,0.9,007\nb,0,0.2,7\nc,0,0.1,8\n")
    assert main(["roc", "--scores", str(tmp_path / "s.csv"), "--output", str(tmp_path / "out.json")]) == 0
    said = "patients `007` and `7` differ in spelling alone; they count as different ones"
    assert said in json.loads((tmp_path / "out.json").read_text())["warnings"]
