"""The one reader and writer of tables: what is read, what is refused and in which words, what is written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.core.tables import Table, latex_text, read_table, table_text, write_table

RAGGED = "; quote cells that hold the separator (a decimal comma, say), and fill every column"
SAVE = "; in a spreadsheet, save it as `CSV UTF-8`"
OTHER = ": not a text file in UTF-8 but, as it seems, in "
SEPARATE = "; separate them by commas, semicolons or tabs"
BROKEN = ": a quote is open or stands within a cell; export it again"


def table_of(folder: Path, content: str | bytes, *wanted: tuple[str, ...]) -> Table:
    path = folder / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, *wanted)


def refusal(folder: Path, content: str | bytes, *wanted: tuple[str, ...]) -> str:
    """What is said of a table that cannot be read, without its path."""
    with pytest.raises(HakkenError) as caught:
        table_of(folder, content, *wanted)
    return str(caught.value).removeprefix(str(folder / "table.csv"))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_come_by_name(separator: str, tmp_path: Path) -> None:
    text = "\ufeffcase_id, score ,more\r\nA, 1.5,x\r\nB,-2e-3,y\r\n\r\n".replace(",", separator)
    table = table_of(tmp_path, text, ("score", "case_id"), ())
    assert table.text("case_id") == ["A", "B"]
    np.testing.assert_array_equal(table.numbers("score"), [1.5, -0.002])
    assert (len(table), table.rows, "more" in table) == (2, [2, 3], False)
    assert "more" in read_table(tmp_path / "table.csv", ("score",))
    assert read_table(tmp_path / "table.csv", (), ("more", "other")).columns == ("more",)


@pytest.mark.parametrize(
    ("text", "records", "rows"),
    [
        ("a,b\n", [], []),
        ("sep=;\na;b\n1,5;2\n", [("1,5", "2")], [3]),
        ("SEP=,\na,b\n1;5,2\n", [("1;5", "2")], [3]),
        ("\n  \n\na,b\n1,2\n", [("1", "2")], [5]),
        ("sep=;\n\na;b\n1;2\n", [("1", "2")], [4]),
        ("sep=\t\na\tb\n1\t2\n", [("1", "2")], [3]),
        ('"sep=,"\na,b\n1,2\n', [("1", "2")], [3]),
        ("sep=|\na|b\n1|2\n", [("1", "2")], [3]),
        ("sep=;,,\na;b\n1,5;2\n", [("1,5", "2")], [3]),
        ("a;b\n1,5;2\n", [("1,5", "2")], [2]),
        ('"a";"b"\n"x, y, z";2\n', [("x, y, z", "2")], [2]),
        ("\ufeffa,b\n\u200b1\u00a0,\u30002\n", [("1", "2")], [2]),
        ('a,b\n\n , \n"",\n1,2\n\n', [("1", "2")], [5]),
        ('a,b\n"x, y","say ""no"""\n', [("x, y", 'say "no"')], [2]),
        ('a,b\n"two\nlines",1\n3,4\n', [("two\nlines", "1"), ("3", "4")], [2, 3]),
        ('a,b\n 1 , "2"\n', [("1", "2")], [2]),
        ("a,b,,\n1,2,,\n", [("1", "2")], [2]),
        ("a,b\r1,2\r", [("1", "2")], [2]),
        ("a,b\nNA,nan\nnull,None\n", [("NA", "nan"), ("null", "None")], [2, 3]),
        ("a,b\n007,1e3\n", [("007", "1e3")], [2]),
        ("a,b\nx\u0085y,1\u20282\n", [("x\u0085y", "1\u20282")], [2]),  # no line ends there
    ],
)
def test_cells_are_text_and_rows_are_counted_as_in_the_file(
    text: str, records: list[tuple[str, str]], rows: list[int], tmp_path: Path
) -> None:
    table = table_of(tmp_path, text)
    assert table.columns == ("a", "b")
    assert [tuple(record.values()) for record in table.records()] == records
    assert table.rows == rows


