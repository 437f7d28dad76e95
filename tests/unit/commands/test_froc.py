from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from hakken.cli import main
from hakken.commands.froc import _label
from hakken.core.files import sha256_file

CASES = "case_id,patient,scanner\nA,p1,x\nB,p1,y\nC,p2,x\n"
LESIONS = (
    "case_id,lesion_id,x,y,z,diameter_mm,kind,class\n"
    "A,1,0,0,0,10,included,m\nA,2,20,0,0,4,included,n\nB,1,0,0,0,6,included,m\nB,2,50,0,0,6,excluded,m\n"
)
# A: hit of 1, duplicate, false; B: on the excluded finding, hit of 1; C: false
CANDIDATES = "case_id,x,y,z,score\nA,1,0,0,0.9\nA,2,0,0,0.8\nA,40,0,0,0.7\nB,50,0,0,0.95\nB,0,0,2,0.6\nC,0,0,0,0.65\n"


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("cases", CASES), ("lesions", LESIONS), ("candidates", CANDIDATES)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def froc(*options: str, candidates: str = "candidates.csv") -> int:
    tables = ["--cases", "cases.csv", "--lesions", "lesions.csv", "--candidates", candidates]
    return main(["froc", *tables, "--bootstrap", "200", *options])


def measured(*options: str) -> dict[str, Any]:
    assert froc("--output", "out.json", *options) == 0
    return dict(json.loads(Path("out.json").read_text()))


def test_everything_by_hand(tables: Path) -> None:
    result = measured("--at", "0.25,0.5,1", "--max-fp", "1", "--sensitivities", "0.3,0.6,0.9")
    assert list(result) == [
        *("command", "hakken", "inputs"),
        *("rules", "counts", "curve", "sensitivity_at", "fp_at_sensitivity", "cpm", "partial_auc", "average_precision"),
        *("case_auc", "picai_score", "per_patient", "bootstrap", "warnings"),
    ]
    assert result["inputs"]["cases"] == {"path": "cases.csv", "sha256": sha256_file(tables / "cases.csv")}
    assert result["counts"] == {
        **{"cases": 3, "patients": 2, "lesions": 3, "candidates": 6, "true_positives": 2, "false_positives": 2},
        **{"missed": 1, "ignored_duplicates": 1, "ignored_excluded": 1},
    }
    # lesions found at 0.9 and 0.6, false positives at 0.7 and 0.65
    assert result["curve"] == {
        "threshold": [None, 0.9, 0.7, 0.65, 0.6],
        "fp_per_case": pytest.approx([0, 0, 1 / 3, 2 / 3, 2 / 3]),
        "sensitivity": pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 2 / 3]),
    }
    at = result["sensitivity_at"]
    assert [at[name]["value"] for name in ("0.25", "0.5", "1")] == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert [at[name]["extrapolated"] for name in ("0.25", "0.5", "1")] == [False, False, True]
    assert result["fp_at_sensitivity"]["0.3"]["value"] == 0
    assert result["fp_at_sensitivity"]["0.6"]["value"] == pytest.approx(2 / 3)
    assert result["fp_at_sensitivity"]["0.9"] == {"value": None, "low": None, "high": None}
    # a third up to 2/3, then two thirds: 2/9 + 2/9; CPM: 1/8, 1/4, 1/2 give a third, the four others two thirds
    assert result["partial_auc"]["value"] == result["partial_auc"]["raw"] == pytest.approx(4 / 9)
    assert result["cpm"]["value"] == pytest.approx((3 * 1 + 4 * 2) / 21)
    assert result["per_patient"]["sensitivity"] == {"pooled": pytest.approx(2 / 3), "mean_over_cases": 0.75}
    assert result["bootstrap"]["unit"] == "patient"
    assert result["bootstrap"]["skipped"] > 0
    assert any(warning.startswith("false positives at sensitivity 0.9: not reached") for warning in result["warnings"])


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (["--duplicates", "false-positive"], {"false_positives": 3, "ignored_duplicates": 0}),
        (["--hit", "fixed:1.5"], {"true_positives": 1, "missed": 2, "false_positives": 4, "ignored_duplicates": 0}),
        (["--max-candidates", "2"], {"candidates": 5, "false_positives": 1}),
        (["--max-candidates", "1"], {"candidates": 3, "true_positives": 1, "false_positives": 1, "missed": 2}),
    ],
)
def test_rules_change_the_counts(options: list[str], changes: dict[str, int], tables: Path) -> None:
    plain = measured()["counts"]
    changed = measured(*options)["counts"]
    assert {key: changed[key] for key in changes} == changes
    assert changed["lesions"] == plain["lesions"]


