"""Rows of a table that every command names are those of the file, blank rows and all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hakken.cli import main

CASES = "case_id,patient\na,p\nb,q\n"
LESIONS = "case_id,lesion_id,x,y,z,diameter_mm\na,1,0,0,0,4\n"
MARKS = "case_id,x,y,z,score\na,0,0,0,1\n"
FROC = ("froc", "--cases", "cases.csv", "--lesions", "lesions.csv", "--candidates", "marks.csv")
ANOVA = ("anova", "--accuracies", "t.csv", "--response", "accuracy", "--factors", "f", "--within", "case")
READERS = ("readers", "--design", "roc", "--ratings", "t.csv")
RATINGS = "modality,reader,case_id,diseased,rating\nx,r,a,1,3\nx,r,b,0,1\nx,s,a,1,3\nx,s,b,0,1\n"


@pytest.mark.parametrize(
    ("words", "tables", "said"),
    [
        (("roc", "--scores", "t.csv"), {"t.csv": "case_id,label,score\na,1,1\na,0,2\n"}, "row 5, column case_id: case"),
        (("roc", "--scores", "t.csv"), {"t.csv": "case_id,label,score\na,1,1\nb,0,x\n"}, "row 5, column score: `x`"),
        (("roc", "--scores", "t.csv"), {"t.csv": "case_id,label,score\na,1\n"}, "row 4: 2 cells"),
        (
            ("agreement", "--labels", "t.csv"),
            {"t.csv": "case_id,truth,prediction\na,m,m\na,m,n\n"},
            "row 5, column case_id: case `a` stands already in row 4; keep one",
        ),
        (
            ("overlap", "--pairs", "t.csv"),
            {"t.csv": "case_id,truth,prediction\na,m,m\na,m,n\n"},
            "row 5, column case_id: case `a` stands already in row 4; keep one",
        ),
        (
            ANOVA,
            {"t.csv": "case,f,accuracy\na,x,1\na,y,2\na,x,3\n"},
            "row 6: case `a` with f = x stands already in row 4; keep one, or average them",
        ),
        (
            FROC,
            {"cases.csv": CASES + "a,p\n", "lesions.csv": LESIONS, "marks.csv": MARKS},
            "cases.csv, row 6, column case_id: case `a` stands already in row 4; keep one",
        ),
        (
            FROC,
            {"cases.csv": CASES, "lesions.csv": LESIONS + "a,1,9,9,9,4\n", "marks.csv": MARKS},
            "lesions.csv, row 5, column lesion_id: lesion `1` of case `a` stands already in row 4; keep one",
        ),
        (
            FROC,
            {"cases.csv": CASES, "lesions.csv": LESIONS + "b,1,9,9,9,0\n", "marks.csv": MARKS},
            "lesions.csv, row 5, column diameter_mm: 0 is not above 0",
        ),
        (
            FROC,
            {"cases.csv": CASES, "lesions.csv": LESIONS, "marks.csv": MARKS + "c,0,0,0,1\n"},
            "marks.csv, row 5: case `c` is not among the 2 cases of the cohort",
        ),
        (
            READERS,
            {"t.csv": RATINGS + "x,r,a,1,3\n"},
            "row 8: the reader rated this case in this modality already in row 4",
        ),
        (READERS, {"t.csv": RATINGS + "y,r,a,0,3\n"}, "row 8, column diseased: case `a` is 0 here and 1 in row 4"),
        (READERS, {"t.csv": RATINGS + "y,r,a,1,3\n"}, "reader `r` has no rating of case `b` (row 5) in modality `y`"),
    ],
)
def test_a_message_names_the_rows_of_the_file(
    words: tuple[str, ...],
    tables: dict[str, str],
    said: str,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two blank rows stand below each heading; without them the same rows have numbers that are smaller by two."""
    monkeypatch.chdir(tmp_path)
    for name, text in tables.items():
        heading, _, rest = text.partition("\n")
        Path(name).write_text(f"{heading}\n\n{',' * heading.count(',')}\n{rest}")
    assert main(list(words)) == 2
    assert said in capsys.readouterr().err
    for name, text in tables.items():
        Path(name).write_text(text)
    assert main(list(words)) == 2
    assert re.sub(r"\brow (\d+)", lambda row: f"row {int(row[1]) - 2}", said) in capsys.readouterr().err
