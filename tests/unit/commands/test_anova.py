"""A table of accuracies as a user has it: read, tested, written, drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from hakken.cli import main

HAND = "1,1,1 1,1,3 1,2,4 2,1,6 2,2,11 2,2,13"  # worked in docs/reference/anova.md
THREE = "a,x,1 a,y,3 a,z,5 b,x,2 b,y,4 b,z,9 c,x,3 c,y,5 c,z,4"


def write(folder: Path, rows: str, heading: str = "network,misregistration,accuracy") -> Path:
    path = folder / "acc.csv"
    path.write_text("\n".join([heading, *rows.split()]) + "\n")
    return path


def result_of(path: Path, *options: str) -> dict[str, Any]:
    output = path.with_name("out.json")
    assert main(["anova", "--accuracies", str(path), *options, "--output", str(output)]) == 0
    result: dict[str, Any] = json.loads(output.read_text())
    return result


def failed(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["anova", "--accuracies", str(path), *options]) == 2
    return capsys.readouterr().err.replace(str(path.parent), "here")


def test_the_table_of_independent_observations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, HAND)
    result = result_of(path, "--factors", "network, misregistration")
    assert [row["effect"] for row in result["type_iii"]] == [
        "network",
        "misregistration",
        "network:misregistration",
    ]
    assert [row["ss"] for row in result["type_iii"]] == [pytest.approx(value) for value in (48, 64 / 3, 16 / 3)]
    assert [row["f"] for row in result["type_ii"]] == [pytest.approx(value) for value in (24, 32 / 3, 8 / 3)]
    assert result["error"] == {"ss": pytest.approx(4), "df": 2, "ms": pytest.approx(2)}
    assert result["factors"] == {"network": ["1", "2"], "misregistration": ["1", "2"]}
    assert result["cells"][0] == {
        "levels": {"network": "1", "misregistration": "1"},
        "n": 2,
        "mean": 2,
        "sd": pytest.approx(np.sqrt(2)),
    }
    assert (result["order"], result["warnings"], "within" in result) == (2, [], False)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"{path}: accuracy by network (2) x misregistration (2); 6 independent observations"
    assert shown[2].split() == ["network", "48", "1", "24.000", "0.0392", "0.923"]
    assert shown[5].split() == ["error", "4", "2"]


def test_the_order_of_interactions_and_another_response(tmp_path: Path) -> None:
    path = write(tmp_path, HAND, "network,misregistration,dice")
    result = result_of(path, "--factors", "network,misregistration", "--response", "dice", "--order", "1")
    assert [row["effect"] for row in result["type_ii"]] == ["network", "misregistration"]
    assert result["error"]["df"] == 3
    assert result["error"]["ss"] == pytest.approx(4 + 16 / 3)


def test_the_table_within_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, THREE, "case,network,accuracy")
    result = result_of(path, "--factors", "network", "--within", "case", "--seed", "3", "--bootstrap", "300")
    [row] = result["within"]
    assert (row["ss"], row["df"], row["error_ss"], row["error_df"]) == (pytest.approx(24), 2, pytest.approx(12), 4)
    assert (row["f"], row["p"], row["epsilon"]) == (pytest.approx(4), pytest.approx(1 / 9), pytest.approx(0.5))
    assert row["p_corrected"] == pytest.approx(stats.f.sf(4, 1, 2))
    assert [(one["level"], one["reference"]) for one in result["comparisons"]] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert result["comparisons"][1]["mean"]["value"] == pytest.approx(-4)
    assert result["bootstrap"] == {"unit": "patient", "resamples": 300, "seed": 3}
    assert (result["cases"], result["patients"]) == (3, 3)
    assert result["warnings"] == [
        "3 patients: bootstrap intervals from so few are rough and rather too narrow; they are no certainty",
        "network, x - y: t and its interval are null, the difference is the same in all cases",
    ]
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"{path}: accuracy by network (3); 3 cases of 3 patients, each under every combination"
    assert shown[2].split() == ["network", "24", "2", "12", "4", "4.000", "0.1111", "0.500", "0.1835", "0.667"]
    assert shown[4].split()[:6] == ["network:", "x", "-", "y", "-2", "[-2,"]


def test_patients_are_drawn_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = THREE.replace("a,", "a,p,").replace("b,", "b,p,").replace("c,", "c,q,")
    heading = "case,patient,network,accuracy"
    result = result_of(write(tmp_path, rows, heading), "--factors", "network", "--within", "case")
    assert result["patients"] == 2
    assert result["warnings"][0] == (
        "several cases of one patient: F, t and Wilcoxon take cases as independent, the bootstrap does not"
    )
    # Patient p has -4 and -7, q has -1: resamples are -5.5, -4 or -1.
    assert (result["comparisons"][1]["mean"]["low"], result["comparisons"][1]["mean"]["high"]) == (-5.5, -1)
    path = write(tmp_path, rows.replace("a,p,z", "a,q,z"), heading)
    assert failed(path, capsys, "--factors", "network", "--within", "case") == (
        "hakken anova: here/acc.csv, row 4, column patient: `q`, but case `a` is of patient `p` above\n"
    )


def test_rows_of_the_same_cases_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = result_of(write(tmp_path, THREE, "case,network,accuracy"), "--factors", "network")
    warning = "column case: cases repeat, so rows are not independent and p misleads; use --within case"
    assert result["warnings"] == [warning]
    assert f"warning: {warning}" in capsys.readouterr().out


def test_without_error_values_are_null_and_said(tmp_path: Path) -> None:
    result = result_of(write(tmp_path, "a,1 a,1 b,2 b,2", "network,accuracy"), "--factors", "network")
    assert (result["type_iii"][0]["f"], result["type_iii"][0]["p"]) == (None, None)
    assert result["warnings"] == [
        "F, p and partial eta squared are null: the effects fit the response exactly, so there is no error"
    ]
    rows = "a,x,1 a,y,2 b,x,4 b,y,5"
    result = result_of(write(tmp_path, rows, "case,network,accuracy"), "--factors", "network", "--within", "case")
    assert result["within"][0]["f"] is None
    assert "network: F, p and epsilon are null, all cases respond alike, so there is no error" in result["warnings"]


def grid(shape: tuple[int, ...], cases: int = 5) -> str:
    """A row for each case and combination of levels."""
    rng = np.random.default_rng(0)
    rows = []
    for place in np.ndindex(cases, *shape):
        rows.append(",".join([f"c{place[0]}", *(f"level{level}" for level in place[1:]), f"{rng.random():.3f}"]))
    return " ".join(rows)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4), (2, 2, 2, 2), (8, 9)], ids=str)
@pytest.mark.parametrize("within", [True, False])
def test_a_figure_is_drawn_within_its_page(shape: tuple[int, ...], within: bool, tmp_path: Path) -> None:
    names = ["network", "misregistration", "fold", "scanner"][: len(shape)]
    path = write(tmp_path, grid(shape), ",".join(["case", *names, "accuracy"]))
    options = ["--factors", ",".join(names), *(["--within", "case"] if within else [])]
    figure = tmp_path / "f.svg"
    assert main(["anova", "--accuracies", str(path), *options, "--figure", str(figure)]) == 0
    assert figure.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("rows", "heading", "options", "message"),
    [
        (HAND, None, ("--factors", "netwrok,misregistration"), "here/acc.csv: column netwrok is missing; did you mean "
         "`network`?; the table needs netwrok, misregistration, accuracy; there are network, misregistration, "
         "accuracy"),
        (HAND, None, ("--factors", "network", "--response", "dice"), "here/acc.csv: column dice is missing; the table "
         "needs network, dice; there are network, misregistration, accuracy"),
        (HAND, None, ("--factors", "network", "--within", "case"), "here/acc.csv: column case is missing; the table "
         "needs network, accuracy, case; there are network, misregistration, accuracy"),
        (HAND, None, ("--factors", "network,"), "--factors `network,`: an empty name; give columns as "
         "network,misregistration"),
        (HAND, None, ("--factors", "network,network"), "column network is named twice among factors, response and "
         "case; use it once"),
        (HAND, None, ("--factors", "accuracy"), "column accuracy is named twice among factors, response and case; "
         "use it once"),
        ("a,1 b,high", "network,accuracy", ("--factors", "network"), "here/acc.csv, row 3, column accuracy: `high` is "
         "not a number"),
        ("a,1 ,2", "network,accuracy", ("--factors", "network"), "here/acc.csv, row 3, column network: is empty"),
        ("a,1 a,2", "network,accuracy", ("--factors", "network"), "here/acc.csv: factor network: one level (a) in "
         "every row; a factor needs two levels or more"),
        ("", "network,accuracy", ("--factors", "network"), "here/acc.csv: no observation; give a row for each"),
        ("1,1,1 1,1,2 1,2,3 2,1,4", None, ("--factors", "network,misregistration"), "here/acc.csv: effect "
         "network:misregistration cannot be told from the others (it is aliased): no row has network = 2, "
         "misregistration = 2; fill the cells, or lower the order of the interactions"),
        (HAND, None, ("--factors", "network,misregistration", "--order", "3"), "here/acc.csv: order 3: use 1 (main "
         "effects alone) to 2, the number of factors"),
        (THREE + " a,x,7", "case,network,accuracy", ("--factors", "network", "--within", "case"), "here/acc.csv, row "
         "11: case `a` with network = x stands already in row 2; keep one, or average them"),
        (THREE.removesuffix(" c,z,4"), "case,network,accuracy", ("--factors", "network", "--within", "case"),
         "here/acc.csv: case `c` has no row with network = z (1 of 3 cases are incomplete); each case needs every "
         "combination of levels"),
        (HAND, None, ("--factors", "network", "--figure", "f.eps"), "f.eps: figures are written as pdf, svg, png, not "
         "as `eps`"),
        (grid((9, 2)), "case,network,fold,accuracy", ("--factors", "network,fold", "--figure", "f.pdf"),
         "factor network has 9 levels: 8 lines can be told apart; name another factor first in --factors"),
    ],
)  # fmt: skip
def test_what_cannot_be_tested_is_named(
    rows: str,
    heading: str | None,
    options: tuple[str, ...],
    message: str,
    *,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path, rows, heading or "network,misregistration,accuracy")
    assert failed(path, capsys, *options) == f"hakken anova: {message}\n"