def test_false_positives_per_lesion_free_case(tables: Path) -> None:
    assert measured("--per", "lesion-free")["curve"]["fp_per_case"] == pytest.approx([0, 0, 1, 1])


def test_strata_by_diameter_and_by_columns_of_lesions_and_cases(tables: Path) -> None:
    result = measured("--by", "diameter:5", "--by", "class", "--by", "scanner")
    assert {name: block["counts"]["lesions"] for name, block in result["strata"]["diameter"].items()} == {
        "below 5 mm": 1,
        "5 mm and more": 2,
    }
    assert {name: block["counts"]["true_positives"] for name, block in result["strata"]["class"].items()} == {
        "m": 2,
        "n": 0,
    }
    scanner = {name: block["counts"] for name, block in result["strata"]["scanner"].items()}
    assert {name: counts["cases"] for name, counts in scanner.items()} == {"x": 2, "y": 1}
    assert scanner["x"]["false_positives"] == 2


def test_marks_of_a_class_meet_the_lesions_of_their_class(tables: Path) -> None:
    rows = CANDIDATES.replace("score", "score,class").replace("0.9\n", "0.9,n\n").replace("0.6\n", "0.6,m\n")
    rows = re.sub(r"(0\.\d+)\n", r"\1,m\n", rows)
    (tables / "candidates.csv").write_text(rows)
    strata = measured("--by", "class")["strata"]["class"]
    assert (strata["n"]["counts"]["candidates"], strata["n"]["counts"]["false_positives"]) == (1, 1)
    assert (strata["m"]["counts"]["true_positives"], strata["m"]["counts"]["missed"]) == (2, 0)


def test_two_detectors_are_compared_on_the_same_resamples(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tables / "other.csv").write_text("case_id,x,y,z,score\nA,90,0,0,0.9\nC,0,0,0,0.65\n")
    difference = measured("--compare", "other.csv", "--max-fp", "1")["comparison"]["difference"]
    assert difference["partial AUC"]["value"] == pytest.approx(4 / 9)
    assert difference["partial AUC"]["low"] <= 4 / 9 <= difference["partial AUC"]["high"]
    assert 0 < difference["partial AUC"]["p"] <= 1
    assert re.search(r"^less other.csv +difference \[95 %\], p$", capsys.readouterr().out, flags=re.MULTILINE)
    same = measured("--compare", "candidates.csv")["comparison"]["difference"]["cpm"]
    assert same == {"value": 0, "low": 0, "high": 0, "p": 1}