def test_columns_are_found_without_regard_to_case_width_and_blanks(tmp_path: Path) -> None:
    table = table_of(tmp_path, "Case ID,\uff33core, other_thing\nA,1,x\n", ("case_id", "score"))
    assert table.columns == ("case_id", "score", "other_thing")
    assert table_of(tmp_path, "Case ID\nA\n").columns == ("Case ID",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", ": the table is empty; its first line must name the columns (case_id, score)"),
        (" \n\t\n", ": the table is empty; its first line must name the columns (case_id, score)"),
        ("sep=;\n", ": the table is empty; its first line must name the columns (case_id, score)"),
        (
            "case_id,skore\nA,1\n",
            ": column score is missing; did you mean `skore`?; the table needs case_id, score; there are case_id, "
            "skore",
        ),
        ("case_id,score,score\nA,1,2\n", ": column score stands there twice; keep one"),
        ("case_id,score,\nA,1,2\n", ": column 3 holds cells and has no name; name or empty it"),
        ("case_id,score\nA,1\nB\n", f", row 3: 1 cell, the heading has 2{RAGGED}"),
        ("case_id,score\nA,0,5\n", f", row 2: 3 cells, the heading has 2{RAGGED}"),
        ("sep=,\n\ncase_id,score\nA,1\n\nB,0,5\n", f", row 6: 3 cells, the heading has 2{RAGGED}"),
        ('case_id,score\n"A\n",1\nB\n', f", row 3: 1 cell, the heading has 2{RAGGED}"),
        ('case_id,score\nA,1\n"B,2\n', f": not valid CSV (unexpected end of data){BROKEN}"),
        ('case_id,score\n"A"a,1\n', f": not valid CSV (',' expected after '\"'){BROKEN}"),
        (b"case_id,score\nA\0,1\n", f": holds bytes that are no text{SAVE}"),
        ("case_id,größe\n".encode("latin-1"), f"{OTHER}Windows-1252 or Latin-1{SAVE}"),
        ("case_id,µm, °C\n".encode("cp1252"), f"{OTHER}Windows-1252 or Latin-1{SAVE}"),
        ("case_id\n".encode("utf-16"), f"{OTHER}UTF-16{SAVE}"),
        ("case_id,score\nA,1\n".encode("utf-16-le"), f"{OTHER}UTF-16{SAVE}"),
        ("case_id\n".encode("utf-32"), f"{OTHER}UTF-32{SAVE}"),
        ("case_id,score\n症例1,1\n".encode("cp932"), f"{OTHER}Shift-JIS{SAVE}"),
        ("case_id,score\n表示,1\n".encode("cp932"), f"{OTHER}Shift-JIS{SAVE}"),
        ("case_id,score\n山田,1\n".encode("euc_jp"), f"{OTHER}EUC-JP or GB18030 or EUC-KR or Big5{SAVE}"),
        ("case_id,score\n肺の結節です,1\n".encode("euc_jp"), f"{OTHER}EUC-JP{SAVE}"),
        ("case_id,score\n症例,1\n".encode("iso2022_jp"), f"{OTHER}ISO-2022-JP{SAVE}"),
        (bytes(range(1, 256)), f": holds bytes that are no text in UTF-8{SAVE}"),
        (b"PK\x03\x04rest", f": a workbook of a spreadsheet, or an archive, and no text{SAVE}"),
        (b"\xd0\xcf\x11\xe0rest", f": a workbook of an old spreadsheet and no text{SAVE}"),
        (b"\x1f\x8brest", f": a compressed file and no text{SAVE}"),
        ("case_id|score\nA|1\n", f": cells are separated by `|`{SEPARATE}"),
        ("case_id score\nA 1\n", f": cells are separated by blanks{SEPARATE}"),
        ("case_id\uff0cscore\nA\uff0c1\n", f": cells are separated by wide commas{SEPARATE}"),
        ("case_id:score\n\nA:1\n", f": cells are separated by `:`{SEPARATE}"),
        (
            "case_id,score,x\nA;1;2\n",
            ", row 2: 1 cell, the heading has 3; its cells are separated by semicolons, those of the heading are not: "
            "use one separator",
        ),
        (
            "# from PACS\ncase_id,score\nA,1\n",
            ", row 2: 2 cells, the heading has 1; the first line must name the columns",
        ),
        (
            "case_id,score\nA,1\n\ncase_id,score\nB,2\n",
            ", row 4: the heading stands there again; keep the first one alone",
        ),
        (
            'case_id,score,x\n"A,1,2\nB",3,4\n',
            ", row 2: a quoted cell holds a line break, and on both sides of it stands a whole row; close its quote "
            "where the cell ends",
        ),
        (
            "case_id,score\nA,1\nB,#REF!\n",
            ", row 3, column score: `#REF!` is an error of the spreadsheet; mend the cell and export the table again",
        ),
        ("case_id,Case ID,score\nA,B,1\n", ": column case_id stands there twice (as case_id and Case ID); keep one"),
    ],
)
def test_what_is_no_table_is_named(content: str | bytes, message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, content, ("case_id", "score")) == message


