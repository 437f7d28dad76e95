"""`hakken froc` on tables as people have them, and on options that contradict one another."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cli import main
from hakken.evaluation.bootstrap import draw

CASES = "case_id,patient\nA,p1\nB,p1\nC,p2\nD,p3\n"
LESIONS = (
    "case_id,lesion_id,x,y,z,diameter_mm,kind\n"
    "A,1,0,0,0,10,included\nA,2,20,0,0,4,included\nB,1,0,0,0,6,included\nB,2,50,0,0,6,excluded\nD,1,0,0,0,6,included\n"
)
CANDIDATES = (
    "case_id,x,y,z,score\nA,1,0,0,0.9\nA,2,0,0,0.8\nA,40,0,0,0.7\n"
    "B,50,0,0,0.95\nB,0,0,2,0.6\nC,0,0,0,0.65\nD,9,0,0,0.2\n"
)
TABLES = {"cases": CASES, "lesions": LESIONS, "candidates": CANDIDATES}


@pytest.fixture(autouse=True)
def _tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(**TABLES)


def write(**tables: str) -> None:
    for name, text in tables.items():
        Path(f"{name}.csv").write_text(text, encoding="utf-8", newline="")


def froc(*options: str) -> int:
    tables = ["--cases", "cases.csv", "--lesions", "lesions.csv", "--candidates", "candidates.csv"]
    return main(["froc", *tables, "--bootstrap", "60", *options])


def empty_row(text: str) -> str:
    """A row as spreadsheets write it below the last: all separators and nothing between them."""
    return "," * text.partition("\n")[0].count(",")


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def measured(*options: str) -> dict[str, Any]:
    """The numbers of the result, without the files that it came from."""
    assert froc("--output", "out.json", *options) == 0
    result = dict(json.loads(Path("out.json").read_text(), parse_constant=refuse))
    del result["inputs"]
    return result


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace(",", ";"), id="semicolons"),
        pytest.param(lambda text: text.replace(",", "\t"), id="tabs"),
        pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(lambda text: text.replace("\n", "\r"), id="old line ends"),
        pytest.param(lambda text: text.removesuffix("\n"), id="no last line end"),
        pytest.param(lambda text: f"{text}\n\n{empty_row(text)}\n", id="empty rows at the end"),
        pytest.param(lambda text: text.replace(",", " , "), id="blanks around"),
        pytest.param(lambda text: text.replace("A,", '"A, left",'), id="quoted commas"),
        pytest.param(lambda text: text.replace("A,", '"A ""1""",'), id="quoted quotes"),
        pytest.param(lambda text: text.replace("A,", "007,").replace("B,", "7,"), id="names like numbers"),
        pytest.param(lambda text: text.replace("A,", "患者Ä,").replace("B,", "b\u2028\x85\x0cb,"), id="unicode names"),
    ],
)
def test_the_same_table_in_another_guise_gives_the_same_numbers(change: Any) -> None:
    first = measured()
    write(**{name: change(text) for name, text in TABLES.items()})
    assert measured() == first


def test_the_order_of_rows_and_the_machine_change_nothing() -> None:
    first = measured("--compare", "candidates.csv", "--by", "diameter:5")
    shuffle = random.Random(1)
    for name, text in TABLES.items():
        heading, *rows = text.splitlines()
        shuffle.shuffle(rows)
        write(**{name: "\n".join([heading, *rows])})
    assert measured("--compare", "candidates.csv", "--by", "diameter:5") == first


def test_one_patient_in_another_order_has_the_same_interval() -> None:
    write(cases="case_id,patient\nA,p\nB,p\nC,p\nD,p\n")
    first = measured()
    assert first["bootstrap"]["unit"] == "finding"
    for name, text in TABLES.items():
        heading, *rows = (text if name != "cases" else Path("cases.csv").read_text()).splitlines()
        write(**{name: "\n".join([heading, *rows[::-1]])})
    assert measured() == first


