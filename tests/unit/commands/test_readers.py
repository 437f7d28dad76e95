"""A reader study from the plan over the filled lists to the analysis, and the sample size of the next one."""

from __future__ import annotations

import csv
import json
import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cli import main

ROC = ("modality", "reader", "case_id", "diseased", "rating")
# The study that is worked by hand in docs/reference/readers.md.
BY_HAND = {
    ("without", "A"): (1, 2, 2, 3),
    ("without", "B"): (1, 3, 2, 2),
    ("with", "A"): (1, 2, 3, 4),
    ("with", "B"): (1, 2, 2, 2),
}
MARKS = """modality,reader,case_id,mark,lesion_id,rating
without,A,a,NL,,0.4
without,A,c,NL,,0.9
without,A,c,LL,1,0.6
without,A,d,LL,1,0.3
without,B,a,NL,,0.5
without,B,d,LL,1,0.7
with,A,c,LL,1,0.8
with,A,c,LL,2,0.6
with,A,d,LL,1,0.5
with,B,b,NL,,0.2
with,B,c,LL,2,0.6
with,B,d,LL,1,0.7
"""


def write(path: Path, heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([heading, *rows])
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    cases = (("n1", 0), ("n2", 0), ("d1", 1), ("d2", 1))
    rows = [
        (*key, case, diseased, rating)
        for key, values in BY_HAND.items()
        for (case, diseased), rating in zip(cases, values, strict=True)
    ]
    return write(tmp_path / "ratings.csv", ROC, rows)


def simulated(path: Path, readers: int, cases: int, seed: int = 1) -> Path:
    """Ratings in two modalities; CAD helps."""
    rng = np.random.default_rng(seed)
    diseased = np.arange(cases) % 2
    signal = rng.normal(size=cases) * 0.6 + 1.2 * diseased
    rows = []
    for modality, help_ in (("without", 0.0), ("with", 0.7)):
        for reader in range(readers):
            values = signal + help_ * diseased + rng.normal(size=cases) * 0.8
            rows += [(modality, f"R{reader}", f"c{k}", diseased[k], round(values[k], 3)) for k in range(cases)]
    return write(path, ROC, rows)


def analyse(*arguments: object) -> int:
    return main(["readers", *map(str, arguments)])


def test_analyse_prints_and_writes_the_numbers_by_hand(
    ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out" / "result.json"
    status = analyse("--ratings", ratings, "--design", "roc", "--modalities", "without,with", "--output", output)
    assert status == 0
    shown = capsys.readouterr().out
    assert "AUC of 2 readers, 4 cases (2 diseased, 2 lesions)\n" in shown
    assert (
        "A             0.8750      1.0000\nB             0.5000      0.7500\nmean          0.6875      0.8750\n"
        in shown
    )
    # MS(T) / MS(TR) = 9 with 1 and 1 degrees of freedom: p = 1 - 2/pi atan 3
    assert "RRFC, random readers, these cases: F(1, 1.0) = 9.00, p = 0.2048\n" in shown
    result = json.loads(output.read_text())
    assert result["figures"] == {"without": {"A": 7 / 8, "B": 1 / 2}, "with": {"A": 1, "B": 3 / 4}}
    assert result["components"]["ms_t"] == 9 / 256
    rrfc = result["obuchowski_rockette"]["RRFC"]
    assert rrfc["differences"][0]["estimate"] == 3 / 16
    assert rrfc["test"]["p"] == pytest.approx(1 - 2 / math.pi * math.atan(3))
    assert result["counts"] == {
        "modalities": 2,
        "readers": 2,
        "cases": 4,
        "patients": 4,
        "diseased": 2,
        "lesions": 2,
        "jackknifed": 4,
    }
    assert result["warnings"][0].startswith("2 readers:")


def test_the_order_of_the_modalities_decides_the_sign_and_that_of_the_rows_nothing(
    ratings: Path, tmp_path: Path
) -> None:
    results = {}
    shuffled = ratings.read_text().splitlines()
    other = tmp_path / "other.csv"
    other.write_text("\n".join([shuffled[0], *shuffled[:0:-1]]) + "\n")
    for name, table, order in (
        ("plain", ratings, "without,with"),
        ("rows", other, "without,with"),
        ("swapped", ratings, "with,without"),
    ):
        output = tmp_path / f"{name}.json"
        assert analyse("--ratings", table, "--design", "roc", "--modalities", order, "--output", output) == 0
        results[name] = json.loads(output.read_text())
    assert results["plain"] == results["rows"]
    here, there = (results[name]["obuchowski_rockette"]["RRRC"]["differences"][0] for name in ("plain", "swapped"))
    assert here["estimate"] == -there["estimate"]
    assert (here["low"], here["p"]) == (pytest.approx(-there["high"]), pytest.approx(there["p"]))


def froc_files(folder: Path) -> list[object]:
    (folder / "marks.csv").write_text(MARKS)
    (folder / "lesions.csv").write_text("case_id,lesion_id\nc,1\nc,2\nd,1\n")
    (folder / "cases.csv").write_text("case_id\na\nb\nc\nd\n")
    names = (("--ratings", "marks.csv"), ("--lesions", "lesions.csv"), ("--cases", "cases.csv"))
    return ["--design", "froc", *(part for option, name in names for part in (option, folder / name))]


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        # Reader A: psi of c1 (0.6) over a (0.4) and b (none) 2, of c2 (unmarked) 1/2, of d1 (0.3) 1.
        ("wafroc", 9 / 16),
        ("afroc", 7 / 12),
        ("inferred-roc", 3 / 4),
        ("wafroc1", 1 / 2),
        ("max-llf", 2 / 3),
        ("max-nlf", 1 / 2),
        ("max-nlf-normal", 1 / 2),
    ],
)
def test_analyse_of_marks(figure: str, expected: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "result.json"
    order = ("--modalities", "without,with")
    assert analyse(*froc_files(tmp_path), "--fom", figure, *order, "--output", output) == 0
    result = json.loads(output.read_text())
    assert result["figures"]["without"]["A"] == pytest.approx(expected)
    assert result["less_is_better"] == figure.startswith("max-nlf")
    assert len(result["figures_of_merit"]) == 8
    assert result["figures_of_merit"][figure] == result["figures"]
    shown = capsys.readouterr()
    assert shown.err == ""
    assert ("; less is better\n" in shown.out) == result["less_is_better"]


def test_identical_modalities_have_null_and_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = simulated(tmp_path / "one.csv", 5, 20)
    rows = [row for row in read(table) if row["modality"] == "with"]
    both = [[modality, *list(row.values())[1:]] for modality in ("with", "without") for row in rows]
    output = tmp_path / "result.json"
    same = write(tmp_path / "same.csv", ROC, both)
    assert analyse("--ratings", same, "--design", "roc", "--output", output) == 0
    result = json.loads(output.read_text())
    for scope in ("RRRC", "FRRC", "RRFC"):
        found = result["obuchowski_rockette"][scope]
        assert (found["test"]["p"], found["differences"][0]["p"], found["differences"][0]["estimate"]) == (
            None,
            None,
            0,
        )
        reason = "F, t, p and intervals of differences are null: the differences of the modalities have no variance"
        assert f"{scope}: {reason}" in result["warnings"]
    assert "NaN" not in output.read_text()
    assert "no variance, no test" in capsys.readouterr().out


def test_figures_that_the_cases_do_not_allow_are_null_with_a_reason(tmp_path: Path) -> None:
    columns = ("modality", "reader", "case_id", "mark", "lesion_id", "rating")
    marks = [[m, r, case, "NL", "", 1] for m in ("a", "b") for r in "AB" for case in "cd"]
    marks += [[m, r, "c", "LL", 1, 2] for m in ("a", "b") for r in "AB"]
    ratings = write(tmp_path / "marks.csv", columns, marks)
    lesions = write(tmp_path / "lesions.csv", ["case_id", "lesion_id"], [["c", 1], ["d", 1]])
    cases = write(tmp_path / "cases.csv", ["case_id"], [["c"], ["d"]])
    output = tmp_path / "result.json"
    tables = ("--ratings", ratings, "--lesions", lesions, "--cases", cases, "--fom", "max-llf", "--output", output)
    assert analyse("--design", "froc", *tables) == 0
    result = json.loads(output.read_text())
    assert [name for name, found in result["figures_of_merit"].items() if found is None] == [
        *("inferred-roc", "wafroc", "afroc", "max-nlf-normal")
    ]
    reason = "`wafroc` needs two or more non-diseased cases, since the jackknife leaves one out; there is none"
    assert f"figures_of_merit: null, {reason}" in result["warnings"]


def test_a_whole_study_takes_less_than_half_a_second(tmp_path: Path) -> None:
    table = simulated(tmp_path / "ratings.csv", 9, 92)
    analyse("--ratings", table, "--design", "roc")  # imports
    start = time.process_time()
    assert analyse("--ratings", table, "--design", "roc", "--output", tmp_path / "result.json") == 0
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_the_figure_is_drawn_and_drawn_alike(kind: str, tmp_path: Path) -> None:
    table = simulated(tmp_path / "ratings.csv", 9, 30)
    drawn = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.{kind}"
        assert analyse("--ratings", table, "--design", "roc", "--figure", path) == 0
        drawn.append(path.read_bytes())
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) > 5000


