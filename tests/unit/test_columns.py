from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hakken.core.tables import read_table
from hakken.core.errors import HakkenError


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_come_by_name(separator: str, tmp_path: Path) -> None:
    text = "\ufeffcase_id, score ,more\r\nA, 1.5,x\r\nB,-2e-3,y\r\n\r\n".replace(",", separator)
    table = read_table(written(tmp_path, text), ("score", "case_id"), ())
    assert table.text("case_id") == ["A", "B"]
    np.testing.assert_array_equal(table.numbers("score"), [1.5, -0.002])
    assert (len(table), "more" in table) == (2, False)
    assert "more" in read_table(tmp_path / "table.csv", ("score",))


def test_a_heading_alone_is_a_table_without_entries(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "case_id,score\n"), ("case_id", "score"))
    assert (len(table), table.text("case_id"), table.numbers("score").shape) == (0, [], (0,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": the table is empty; its first line must name the columns (case_id, score)"),
        ("case_id,skore\nA,1\n", ": column score is missing; did you mean `skore`?; the table needs case_id, score"),
        ("case_id,score,score\nA,1,2\n", ": column score stands there twice; keep one"),
        ("case_id,score\nA,1\n\nB,2\n", ", row 3: empty; remove it"),
        ("case_id,score\nA,1\nB\n", ", row 3: 1 cells, the heading has 2"),
        ('case_id,score\nA,1\n"B,2\n', ", row 3: not valid CSV (unexpected end of data); export the table again"),
    ],
)
def test_what_is_no_table_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(HakkenError, match=f"^{re.escape(str(path) + message)}$"):
        read_table(path, ("case_id", "score"))


@pytest.mark.parametrize(
    ("kind", "cell", "reason"),
    [
        ("text", "", "is empty"),
        ("numbers", "", "is empty; give a number"),
        ("numbers", "high", "`high` is not a number"),
        ("numbers", '"0,5"', "`0,5` is not a number; write decimals with a point"),
        ("numbers", "nan", "`nan` is not finite; give a number"),
        ("numbers", "-inf", "`-inf` is not finite; give a number"),
        ("flags", "2", "`2` is neither 0 nor 1"),
        ("choices", "includd", "`includd` is not among included, excluded; did you mean `included`?"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named(kind: str, cell: str, reason: str, tmp_path: Path) -> None:
    good = "included" if kind in ("text", "choices") else "1"
    path = written(tmp_path, f"case_id,value\nA,{good}\nB,{cell}\nC,{cell}\n")
    table = read_table(path, ("value",))
    more = (["included", "excluded"],) if kind == "choices" else ()
    with pytest.raises(HakkenError, match=f"^{re.escape(f'{path}, row 3, column value: {reason}')}$"):
        getattr(table, kind)("value", *more)


def test_flags_are_zeros_and_ones(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "label\n1\n0\n1.0\n"), ("label",))
    assert table.flags("label").tolist() == [True, False, True]


def test_a_missing_file_and_another_encoding_are_named(tmp_path: Path) -> None:
    written(tmp_path, "a\n1\n")
    missing = tmp_path / "tabel.csv"
    with pytest.raises(HakkenError, match=f"^{re.escape(str(missing))}: no such file; did you mean `table.csv`"):
        read_table(missing, ("a",))
    (tmp_path / "latin.csv").write_bytes("größe\n1\n".encode("latin-1"))
    with pytest.raises(HakkenError, match=r"not a text file in UTF-8; in a spreadsheet, save it as `CSV UTF-8`$"):
        read_table(tmp_path / "latin.csv", ("a",))
