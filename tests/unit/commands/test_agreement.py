"""`hakken agreement` on tables, from the command line to the JSON and the figure."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from hakken.cli import main

# Truth a a a b b c; the first is called a a b b c c, the second a b b b c a.
EXAMPLE = """case_id,truth,prediction,prediction_b,patient
1,a,a,a,P
2,a,a,b,P
3,a,b,b,Q
4,b,b,b,Q
5,b,c,c,R
6,c,c,a,S
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels.csv").write_text(EXAMPLE)
    return tmp_path


def results(*words: str) -> dict[str, Any]:
    assert main(["agreement", "--labels", "labels.csv", "--output", "out.json", *words]) == 0
    content: dict[str, Any] = json.loads(Path("out.json").read_text())
    return content


def said(capsys: pytest.CaptureFixture[str], *words: str, table: str = "labels.csv") -> str:
    assert main(["agreement", "--labels", table, *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_the_example(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = results("--bootstrap", "100")
    assert content["counts"] == {"cases": 6, "patients": 4}
    found = content["predictions"]["prediction"]
    assert found["confusion"] == {"classes": ["a", "b", "c"], "matrix": [[2, 1, 0], [0, 1, 1], [0, 0, 1]]}
    assert (found["accuracy"]["count"], found["accuracy"]["total"]) == (4, 6)
    assert found["balanced_accuracy"]["value"] == pytest.approx(13 / 18)
    assert found["classes"]["a"]["f1"]["value"] == 4 / 5
    assert found["classes"]["c"]["precision"]["wilson"]["low"] > 0
    assert list(found["kappa"]) == ["unweighted"]
    assert found["kappa"]["unweighted"]["value"] == pytest.approx(1 / 2)
    # The second is right on 1 and 4, the first on 2 and 6 besides: 2 and 0 alone, p = 2 / 2^2
    assert content["comparison"]["accuracy_difference"]["value"] == pytest.approx(2 / 6)
    assert content["comparison"]["mcnemar"] == {
        "only_first": 2,
        "only_second": 0,
        "exact_p": 0.5,
        "chi_square": 0.5,
        "chi_square_p": pytest.approx(0.4795, abs=1e-4),
    }
    shown = capsys.readouterr().out
    assert "6 cases of 4 patients, 3 classes" in shown
    assert "  a            2      1      0" in shown
    assert "right alone 2 and 0, McNemar exact p = 0.5" in shown
    assert content["warnings"][0].startswith("6 cases of 4 patients: ")


def test_a_class_is_one_whichever_way_its_letters_are_composed(folder: Path) -> None:
    forms = {"a": "が", "b": unicodedata.normalize("NFD", "が"), "c": "ぎ"}
    rows = [line.split(",") for line in EXAMPLE.splitlines()[1:]]
    named = [",".join([case, *(forms[label] for label in labels), patient]) for case, *labels, patient in rows]
    (folder / "labels.csv").write_text("\n".join([EXAMPLE.splitlines()[0], *named]) + "\n", encoding="utf-8")
    found = results("--bootstrap", "100")["predictions"]["prediction"]
    assert found["confusion"] == {"classes": ["が", "ぎ"], "matrix": [[4, 1], [0, 1]]}


def test_ordered_classes_have_weighted_kappas(folder: Path) -> None:
    content = results("--ordered", "c, a,b,none", "--bootstrap", "50")
    found = content["predictions"]["prediction"]
    assert found["confusion"]["classes"] == ["c", "a", "b", "none"]
    assert list(found["kappa"]) == ["unweighted", "linear", "quadratic"]
    assert found["classes"]["none"]["f1"]["value"] is None
    assert any("class none: F1 is null" in line for line in content["warnings"])


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_a_figure_is_the_same_every_time(kind: str, folder: Path) -> None:
    for name in ("one", "two"):
        results("--bootstrap", "10", "--figure", f"{name}.{kind}")
    assert (folder / f"one.{kind}").read_bytes() == (folder / f"two.{kind}").read_bytes()


def test_results_repeat_by_seed(folder: Path) -> None:
    assert results("--seed", "4") == results("--seed", "4")
    assert results("--seed", "4") != results("--seed", "5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case_id,truth,prediction\n", ": the table has a heading but no case; add a row for each case"),
        (
            "case_id,thruth,prediction\nA,a,a\n",
            ": column truth is missing; did you mean `thruth`?; the table needs case_id, truth, prediction; there are "
            "case_id, thruth, prediction",
        ),
        ("case_id,truth,prediction\nA,a,\n", ", row 2, column prediction: is empty"),
        (
            "case_id,truth,prediction\nA,a,a\nA,a,b\n",
            ", row 3, column case_id: case `A` stands already in row 2; keep one",
        ),
    ],
)
def test_what_cannot_be_used_is_named(
    text: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.csv").write_text(text)
    assert said(capsys, table="bad.csv") == f"hakken agreement: bad.csv{message}\n"


def test_a_label_beside_the_ordered_classes_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--ordered", "a,b") == (
        "hakken agreement: labels.csv, row 7, column truth: `c` is not among a, b\n"
    )
    assert said(capsys, "--figure", "x.gif").endswith("figures are written as pdf, svg, png, not as `gif`\n")


@pytest.mark.parametrize("words", ["a", "a,,b", "a,b,a"])
def test_classes_in_order_must_be_several_and_different(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["agreement", "--labels", "labels.csv", "--ordered", words])
    assert f"`{words}` does not name at least two different classes, as low,middle,high" in capsys.readouterr().err


def test_classes_and_patients_in_two_spellings_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "case_id,truth,prediction,patient\n1,a,A,P-1\n2,1,1.0,p01\n3,\uff42,b,Q\n4,-1,b,R\n"
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    warnings = results()["warnings"]
    assert warnings[-4:] == [
        "classes `1` and `1.0` differ in spelling alone; they count as different ones",
        "classes `A` and `a` differ in spelling alone; they count as different ones",
        "classes `b` and `\uff42` differ in spelling alone; they count as different ones",
        "patients `P-1` and `p01` differ in spelling alone; they count as different ones",
    ]
    assert f"warning: {warnings[-1]}" in capsys.readouterr().out
