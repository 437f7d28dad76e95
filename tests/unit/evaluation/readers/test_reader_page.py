"""The worked examples of docs/reference/readers.md say what the code computes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from hakken.evaluation.readers import obuchowski_rockette
from hakken.evaluation.readers.merit import FIGURES, Merit, merit

from .tables import froc, roc

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs/reference/readers.md").read_text()
CASES = (("n1", 0), ("n2", 0), ("d1", 1), ("d2", 1))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table with this heading."""
    lines = PAGE.partition(heading + "\n")[2].splitlines()[1:]
    table = lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@pytest.fixture(scope="module")
def measured() -> Merit:
    """The example, read from its table."""
    table = rows("| modality | reader | n1 | n2 | d1 | d2 | AUC |")
    ratings = [
        (row[0], row[1], case, diseased, float(rating))
        for row in table
        for (case, diseased), rating in zip(CASES, row[2:6], strict=True)
    ]
    return merit(roc(ratings).study(["without", "with"]), "wilcoxon")


def test_every_auc_of_the_example(measured: Merit) -> None:
    table = rows("| modality | reader | n1 | n2 | d1 | d2 | AUC |")
    assert measured.value.ravel().tolist() == [float(Fraction(row[6])) for row in table]


def test_the_jackknife_of_the_example(measured: Merit) -> None:
    table = rows("| modality | reader | without n1 | without n2 | without d1 | without d2 |")
    order = [2, 3, 0, 1]  # cases are sorted: d1, d2, n1, n2
    expected = [[float(Fraction(cell)) for cell in row[2:]] for row in table]
    assert measured.jackknife.reshape(4, 4)[:, order].tolist() == expected


def test_the_components_and_tests_of_the_example(measured: Merit) -> None:
    found = obuchowski_rockette.analyse(measured, ("without", "with"), ("A", "B"))
    parts = found.components
    ours = (parts.ms_t, parts.ms_r, parts.ms_tr, parts.var, parts.cov1, parts.cov2, parts.cov3)
    assert ours == pytest.approx([float(Fraction(row[1])) for row in rows("| quantity | value |")], abs=1e-15)
    for scope, error, f, df, p in rows("| | error | F | degrees of freedom | p |"):
        test, step = found.inference[scope].test, found.inference[scope].differences[0]  # type: ignore[index]
        assert step.estimate == float(Fraction(3, 16))
        assert step.se**2 == pytest.approx(float(Fraction(error)))  # 2 error / J, with two readers
        assert test.f == pytest.approx(float(Fraction(f)))
        assert test.df2 is None if df == "normal" else test.df2 == pytest.approx(float(df))
        assert test.p == pytest.approx(float(p), abs=5e-5)


def test_the_free_response_example() -> None:
    marks = [("m", "A", "a", "NL", "", 0.4), ("m", "A", "c", "NL", "", 0.9)]
    marks += [("m", "A", "c", "LL", 1, 0.6), ("m", "A", "d", "LL", 1, 0.3)]
    study = froc(marks, [("c", 1), ("c", 2), ("d", 1)], "abcd").study(least=1, readers=1)
    table = {row[0].strip("`"): float(Fraction(row[1])) for row in rows("| figure of merit | value |")}
    assert set(table) == set(FIGURES) - {"wilcoxon"}
    for name, value in table.items():
        assert merit(study, name).value.item() == pytest.approx(value, abs=1e-15)


def test_every_figure_of_merit_is_defined() -> None:
    definitions = PAGE.partition("| `--fom` | design | definition |")[2].partition("## Comparison")[0]
    assert [name for name in FIGURES if f"`{name}`" not in definitions] == []