@pytest.mark.parametrize("value", ["1e308", "-1e308", "1e160", "-1e20"])
def test_a_mark_at_the_end_of_the_world_is_a_false_positive_and_harms_no_other(value: str) -> None:
    first = measured()
    write(candidates=CANDIDATES.replace("A,40", f"A,{value}"))
    assert measured() == first
    write(candidates=CANDIDATES, lesions=LESIONS.replace("D,1,0", f"D,1,{value}"))
    assert measured() == first


@pytest.mark.parametrize("score", ["1e308", "-1e308", "1e-320"])
def test_scores_need_only_be_finite(score: str) -> None:
    write(candidates=CANDIDATES.replace("0.95", score).replace("0.65", score))
    assert float(score) in measured()["curve"]["threshold"]


def test_minus_nought_is_nought() -> None:
    write(candidates=CANDIDATES.replace("0.65", "-0.0"))
    text = json.dumps(measured())
    assert "-0.0" not in text


def test_replicates_are_those_of_cohorts_that_are_written_out() -> None:
    resamples, names = 12, ("p1", "p2", "p3")
    whole = measured("--bootstrap", str(resamples), "--seed", "4", "--at", "0.5")
    of = {"A": "p1", "B": "p1", "C": "p2", "D": "p3"}
    replicates: dict[str, list[float]] = {"cpm": [], "partial_auc": [], "at": []}
    for times in draw(len(names), resamples, 4).tolist():
        count = dict(zip(names, times, strict=True))
        for name, text in TABLES.items():
            heading, *rows = text.splitlines()
            copies = [f"{row[0]}{copy}{row[1:]}" for row in rows for copy in range(count[of[row[0]]])]
            write(**{name: "\n".join([heading, *copies])})
        one = measured("--bootstrap", "1", "--at", "0.5")
        if one["cpm"]["value"] is not None:
            parts = (one["cpm"], one["partial_auc"], one["sensitivity_at"]["0.5"])
            for key, part in zip(replicates, parts, strict=True):
                replicates[key].append(part["value"])
    assert whole["bootstrap"]["skipped"] == resamples - len(replicates["cpm"])
    for key, part in (
        ("cpm", whole["cpm"]),
        ("partial_auc", whole["partial_auc"]),
        ("at", whole["sensitivity_at"]["0.5"]),
    ):
        assert [part["low"], part["high"]] == pytest.approx(np.quantile(replicates[key], [0.025, 0.975]).tolist())


def test_axes_that_are_defined_are_given() -> None:
    write(lesions=LESIONS.splitlines()[0])
    curve = measured()["curve"]
    assert curve["sensitivity"] is None
    assert curve["fp_per_case"] == pytest.approx([number / 4 for number in range(8)])
    write(lesions=LESIONS, cases="case_id\nA\nB\nD\n", candidates=CANDIDATES.replace("C,0,0,0,0.65\n", ""))
    curve = measured("--per", "lesion-free")["curve"]
    assert (curve["fp_per_case"], curve["sensitivity"]) == (None, [0, 0.25, 0.5])


def test_an_end_of_an_interval_that_is_null_has_a_reason() -> None:
    result = measured("--sensitivities", "0.5")
    entry = result["fp_at_sensitivity"]["0.5"]
    assert (entry["value"], entry["high"]) == (0.5, None)  # at 0.6, with the false 0.7 and 0.65 above: 2 / 4
    reason = "false positives at sensitivity 0.5: no upper end of the interval, too many resamples do not reach it"
    assert reason in result["warnings"]


def test_numbers_that_are_nearly_alike_have_names_of_their_own() -> None:
    result = measured("--at", "0.1234567,0.1234568,8", "--sensitivities", "0.33333333,0.33333334")
    assert list(result["sensitivity_at"]) == ["0.1234567", "0.1234568", "8"]
    assert list(result["fp_at_sensitivity"]) == ["0.33333333", "0.33333334"]


