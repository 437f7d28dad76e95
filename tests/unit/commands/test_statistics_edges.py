"""What the commands on tables of scores, labels, accuracies and ratings say of tables at the edge of sense."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hakken.cli import main

NO_RESAMPLES = "no resamples were asked for, so bootstrap intervals are null; give --bootstrap 1000"

SCORES = "case_id,label,score\n" + "".join(f"c{i},{i % 2},{(i * 7 % 11) / 11}\n" for i in range(12))
LABELS = "case_id,truth,prediction\n" + "".join(f"c{i},{'ab'[i % 2]},{'ab'[i * 7 % 11 % 2]}\n" for i in range(12))
ACCURACIES = "network,case,accuracy\n" + "".join(
    f"{network},c{i},{(i * 3 + place) % 7 / 7}\n" for place, network in enumerate("ab") for i in range(12)
)
RATINGS = "modality,reader,case_id,diseased,rating\n" + "".join(
    f"{modality},{reader},c{i},{i % 2},{(i * 7 + reader * 3 + place) % 11}\n"
    for place, modality in enumerate("ab")
    for reader in (1, 2)
    for i in range(12)
)
COMMANDS = {
    "roc": (SCORES, ["roc", "--scores"]),
    "agreement": (LABELS, ["agreement", "--labels"]),
    "anova": (ACCURACIES, ["anova", "--factors", "network", "--within", "case", "--accuracies"]),
    "readers": (RATINGS, ["readers", "--design", "roc", "--ratings"]),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def result(command: str, table: str, *options: str) -> dict[str, Any]:
    Path("table.csv").write_text(table, encoding="utf-8", newline="")
    assert main([*COMMANDS[command][1], "table.csv", "--output", "out.json", *options]) == 0
    found = dict(json.loads(Path("out.json").read_text(), parse_constant=refuse))
    found.pop("inputs", None)
    return found


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace(",", ";"), id="semicolons"),
        pytest.param(lambda text: "\ufeff" + text.replace("\n", "\r\n"), id="Windows"),
        pytest.param(lambda text: text.removesuffix("\n").replace(",", "\t"), id="tabs, no last line end"),
        pytest.param(lambda text: re.sub(r"\b(c\d+)", '"é\u2028,\\1"', text), id="quoted, unicode"),
    ],
)
def test_the_same_table_in_another_guise_gives_the_same_numbers(command: str, change: Any) -> None:
    table = COMMANDS[command][0]
    plain = json.dumps(result(command, table))
    assert json.dumps(result(command, change(table))) == plain


@pytest.mark.parametrize("command", COMMANDS)
def test_the_order_of_rows_changes_nothing(command: str) -> None:
    heading, *rows = COMMANDS[command][0].splitlines()
    # names stand in the order of their first row, so that of the first case and of the networks stays
    first = result(command, "\n".join([heading, *rows]))
    second = result(command, "\n".join([heading, rows[0], *rows[:0:-1]]))
    assert numbers(second) == pytest.approx(numbers(first), rel=1e-9)


def numbers(value: Any) -> list[float]:
    """All numbers of a result, in the order of their keys."""
    if isinstance(value, dict):
        return [number for key in sorted(value) for number in numbers(value[key])]
    if isinstance(value, list):
        return [number for part in value for number in numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


@pytest.mark.parametrize("command", ["roc", "agreement", "anova"])
def test_intervals_without_resamples_are_null_with_a_reason(command: str) -> None:
    found = result(command, COMMANDS[command][0], "--bootstrap", "0")
    assert NO_RESAMPLES in found["warnings"]


@pytest.mark.parametrize("command", ["roc", "readers"])
def test_scores_need_only_be_finite(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    heading, *rows = COMMANDS[command][0].splitlines()
    values = [row.rsplit(",", 1) for row in rows]
    huge = [f"{rest},{(float(value) - 0.5) * 1e307!r}" for rest, value in values]
    plain, scaled = result(command, "\n".join([heading, *rows])), result(command, "\n".join([heading, *huge]))
    if command == "roc":
        assert scaled["scores"]["score"]["auc"] == plain["scores"]["score"]["auc"]
    else:
        assert scaled["obuchowski_rockette"] == plain["obuchowski_rockette"]
    assert "Warning" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("command", "table", "message"),
    [
        (
            "anova",
            "network,case,accuracy\na,c0,1\na,c1,1e200\nb,c0,2\nb,c1,3\n",
            "hakken anova: table.csv, row 3, column accuracy: `1e+200` is too large to be squared; give the measure in "
            "another unit\n",
        ),
        (
            "readers",
            "modality,reader,case_id,diseased,rating\n"
            + "".join(f"{m},{r},c{i},{i},{i}\n" for m in "ab" for r in (1, 2) for i in (0, 1)),
            "hakken readers: table.csv: `wilcoxon` needs two or more diseased cases, since the jackknife leaves one "
            "out; there is one\n",
        ),
    ],
)
def test_bad_tables_are_named(command: str, table: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("table.csv").write_text(table)
    assert main([*COMMANDS[command][1], "table.csv"]) == 2
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--figure", "a.jpg"], "a.jpg: figures are written as pdf, svg, png, not as `jpg`"),
        (["--output", "."], ".: is a folder; name a file"),
    ],
)
def test_what_cannot_be_written_is_named(
    command: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table, words = COMMANDS[command]
    Path("table.csv").write_text(table)
    assert main([*words, "table.csv", *options]) == 2
    assert capsys.readouterr().err == f"hakken {command}: {message}\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("text", ["", "\n", "a\n", "case_id\n"])
def test_no_table_is_named(command: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("table.csv").write_text(text)
    assert main([*COMMANDS[command][1], "table.csv"]) == 2
    assert capsys.readouterr().err.startswith(f"hakken {command}: table.csv: ")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_reads_is_no_error(unbuffered: str) -> None:
    Path("table.csv").write_text(SCORES)
    reader, writer = os.pipe()
    os.close(reader)
    line = [sys.executable, "-m", "hakken.cli", "roc", "--scores", "table.csv", "--output", "out.json"]
    with os.fdopen(writer, "w") as nowhere:
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        ended = subprocess.run(line, stdout=nowhere, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    assert (ended.returncode, ended.stderr) == (141, "")
    assert Path("out.json").is_file()


def test_names_that_the_terminal_cannot_show_are_written_otherwise() -> None:
    Path("table.csv").write_text("case_id,truth,prediction\n1,患,患\n2,b,患\n3,b,b\n", encoding="utf-8")
    line = [sys.executable, "-m", "hakken.cli", "agreement", "--labels", "table.csv"]
    ended = subprocess.run(
        line, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\\u60a3" in ended.stdout