@pytest.mark.parametrize(
    ("kind", "cell", "reason"),
    [
        ("text", "", "is empty"),
        ("numbers", "", "is empty; give a number"),
        ("numbers", "high", "`high` is not a number"),
        ("numbers", '"0,5"', "`0,5` is not a number; write decimals with a point"),
        ("numbers", "1_0", "`1_0` is not a number"),
        ("numbers", "\u22125", "`\u22125` is not a number; write the minus as `-`"),
        ("numbers", "nan", "`nan` is not finite; give a number"),
        ("numbers", "-inf", "`-inf` is not finite; give a number"),
        ("flags", "2", "`2` is neither 0 nor 1"),
        ("choices", "includd", "`includd` is not among included, excluded; did you mean `included`?"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named(kind: str, cell: str, reason: str, tmp_path: Path) -> None:
    good = "included" if kind in ("text", "choices") else "1"
    table = table_of(tmp_path, f"case_id,value\nA,{good}\n\nB,{cell}\nC,{cell}\n", ("value",), ("case_id",))
    more = (["included", "excluded"],) if kind == "choices" else ()
    with pytest.raises(HakkenError) as caught:
        getattr(table, kind)("value", *more)
    assert str(caught.value) == f"{table.path}, row 4, column value: {reason}"


def test_where_cells_may_be_empty_they_are_no_numbers(tmp_path: Path) -> None:
    table = table_of(tmp_path, "case_id,x\nA,1\nB,\n")
    np.testing.assert_array_equal(table.numbers("x", empty=True), [1, np.nan])


def test_flags_are_zeros_and_ones(tmp_path: Path) -> None:
    assert table_of(tmp_path, "label\n1\n0\n1.0\n").flags("label").tolist() == [True, False, True]


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    table_of(tmp_path, "a\n1\n")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    for path, reason in (
        (tmp_path / "tabel.csv", "no such file; did you mean `table.csv`?"),
        (tmp_path / "none" / "table.csv", "no such file"),
        (tmp_path, "a folder and no file; name the file itself"),
        (Path("/dev/zero"), "a device and no file; name the file itself"),
        (tmp_path / "loop.csv", "the table cannot be read (Too many levels of symbolic links); check the path"),
        (tmp_path / ("x" * 300), "the table cannot be read (File name too long); check the path"),
        (tmp_path / "pipe.csv", "a pipe and no file; name the file itself"),
    ):
        with pytest.raises(HakkenError) as caught:
            read_table(path)
        assert str(caught.value) == f"{path}: {reason}"


def test_numbers_are_written_with_every_digit_and_what_is_missing_is_empty() -> None:
    rows = [(0.1 + 0.2, None), (np.float64(1e-20), float("nan")), (np.int64(3), True), ('say "no"', "two\nlines")]
    assert table_text(("a", "b, c"), rows) == (
        'a,"b, c"\n0.30000000000000004,\n1e-20,\n3,True\n"say ""no""","two\nlines"\n'
    )
    assert table_text(("a", "b"), []) == "a,b\n"


def test_a_table_for_latex_has_rules_and_no_commands_of_its_cells() -> None:
    assert latex_text(("case_id", "share %"), [("a_b & c", 0.5), (None, "$x^2$")]) == (
        "\\begin{tabular}{ll}\n\\toprule\ncase\\_id & share \\% \\\\\n\\midrule\n"
        "a\\_b \\& c & 0.5 \\\\\n & \\$x\\textasciicircum 2\\$ \\\\\n\\bottomrule\n\\end{tabular}\n"
    )


@pytest.mark.parametrize(("name", "writer"), [("t.csv", table_text), ("t.tex", latex_text)])
def test_the_name_of_a_file_says_how_it_is_written(name: str, writer: object, tmp_path: Path) -> None:
    write_table(tmp_path / "new" / name, ("a",), [(1,)])
    assert (tmp_path / "new" / name).read_text() == writer(("a",), [(1,)])  # type: ignore[operator]


SIGNS = st.text("=+-@'\t \uff1d1.e\"|!a,;\n", max_size=6)
CELLS = (st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=6) | SIGNS).map(str.rstrip)


@given(st.lists(st.tuples(CELLS.map(lambda text: f"x{text}"), CELLS), max_size=5))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    write_table(path, ("a", "b"), rows)
    assert [tuple(record.values()) for record in read_table(path).records()] == rows


@given(CELLS | st.floats(allow_nan=False).map(repr))
def test_no_cell_begins_as_a_formula_does(text: str) -> None:
    _, _, cell = table_text(("a", "b"), [("x", text)]).partition("\nx,")
    cell = cell.strip('"\n')
    number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity|nan)", text.strip(), re.IGNORECASE)
    assert number or len(text) < 2 or cell[:1] not in tuple("=+-@\t\uff1d\uff0b\uff0d\uff20")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(A1)", "'=HYPERLINK(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1+1", "'\t=1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("'=1+1", "''=1+1"),
        ("-1.5", "-1.5"),
        ("+1e-5", "+1e-5"),
        ("'quoted'", "'quoted'"),
        ("a=b", "a=b"),
        ("-", "-"),
    ],
)
def test_a_text_that_a_spreadsheet_would_run_stands_behind_an_apostrophe(text: str, cell: str, tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", (text, "b"), [(text, -1.5), (-2, text)])
    assert (tmp_path / "t.csv").read_text() == f"{cell},b\n{cell},-1.5\n-2,{cell}\n"
    table = read_table(tmp_path / "t.csv")
    assert (table.columns, table.cells["b"]) == ((text, "b"), ["-1.5", text])
    assert table.cells[text] == [text, "-2"]
