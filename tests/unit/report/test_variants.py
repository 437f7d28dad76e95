"""Variants in tables: each training, what the factors matter, and by how much levels differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cli import main
from hakken.core.files import read_json
from hakken.core.tables import write_table
from hakken.outcomes import Replicates
from hakken.report.variants import Cell, Observation, anova_of, cell_rows, contrasts, label_of, table_columns
from hakken.runs.table import Run


def seen(label: str, fold: int, value: float | None, **levels: str) -> Observation:
    state = "failed" if value is None else "complete"
    rows = {} if value is None else {"accuracy": value, "macro AUC": value / 2}
    return Observation(label, levels, fold, state, value, 2.0, "" if value is not None else "diverged", rows)


GRID = [
    seen(
        f"{network}-{shift}",
        fold,
        0.5 + 0.2 * (network == "b") - 0.01 * int(shift) + noise,
        network=network,
        shift=shift,
    )
    for network in "ab"
    for shift in ("0", "2", "4")
    for fold, noise in enumerate((0.0, 0.03, -0.01))
]


def test_the_label_of_a_run_is_its_name_within_its_set() -> None:
    assert label_of(Run("grid-a-2-f1", fold=1, folds=3, set_name="grid")) == "a-2"
    assert label_of(Run("grid-means", set_name="grid")) == "means"


def test_each_training_is_a_row_with_its_levels_and_all_that_was_measured() -> None:
    rows = [GRID[0], seen("a-2", 2, None, network="a", shift="2"), seen("means", 0, 0.4)]
    assert table_columns(rows) == (
        *("variant", "network", "shift", "fold", "state", "objective", "seconds", "reason"),
        *("accuracy", "macro AUC"),
    )
    assert list(cell_rows(rows)) == [
        ("a-0", "a", "0", 0, "complete", 0.5, 2.0, "", 0.5, 0.25),
        ("a-2", "a", "2", 2, "failed", None, 2.0, "diverged", None, None),
        ("means", "", "", 0, "complete", 0.4, 2.0, "", 0.4, 0.2),
    ]


def test_what_matters_is_tested_for_every_row_the_main_one_first() -> None:
    tests = anova_of([*GRID, seen("means", 0, 0.4)], "accuracy")
    assert [test["response"] for test in tests] == ["accuracy", "macro AUC"]
    assert (tests[0]["factors"], tests[0]["rows"], tests[0]["reason"]) == (["network", "shift"], 18, None)
    assert [effect["effect"] for effect in tests[0]["type_ii"]] == ["network", "shift", "network:shift"]
    # 9 observations each of two networks that differ by 0.2: SS = 18 * 0.1^2.
    assert tests[0]["type_ii"][0]["ss"] == pytest.approx(18 * 0.01)
    assert [test["response"] for test in anova_of(GRID, "macro AUC")] == ["macro AUC", "accuracy"]


def test_the_command_gives_the_same_analysis_of_variance(tmp_path: Path) -> None:
    expected = anova_of(GRID, "accuracy")[0]
    write_table(tmp_path / "grid.csv", table_columns(GRID), cell_rows(GRID))
    words = ["anova", "--accuracies", str(tmp_path / "grid.csv"), "--factors", "network,shift"]
    assert main([*words, "--response", "accuracy", "--output", str(tmp_path / "anova.json")]) == 0
    found = read_json(tmp_path / "anova.json")
    for table in ("type_ii", "type_iii"):
        for mine, theirs in zip(expected[table], found[table], strict=True):
            assert mine["effect"] == theirs["effect"]
            assert mine["ss"] == pytest.approx(theirs["ss"], rel=1e-12)
            assert mine["p"] == pytest.approx(theirs["p"], rel=1e-9)
    assert expected["error"]["df"] == found["error"]["df"]


def test_a_failed_training_is_left_out_of_the_test() -> None:
    (test, _) = anova_of([*GRID[1:], seen("a-0", 0, None, network="a", shift="0")], "accuracy")
    assert (test["rows"], test["reason"]) == (17, None)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([seen("a", fold, 0.5, network="a") for fold in range(2)], "no factor has two levels or more"),
        ([seen(name, 0, 0.5, network=name) for name in "ab"], "no degree of freedom"),
    ],
)
def test_what_cannot_be_tested_says_why(rows: list[Observation], reason: str) -> None:
    (test, _) = anova_of(rows, "accuracy")
    assert reason in test["reason"]
    assert "type_ii" not in test


def test_without_trainings_that_were_measured_there_is_no_test() -> None:
    assert anova_of([], "accuracy") == []
    assert anova_of([seen("means", 0, 0.4)], "accuracy") == []
    assert anova_of([seen("a", 0, None, network="a")], "accuracy") == []


def cell(label: str, **levels: str) -> Cell:
    return Cell(label, levels, {}, 0, 1)


def drawn(*values: float) -> Replicates:
    """Objectives of models, and resamples on which each is 0.1 lower, the same and 0.1 higher, but the last stays."""
    moved = np.array([[-0.1, 0.0, 0.1]] * (len(values) - 1) + [[0.0] * 3])
    return Replicates(np.array(values), np.array(values)[:, None] + moved, 3, 0, 0)


def compared(cells: list[Cell], replicates: Replicates, **factors: str) -> list[dict[str, Any]]:
    return contrasts(cells, replicates, {name: levels.split() for name, levels in factors.items()})


def difference(found: list[dict[str, Any]], factor: str, level: str, against: str) -> dict[str, Any]:
    return next(one for one in found if (one["factor"], one["level"], one["against"]) == (factor, level, against))


def test_levels_are_compared_with_the_first_where_the_others_are_first_and_over_all() -> None:
    cells = [cell(f"{n}-{s}", network=n, shift=s) for n in "ab" for s in ("none", "much")]
    found = compared(cells, drawn(0.5, 0.4, 0.9, 0.6), network="a b", shift="none much")
    assert [(one["factor"], one["level"], one["against"]) for one in found] == [
        ("network", "b", "a"),
        ("shift", "much", "none"),
    ]
    network = difference(found, "network", "b", "a")
    assert network["at_first"]["value"] == pytest.approx(0.9 - 0.5)
    assert network["over_all"]["value"] == pytest.approx((0.4 + 0.2) / 2)
    assert network["combinations"] == 2
    assert difference(found, "shift", "much", "none")["over_all"]["value"] == pytest.approx((-0.1 - 0.3) / 2)


def test_differences_are_paired_by_resample() -> None:
    cells = [cell(name, network=name) for name in "abc"]
    found = compared(cells, drawn(0.5, 0.9, 0.7), network="a b c")
    same = difference(found, "network", "b", "a")["over_all"]
    assert (same["low"], same["high"]) == pytest.approx((0.4, 0.4)), "both move alike, and so does their difference not"
    apart = difference(found, "network", "c", "a")["over_all"]
    assert apart["low"] < 0.2 < apart["high"]


def test_a_level_is_compared_with_its_twin_that_starts_at_random() -> None:
    cells = [cell(name, network=name) for name in ("alexnet", "vgg", "vgg.scratch")]
    found = compared(cells, drawn(0.5, 0.9, 0.6), network="alexnet vgg vgg.scratch")
    assert difference(found, "network", "vgg", "vgg.scratch")["over_all"]["value"] == pytest.approx(0.3)
    assert len(found) == 3


def test_the_levels_of_the_first_factor_are_compared_with_what_stands_beside() -> None:
    cells = [cell("a-x", network="a", other="x"), cell("b-x", network="b", other="x"), cell("means")]
    found = compared(cells, drawn(0.5, 0.9, 0.6), network="a b", other="x y")
    values = {level: difference(found, "network", level, "means")["over_all"]["value"] for level in "ab"}
    assert values == {"a": pytest.approx(-0.1), "b": pytest.approx(0.3)}


def test_what_failed_is_compared_with_nothing_and_moves_no_reference() -> None:
    names = ("a-y", "b-x", "b-y")  # a-x has failed
    cells = [cell(name, network=name[0], other=name[2]) for name in names]
    found = compared(cells, drawn(0.4, 0.7, 0.9), network="a b", other="x y")
    network = difference(found, "network", "b", "a")
    assert (network["combinations"], network["over_all"]["value"]) == (1, pytest.approx(0.5))
    assert network["at_first"] == {"value": None, "low": None, "high": None}
    other = difference(found, "other", "y", "x")
    assert (other["combinations"], other["over_all"]["value"]) == (1, pytest.approx(0.2))
    assert contrasts([cell("means")], drawn(0.5), {}) == []