@pytest.mark.parametrize("folder", ["test", "a_detector_with_a_long_name"])
def test_a_table_of_the_same_name_is_told_by_its_folder(
    tables: Path, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    other = tables / folder / "candidates.csv"
    other.parent.mkdir()
    other.write_text("case_id,x,y,z,score\nA,90,0,0,0.9\nC,0,0,0,0.65\n")
    assert measured("--compare", str(other), "--figure", "froc.svg")["comparison"]["candidates"] == str(other)
    said = capsys.readouterr().out.splitlines()
    if folder == "test":
        assert f"{'less test/candidates.csv':<28}difference [95 %], p" in said
    else:
        at = said.index(f"less {folder}/candidates.csv")
        assert said[at + 1] == f"{'':<28}difference [95 %], p"
        assert "a_dete" in (drawn := (tables / "froc.svg").read_text()) and folder not in drawn


@pytest.mark.parametrize(
    ("path", "other", "labels"),
    [
        (".", "..", ("here", "above")),
        ("runs/v1.2", "runs/v1.3", ("v1.2", "v1.3")),
        ("old/marks.csv", "new/marks.csv", ("old", "new")),
        ("marks.csv", "others.csv", ("marks", "others")),
        ("x/marks", "x/marks.csv", ("marks", "marks.csv")),
        ("marks.csv", "marks.csv", ("marks", "marks")),
    ],
)
def test_a_figure_calls_folders_and_tables_by_what_tells_them_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, other: str, labels: tuple[str, str]
) -> None:
    (tmp_path / "above" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "above" / "here")
    assert (_label(Path(path), Path(other)), _label(Path(other), Path(path))) == labels


def test_overlaps_of_masks_come_from_a_table(tables: Path) -> None:
    (tables / "candidates.csv").write_text("case_id,candidate_id,x,y,z,score\nA,a,90,0,0,0.9\nB,b,90,0,0,0.8\n")
    (tables / "overlaps.csv").write_text("case_id,lesion_id,candidate_id,iou\nA,1,a,0.3\nB,1,b,0.05\n")
    counts = measured("--hit", "overlap:0.1", "--double-hit", "one", "--overlaps", "overlaps.csv")["counts"]
    assert (counts["true_positives"], counts["false_positives"]) == (1, 1)


def test_marks_inside_a_mask_name_the_lesion(tables: Path) -> None:
    (tables / "candidates.csv").write_text("case_id,x,y,z,score,lesion_id\nA,90,0,0,0.9,2\nB,0,0,0,0.8,\n")
    counts = measured("--hit", "inside")["counts"]
    assert (counts["true_positives"], counts["false_positives"]) == (1, 1)


def test_a_cohort_without_lesions_has_no_sensitivity_and_says_so(tables: Path) -> None:
    (tables / "lesions.csv").write_text(LESIONS.splitlines()[0] + "\n")
    result = measured()
    assert result["partial_auc"]["value"] is result["cpm"]["value"] is result["curve"]["sensitivity"] is None
    reason = "sensitivity, partial AUC and CPM are null: no included lesion, so sensitivity is not defined"
    assert result["warnings"] == [reason]
    assert result["counts"]["false_positives"] == 6
    assert froc("--figure", "froc.svg") == 2


def test_no_candidate_at_all_is_a_result(tables: Path) -> None:
    (tables / "candidates.csv").write_text("case_id,x,y,z,score\n")
    result = measured()
    assert (result["counts"]["missed"], result["partial_auc"]["value"], result["cpm"]["value"]) == (3, 0, 0)


def test_the_json_holds_numbers_or_null(tables: Path) -> None:
    measured("--by", "class")
    text = (tables / "out.json").read_text()
    assert not re.search(r"NaN|Infinity", text)


def test_repeated_rows_count_and_are_named(tables: Path) -> None:
    (tables / "candidates.csv").write_text(CANDIDATES + "C,0,0,0,0.65\n")
    result = measured()
    assert result["counts"]["false_positives"] == 3
    assert result["warnings"][-1] == "candidates.csv: 1 row repeats another exactly; each counts as a mark"