def test_a_stand_alone_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [list(row.values()) for row in read(simulated(tmp_path / "all.csv", 6, 30))]
    system = [["CAD", "system", *row[2:]] for row in rows if row[:2] == ["with", "R5"]]
    table = write(tmp_path / "ratings.csv", ROC, [*rows, *system])
    output, drawn = tmp_path / "result.json", tmp_path / "figure.png"
    options = ("--ratings", table, "--design", "roc", "--single", "CAD")
    assert analyse(*options, "--modalities", "without", "--output", output, "--figure", drawn) == 0
    found = json.loads(output.read_text())["system"]
    assert set(found["difference"]) == {"RRRC", "FRRC", "RRFC"}
    mean = np.mean([entry["difference"]["estimate"] for entry in found["reader_differences"]])
    assert found["difference"]["RRRC"]["estimate"] == pytest.approx(mean)
    assert found["difference"]["RRRC"]["se"] > found["difference"]["RRFC"]["se"]
    assert drawn.stat().st_size > 5000
    assert "CAD - without: " in capsys.readouterr().out
    assert analyse(*options) == 2
    assert capsys.readouterr().err == (
        "hakken readers: --single CAD: it is compared with the readers of one other modality, here are with, without; "
        "choose one with --modalities\n"
    )
    assert analyse("--ratings", table, "--design", "roc", "--single", "with", "--modalities", "without") == 2
    assert capsys.readouterr().err == (
        f"hakken readers: {table}, column reader: 6 readers (R0, R1, R2, R3, R4, R5) in modality `with`; a stand-alone "
        "system is one reader, so give all its rows one name\n"
    )
    assert analyse("--ratings", table, "--design", "roc", "--single", "with", "--modalities", "CAD") == 2
    assert analyse("--ratings", table, "--design", "roc", "--single", "CD", "--modalities", "with") == 2
    assert "`CD` does not occur; did you mean `CAD`?" in capsys.readouterr().err
    lonely = write(tmp_path / "lonely.csv", ROC, [*system, *(row for row in rows if row[:2] == ["with", "R1"])])
    assert analyse("--ratings", lonely, "--design", "roc", "--single", "CAD") == 2
    assert capsys.readouterr().err == (
        f"hakken readers: {lonely}, column reader: one reader (`R1`) in modality `with`; this analysis "
        f"needs 2 or more, so add their rows\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("without,B,n2,0,3", "without,B,n2,0,nan", "{}, row 7, column rating: `nan` is not finite; give a number"),
        ("without,B,n2,0,3\n", "", "{}: reader `B` has no rating of case `n2` (row 3) in modality "
         "`without`; every reader must rate every case in every modality: add the rating or remove the case"),
        ("without,B,n2,0,3", "without,B,n1,0,3", "{}, row 7: the reader rated this case in this modality "
         "already in row 6; keep one"),
        ("rating", "score", "{}: column rating is missing; the table needs modality, reader, case_id, "
         "diseased, rating; there are modality, reader, case_id, diseased, score"),
    ],
)  # fmt: skip
def test_bad_ratings_are_named(
    old: str, new: str, expected: str, ratings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ratings.read_text().replace("\r\n", "\n")
    assert old in text
    ratings.write_text(text.replace(old, new))
    assert analyse("--ratings", ratings, "--design", "roc") == 2
    assert capsys.readouterr().err == f"hakken readers: {expected.format(ratings)}\n"


def test_options_that_do_not_fit_are_named(ratings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, expected in (
        (("--design", "froc"), "--lesions is missing: marks of --design froc need the cases that were read and their"),
        (("--design", "roc", "--cases", "x.csv"), "--cases x.csv: ratings of --design roc name the truth themselves"),
        (("--design", "roc", "--fom", "wafroc"), "`wafroc` does not exist for roc ratings; choose one of wilcoxon"),
        (("--design", "roc", "--modalities", "with,"), "--modalities with,: a name is empty"),
        (
            ("--design", "roc", "--modalities", "with,with"),
            "--modalities with,with: `with` is there twice; name it once",
        ),
        (
            ("--design", "roc", "--figure", tmp_path / "f.jpg"),
            f"{tmp_path}/f.jpg: figures are written as pdf, svg, png",
        ),
    ):
        assert analyse("--ratings", ratings, *arguments) == 2
        assert capsys.readouterr().err.startswith(f"hakken readers: {expected}")


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    rows = [(f"case{k:02}", ("easy", "hard")[k % 2], int(k % 3 == 0)) for k in range(24)]
    return write(tmp_path / "cases.csv", ("case_id", "stratum", "diseased"), rows)


def plan(cases: Path, folder: Path, *more: object) -> int:
    fixed = ["--readers", "A,B,C", "--modalities", "without,with", "--start", "2026-01-12", "--seed", "1"]
    return main(["readers", "plan", "--cases", str(cases), *fixed, "--output", str(folder), *map(str, more)])


def test_the_lists_are_blinded_balanced_and_reproducible(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan(cases, tmp_path / "one") == 0
    shown = capsys.readouterr().out
    assert "24 cases, 3 readers, 2 modalities: 144 readings\n" in shown
    assert "session 2: 2026-02-09, 24 cases a reader\n" in shown
    assert plan(cases, tmp_path / "two") == 0
    lists = sorted((tmp_path / "one" / "lists").iterdir())
    assert [path.name for path in lists] == [f"{reader}_session-{n}.csv" for reader in "ABC" for n in (1, 2)]
    for path in (*lists, tmp_path / "one" / "ratings_template.csv"):
        text = path.read_text()
        assert "case" not in text and "diseased" not in text and "easy" not in text
    for name in ("key.csv", "plan.json", "ratings_template.csv", "lists/A_session-1.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    key = read(tmp_path / "one" / "key.csv")
    assert set(key[0]) == {"session", "reader", "position", "code", "modality", "case_id", "stratum", "diseased"}
    for reader in "ABC":
        for stratum, diseased in (("easy", "0"), ("easy", "1"), ("hard", "0"), ("hard", "1")):
            first = [row["modality"] for row in key if (row["reader"], row["session"]) == (reader, "1")
                     and (row["stratum"], row["diseased"]) == (stratum, diseased)]  # fmt: skip
            assert abs(first.count("with") - first.count("without")) <= 1
    settings = json.loads((tmp_path / "one" / "plan.json").read_text())
    assert settings["sessions"][1]["readings"]["A"] == {"without": 12, "with": 12}
    assert settings["balanced"] == ["stratum", "diseased"]


def test_a_plan_is_never_written_over(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(cases, tmp_path / "one") == 0
    assert plan(cases, tmp_path / "one") == 2
    assert capsys.readouterr().err == (
        f"hakken readers: {tmp_path}/one: a plan is there already; choose another folder, so that no list is lost\n"
    )


def test_bad_plans_are_named(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more, expected in (
        (("--readers", "A,a"), "--readers: `A` and another differ in case alone; files of both would be the same"),
        (
            ("--readers", "A/B,C"),
            "--readers: `A/B` becomes a file's name; use letters, digits, `-` and `_`, at most 40",
        ),
        (("--start", "12.1.2026"), "--start 12.1.2026: not a date; write year, month and day, as 2026-01-12"),
        (("--sessions", 3), "3 sessions cannot hold 2 modalities evenly; take a multiple of 2, so that every case is "),
        (("--seed", -1), "--seed -1: give a number that is not negative"),
    ):
        assert plan(cases, tmp_path / "bad", *more) == 2
        assert capsys.readouterr().err.startswith(f"hakken readers: {expected}")
    twice = write(tmp_path / "twice.csv", ("case_id",), [("a",), ("b",), ("a",)])
    assert plan(twice, tmp_path / "bad") == 2
    assert capsys.readouterr().err == (
        f"hakken readers: {twice}, row 4, column case_id: case `a` stands already in row 2; keep one\n"
    )
    assert not (tmp_path / "bad").exists()


def fill(path: Path, answer: dict[str, str]) -> None:
    """Rate each code of a list or template as its case deserves."""
    rows = read(path)
    for row in rows:
        row["rating"] = answer[row["code"]]
    write(path, list(rows[0]), [list(row.values()) for row in rows])


def test_filled_lists_are_collected_into_a_table_that_analyse_reads(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "study"
    assert plan(cases, folder) == 0
    key = read(folder / "key.csv")
    answer = {row["code"]: str(int(row["case_id"][4:]) * 7 % 5) for row in key}
    collect = ["readers", "collect", str(folder), "--output", str(tmp_path / "ratings.csv")]
    assert main(collect) == 2
    first = folder / "lists" / "A_session-1.csv"
    assert capsys.readouterr().err == f"hakken readers: {first}, row 2, column rating: is empty; give a number\n"
    for path in (folder / "lists").iterdir():
        fill(path, answer)
    assert main(collect) == 0
    collected = read(tmp_path / "ratings.csv")
    truth = {row["case_id"]: row["diseased"] for row in read(cases)}
    assert len(collected) == 144
    for row in collected:
        assert row["rating"] == str(int(row["case_id"][4:]) * 7 % 5)
        assert row["diseased"] == truth[row["case_id"]]
    assert analyse("--ratings", tmp_path / "ratings.csv", "--design", "roc") == 0
    # The same from the template, saved as ratings.csv in the folder.
    shutil.copy(folder / "ratings_template.csv", folder / "ratings.csv")
    fill(folder / "ratings.csv", answer)
    assert main([*collect[:-1], str(tmp_path / "again.csv")]) == 0
    again = read(tmp_path / "again.csv")
    assert sorted(map(str, again)) == sorted(map(str, collected))


def test_what_does_not_fit_the_plan_is_named(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, filled = tmp_path / "study", tmp_path / "filled.csv"
    assert plan(cases, folder) == 0
    shutil.copy(folder / "ratings_template.csv", filled)
    fill(filled, dict.fromkeys((row["code"] for row in read(filled)), "1"))
    good = read(filled)
    other = {"with": "without", "without": "with"}[good[0]["modality"]]
    collect = ["readers", "collect", str(folder), "--ratings", str(filled), "--output", str(tmp_path / "ratings.csv")]
    capsys.readouterr()
    for rows, expected in (
        (
            [good[0] | {"modality": other}, *good[1:]],
            f"{filled}, row 2, column modality: `{other}`, but it was to be read",
        ),
        (
            [good[0] | {"code": "S1-x"}, *good[1:]],
            f"{filled}, row 2, column code: `S1-x` is not in the lists of reader `A`",
        ),
        (
            [good[0] | {"reader": "D"}, *good[1:]],
            f"{filled}, row 2, column reader: `D` is no reader of the plan; the plan ",
        ),
        (
            [good[0], *good],
            f"{filled}, row 3, column code: reader `A` has rated `{good[0]['code']}` already; keep one row",
        ),
        (good[1:], f"{filled}: reader `A` has no row for `{good[0]['code']}` (key.csv, row 2); add it\n"),
    ):
        write(filled, list(good[0]), [list(row.values()) for row in rows])
        assert main(collect) == 2
        assert capsys.readouterr().err.startswith(f"hakken readers: {expected}")
    assert not (tmp_path / "ratings.csv").exists()


def test_a_folder_without_a_plan_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collect = ["readers", "collect", str(tmp_path), "--output", str(tmp_path / "ratings.csv")]
    assert main(collect) == 2
    assert capsys.readouterr().err == f"hakken readers: {tmp_path}/plan.json: no such file\n"
    (tmp_path / "plan.json").write_text("[]")
    assert main(collect) == 2
    assert capsys.readouterr().err == (
        f"hakken readers: {tmp_path}/plan.json: no plan of `readers plan`: it does not say whether roc or froc\n"
    )


def test_marks_are_collected_and_the_truth_may_come_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = write(tmp_path / "plain.csv", ("case_id",), [(name,) for name in "abcd"])
    folder, output = tmp_path / "study", tmp_path / "marks.csv"
    assert plan(plain, folder, "--design", "froc") == 0
    collect = ["readers", "collect", str(folder), "--output", str(output)]
    assert main(collect) == 2
    assert capsys.readouterr().err == (
        f"hakken readers: {folder}/ratings.csv: no such file; fill in ratings_template.csv and save it "
        f"there, or name it with --ratings\n"
    )
    rows = read(folder / "ratings_template.csv")
    answers = [(*list(row.values())[:4], "NL", "", 1 + place % 3) for place, row in enumerate(rows)]
    answers[0] = (*answers[0][:4], "none", "", "")
    write(folder / "ratings.csv", list(rows[0]), [*answers, answers[1]])
    assert main(collect) == 0
    collected = read(output)
    assert len(collected) == 25
    first = list(collected[0].values())
    assert (first[:2], first[3:]) == ([rows[0]["modality"], "A"], ["none", "", ""])
    write(folder / "ratings.csv", list(rows[0]), answers[1:])
    assert main(collect) == 2
    assert capsys.readouterr().err.endswith("(key.csv, row 2); add it; write the mark none where nothing was marked\n")


def test_ratings_without_truth_in_the_plan_need_the_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = write(tmp_path / "plain.csv", ("case_id",), [(name,) for name in "abcd"])
    folder = tmp_path / "study"
    assert plan(plain, folder) == 0
    key = read(folder / "key.csv")
    for path in (folder / "lists").iterdir():
        fill(path, {row["code"]: "3" for row in key})
    collect = ["readers", "collect", str(folder), "--output", str(tmp_path / "ratings.csv")]
    assert main(collect) == 2
    assert capsys.readouterr().err == (
        f"hakken readers: {folder}/key.csv: no column diseased; name a table of case_id and diseased with --cases\n"
    )
    truth = write(tmp_path / "truth.csv", ("case_id", "diseased"), [("a", 1), ("b", 0), ("c", 1)])
    assert main([*collect, "--cases", str(truth)]) == 2
    assert capsys.readouterr().err == f"hakken readers: {truth}: case `d` of {folder}/key.csv is missing; add its row\n"
    write(truth, ("case_id", "diseased"), [("a", 1), ("b", 0), ("c", 1), ("d", 0)])
    assert main([*collect, "--cases", str(truth)]) == 0
    assert {(row["case_id"], row["diseased"]) for row in read(tmp_path / "ratings.csv")} == {
        ("a", "1"), ("b", "0"), ("c", "1"), ("d", "0"),
    }  # fmt: skip


def test_the_patient_of_a_case_is_known_from_the_plan_to_the_jackknife(tmp_path: Path) -> None:
    rows = [(f"case{k:02}", k % 2, f"patient{k // 3}") for k in range(24)]
    table = write(tmp_path / "cases.csv", ("case_id", "diseased", "patient"), rows)
    folder, ratings, output = tmp_path / "study", tmp_path / "ratings.csv", tmp_path / "result.json"
    assert plan(table, folder) == 0
    for path in (folder / "lists").iterdir():
        assert "patient" not in path.read_text()
        fill(path, {row["code"]: str(int(row["case_id"][4:]) * 7 % 5) for row in read(folder / "key.csv")})
    assert main(["readers", "collect", str(folder), "--output", str(ratings)]) == 0
    of = {row[0]: row[2] for row in rows}
    assert all(row["patient"] == of[row["case_id"]] for row in read(ratings))
    assert analyse("--ratings", ratings, "--design", "roc", "--output", output) == 0
    counts = json.loads(output.read_text())["counts"]
    assert (counts["cases"], counts["patients"], counts["jackknifed"]) == (24, 8, 8)


VAN_DYKE = "var_tr=0.0002004025,var=0.0008022883,cov1=0.0003466137,cov2=0.0003440748,cov3=0.0002390284"


def test_the_published_sample_size_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "size.json"
    options = ["--variance-components", VAN_DYKE, "--pilot-cases", "114", "--difference", "0.0438003"]
    more = ["--readers", "4,6,10", "--cases", "112..1120:112", "--output", str(output)]
    assert main(["readers", "sample-size", *options, *more]) == 0
    result = json.loads(output.read_text())
    # RJafroc, vignette on sample size: 6 readers and 112 cases have 0.5556; 0.8 needs 1089, 251 and 163 cases.
    cell = next(entry for entry in result["table"] if (entry["readers"], entry["cases"]) == (6, 112))
    assert cell["power"] == pytest.approx(0.5555789, abs=1e-5)
    assert [design["cases"] for design in result["smallest"]["designs"]] == [1089, 251, 163]
    assert "\n      6   0.56" in capsys.readouterr().out


def test_the_sample_size_from_a_pilot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pilot, output = tmp_path / "pilot.json", tmp_path / "size.json"
    table = simulated(tmp_path / "ratings.csv", 5, 60)
    assert analyse("--ratings", table, "--design", "roc", "--output", pilot) == 0
    options = [
        "--pilot",
        str(pilot),
        "--difference",
        "0.0001",
        "--readers",
        "5..6",
        "--cases",
        "60",
        "--output",
        str(output),
    ]
    assert main(["readers", "sample-size", *options]) == 0
    result = json.loads(output.read_text())
    assert result["pilot"]["cases"] == 60
    assert result["smallest"]["designs"] == [{"readers": number, "cases": None, "power": None} for number in (5, 6)]
    assert result["warnings"][0] == "5 readers: a power of 0.8 is not reached with up to 60 cases"
    assert "more than 60" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--variance-components", VAN_DYKE], "--pilot-cases is missing: covariances shrink with the cases; "
         "say how many "),
        (["--variance-components", "var=1,cov1=0.5", "--pilot-cases", "9"], "--variance-components "
         "var=1,cov1=0.5: var_tr is missing; give var_tr, var, cov1, cov2, cov3"),
        (["--variance-components", "vr=1", "--pilot-cases", "9"], "--variance-components vr=1: unknown "
         "component `vr`; did you mean `var`?"),
        (["--variance-components", "var=x", "--pilot-cases", "9"], "--variance-components var=x: `x` of var "
         "is not a number"),
        (["--variance-components", VAN_DYKE, "--pilot-cases", "9", "--readers", "5-9"], "--readers 5-9: write A..B, "
         "A..B:STEP or a list as 5,8,12"),
        (["--variance-components", VAN_DYKE, "--pilot-cases", "9", "--readers", "1..4"], "--readers 1..4: a "
         "study needs two"),
        (["--variance-components", VAN_DYKE, "--pilot-cases", "9", "--cases", "2..200000"], "--cases "
         "2..200000: at most "),
        (["--variance-components", VAN_DYKE, "--pilot-cases", "9", "--power", "80"], "--power 80: give a "
         "number between 0 "),
        (["--variance-components", VAN_DYKE, "--pilot-cases", "9", "--difference", "0"], "--difference 0: give the "),
    ],
)  # fmt: skip
def test_bad_sample_size_options_are_named(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["readers", "sample-size", "--difference", "0.05", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"hakken readers: {expected}")


def test_a_pilot_without_components_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pilot = tmp_path / "pilot.json"
    pilot.write_text('{"system": {}}')
    assert main(["readers", "sample-size", "--pilot", str(pilot), "--difference", "0.05"]) == 2
    assert capsys.readouterr().err == (
        f"hakken readers: {pilot}: no variance components in it ('components' is missing); give the "
        f"--output of `hakken readers` of two or more modalities\n"
    )


@pytest.mark.parametrize(("given", "missing"), [([], "--ratings"), (["--ratings", "ratings.csv"], "--design")])
def test_without_an_action_ratings_and_design_are_needed(
    given: list[str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["readers", *given]) == 2
    words = "give --ratings and --design, or one of sample-size, plan, collect"
    assert capsys.readouterr().err == f"hakken readers: {missing} is missing; {words}\n"