def test_an_empty_cell_and_the_word_for_it_are_two_strata() -> None:
    write(lesions="case_id,lesion_id,x,y,z,diameter_mm,site\nA,1,0,0,0,10,unknown\nB,1,0,0,0,6,\n")
    strata = measured("--by", "site")["strata"]["site"]
    assert {name: block["counts"]["lesions"] for name, block in strata.items()} == {"(empty)": 1, "unknown": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hit", "fixed:0"], "hit rule `fixed:0`: use distance, distance-inclusive, inside, fixed:MM or overlap:IOU"),
        (
            ["--overlaps", "overlaps.csv"],
            "--overlaps overlaps.csv: only --hit overlap:IOU uses them; leave them out or give it",
        ),
        (
            ["--hit", "overlap:0.1", "--overlaps", "overlaps.csv", "--compare", "candidates.csv"],
            "--compare candidates.csv: --overlaps holds those of one detector; measure each alone, or compare by "
            "diameters or another --hit",
        ),
        (
            ["--by", "diameter:5", "--by", "diameter:8"],
            "--by diameter:5: cut by diameter once, with all borders, as diameter:5,10",
        ),
        (["--by", "diameter:5,5"], "--by diameter:5,5: write the borders in mm, as diameter:5,10"),
        (["--figure", "froc.jpg"], "froc.jpg: figures are written as pdf, svg, png, not as `jpg`"),
        (["--output", "."], ".: is a folder; name a file"),
        (["--cases", "."], ".: a folder and no file; name the file itself"),
        (["--candidates", "candidate.csv"], "candidate.csv: no such file; did you mean `candidates.csv`?"),
    ],
)
def test_what_cannot_be_is_named(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert froc(*options) == 2
    assert capsys.readouterr().err == f"hakken froc: {message}\n"


def test_a_number_with_underscores_is_not_read_as_another(capsys: pytest.CaptureFixture[str]) -> None:
    write(candidates=CANDIDATES.replace("0.65", "1_0"))
    assert froc() == 2
    assert capsys.readouterr().err == "hakken froc: candidates.csv, row 7, column score: `1_0` is not a number\n"


def test_a_folder_that_is_not_there_is_made() -> None:
    assert froc("--output", "new/deep/out.json", "--figure", "new/other/froc.svg") == 0
    assert Path("new/deep/out.json").is_file()
    assert Path("new/other/froc.svg").is_file()


@pytest.mark.parametrize(
    ("resamples", "warning"),
    [
        ("0", "no resamples were asked for, so bootstrap intervals are null; give --bootstrap 1000"),
        ("39", "--bootstrap 39: too few for a 95 % interval, which may miss the value; give --bootstrap 1000"),
        ("40", None),
    ],
)
def test_too_few_resamples_are_warned_of(resamples: str, warning: str | None) -> None:
    result = measured("--bootstrap", resamples, "--figure", "froc.svg")
    assert (warning in result["warnings"]) == (warning is not None)
    assert (result["cpm"]["low"] is None) == (resamples == "0")
    assert len([line for line in result["warnings"] if "--bootstrap" in line]) == (warning is not None)


@pytest.mark.parametrize(("hit", "status"), [("distance", 0), ("fixed:3", 0), ("inside", 2), ("overlap:0.1", 2)])
def test_columns_that_a_rule_does_not_look_at_may_hold_anything(hit: str, status: int) -> None:
    heading, *rows = CANDIDATES.splitlines()
    write(candidates="\n".join([f"{heading},lesion_id,diameter_mm", *(f"{row},none,-1" for row in rows)]))
    assert froc("--hit", hit) == status


def test_the_rules_that_were_used_are_written_down() -> None:
    write(lesions=LESIONS.replace("20,0,0,4", "20,0,0,-1"))
    rules = measured("--unknown-diameter", "8", "--max-candidates", "2", "--per", "lesion-free")["rules"]
    assert rules == {
        **{"hit": "distance", "duplicates": "ignore", "double_hit": "both", "max_candidates": 2, "per": "lesion-free"},
        "unknown_diameter": 8,
    }


def test_a_column_of_the_cases_cuts_the_cases_also_where_other_tables_repeat_it() -> None:
    strata = measured("--by", "case_id")["strata"]["case_id"]
    assert {name: block["counts"]["cases"] for name, block in strata.items()} == dict.fromkeys("ABCD", 1)
    assert strata["A"]["curve"]["fp_per_case"] == [0, 0, 1]  # one false positive in one case, not in four