def test_lesions_of_unknown_diameter_get_the_one_that_is_named(tables: Path) -> None:
    (tables / "lesions.csv").write_text(LESIONS.replace("20,0,0,4", "20,0,0,-1"))
    assert measured("--unknown-diameter", "50")["warnings"][-1] == "1 lesions of unknown diameter count as 50 mm wide"


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_the_figure_is_drawn(ending: str, tables: Path) -> None:
    assert froc("--figure", f"froc.{ending}", "--compare", "candidates.csv") == 0
    assert (tables / f"froc.{ending}").stat().st_size > 1000


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("candidates", ("0.95", "nan"), "candidates.csv, row 5, column score: `nan` is not finite; give a number"),
        ("candidates", ("0.95", "inf"), "candidates.csv, row 5, column score: `inf` is not finite; give a number"),
        (
            "candidates",
            ("C,0,0,0,0.65", "D,0,0,0,0.65"),
            "candidates.csv, row 7: case `D` is not among the 3 cases of the cohort; add it to the cases or remove "
            "the row",
        ),
        ("cases", ("C,p2,x", "A,p2,x"), "cases.csv, row 4, column case_id: case `A` stands already in row 2; keep one"),
        ("cases", (CASES[24:], ""), "cases.csv: the cohort is empty; evaluation needs at least one case"),
        (
            "lesions",
            ("20,0,0,4", "20,0,0,0"),
            "lesions.csv, row 3, column diameter_mm: 0 is not above 0; give the diameter in mm",
        ),
        (
            "lesions",
            ("20,0,0,4", "20,0,0,-1"),
            "lesions.csv, row 3, column diameter_mm: -1 is not above 0; say which diameter unknown ones have "
            "(--unknown-diameter)",
        ),
        (
            "lesions",
            ("A,2,20", "A,1,20"),
            "lesions.csv, row 3, column lesion_id: lesion `1` of case `A` stands already in row 2; keep one",
        ),
        (
            "lesions",
            ("excluded", "exclude"),
            "lesions.csv, row 5, column kind: `exclude` is not among included, excluded; did you mean `excluded`?",
        ),
        (
            "lesions",
            ("diameter_mm", "diameter"),
            "lesions.csv: column diameter_mm is missing; did you mean `diameter`?; the table needs case_id, x, y, z, "
            "diameter_mm; there are case_id, lesion_id, x, y, z, diameter, kind, class",
        ),
    ],
)
def test_bad_tables_are_named(
    table: str, change: tuple[str, str], message: str, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tables / f"{table}.csv"
    assert change[0] in path.read_text()
    path.write_text(path.read_text().replace(*change, 1))
    assert froc() == 2
    assert capsys.readouterr().err == f"hakken froc: {message}\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hit", "near"], "hit rule `near`: use distance, distance-inclusive, inside, fixed:MM or overlap:IOU"),
        (["--cluster", "patent"], "cases.csv: column patent is missing; did you mean `patient`?; --cluster names one"),
        (
            ["--by", "scaner"],
            "--by scaner: neither lesions nor cases have such a column; did you mean `scanner`?; use one, or "
            "diameter:5,10",
        ),
        (["--by", "diameter:5,x"], "--by diameter:5,x: write the borders in mm, as diameter:5,10"),
        (
            ["--hit", "inside"],
            "candidates.csv: column lesion_id is missing; --hit inside needs the lesion each mark lies in",
        ),
        (
            ["--hit", "overlap:0.1"],
            "candidates.csv: column diameter_mm is missing; --hit overlap:0.1 needs it, or volume_mm3, or --overlaps",
        ),
    ],
)
def test_bad_options_are_named(
    options: list[str], message: str, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert froc(*options) == 2
    assert capsys.readouterr().err == f"hakken froc: {message}\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--at", "0"], "argument --at: `0`: write numbers above 0, as 0.125,1,8"),
        (["--max-fp", "1,2"], "argument --max-fp: `1,2`: write one number above 0"),
        (["--sensitivities", "1.5"], "argument --sensitivities: `1.5`: a sensitivity is at most 1"),
        (["--bootstrap", "0.5"], "argument --bootstrap: `0.5` is not a whole number of at least 0"),
        (["--max-candidates", "0"], "argument --max-candidates: `0`: write a whole number above 0"),
    ],
)
def test_bad_numbers_are_named(
    options: list[str], message: str, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        froc(*options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("unit", ["px", "mm"])
def test_tables_of_flat_images_need_no_z(tmp_path: Path, capsys: pytest.CaptureFixture[str], unit: str) -> None:
    """A polyp of 180 px is hit 80 px from its centre; a sphere of its area times one pixel is 36.6 px wide."""
    (tmp_path / "cases.csv").write_text("case_id,patient\na,1\nb,2\n")
    (tmp_path / "lesions.csv").write_text(f"case_id,lesion_id,x,y,diameter_{unit}\na,1,200,150,180\nb,1,50,50,12\n")
    (tmp_path / "marks.csv").write_text(
        f"case_id,x,y,score,diameter_{unit}\na,264,198,0.9,60\na,20,20,0.5,60\nb,52,50,0.8,12\n"
    )
    output, shares = tmp_path / "froc.json", {}
    for hit in ("distance", "overlap:0.5"):
        tables = [
            f"--{name}={tmp_path / file}.csv"
            for name, file in (("cases", "cases"), ("lesions", "lesions"), ("candidates", "marks"))
        ]
        main(["froc", *tables, "--hit", hit, "--by", "diameter:100", "--bootstrap", "0", "--output", str(output)])
        shares[hit] = json.loads(output.read_text())
    assert shares["distance"]["curve"]["sensitivity"][-1] == 1.0
    assert list(shares["distance"]["strata"]["diameter"]) == [f"below 100 {unit}", f"100 {unit} and more"]
    assert shares["overlap:0.5"]["curve"]["sensitivity"][-1] == 0.5  # discs of 12, 2 apart: IoU 0.65; spheres: 0.6
    capsys.readouterr()


def test_what_warns_of_a_stratum_or_of_the_other_detector_is_said_beside_it(
    tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tables / "other.csv").write_text("case_id,x,y,z,score\n")
    assert froc("--by", "class", "--compare", "other.csv") == 0
    shown = capsys.readouterr().out
    assert "warning: other.csv: there is no candidate, so every sensitivity is 0\n" in shown
    never = "no lesion is found in any resample, so the interval is Wilson's over the patients"
    assert re.search(rf"^warning: class n.*: sensitivity at .*: {never}$", shown, flags=re.MULTILINE)
    assert "0.000 [0.000, 0.000] *" in shown


def test_cases_go_by_what_their_user_wrote(tables: Path) -> None:
    """Composed in one table and decomposed in another, with blanks, signs of formulas and in Japanese."""
    plain = measured()
    names = {"A": "症例 ガ/1", "B": "=1+1", "C": "Jürgen, {x}"}
    for path, form in (("cases.csv", "NFC"), ("lesions.csv", "NFD"), ("candidates.csv", "NFD")):
        lines = (tables / path).read_text().splitlines()
        rows = [line.split(",", 1) for line in lines[1:]]
        named = [f'"{unicodedata.normalize(form, names[case])}",{rest}' for case, rest in rows]
        (tables / path).write_text("\n".join([lines[0], *named]) + "\n", encoding="utf-8")
    assert measured()["curve"] == plain["curve"]


def test_patients_in_two_spellings_are_named(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("case_id,patient\na,P-007\nb,p7\n")
    (tmp_path / "lesions.csv").write_text("case_id,lesion_id,x,y,z,diameter_mm\na,1,0,0,0,9\n")
    (tmp_path / "marks.csv").write_text("case_id,x,y,z,score\na,0,0,1,0.9\n")
    names = {"--cases": "cases.csv", "--lesions": "lesions.csv", "--candidates": "marks.csv", "--output": "out.json"}
    assert main(["froc", *(word for option, name in names.items() for word in (option, str(tmp_path / name)))]) == 0
    said = "patients `P-007` and `p7` differ in spelling alone; they count as different ones"
    assert said in json.loads((tmp_path / "out.json").read_text())["warnings"]
