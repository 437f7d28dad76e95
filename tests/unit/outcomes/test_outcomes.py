"""Values that all outcomes share: rows, what was measured, parts of a cohort, operating points in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.outcomes import Measured, Part, Row, chosen_words, in_order, measured_of
from hakken.study import Section

from ..miniature import prepare_case, study


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        (Row("AUC", 0.714, 0.62, 0.8), "0.714 [0.620, 0.800]"),
        (Row("AUC", 0.0, 0.0, 1.0, digits=2), "0.00 [0.00, 1.00]"),
        (Row("AUC", 0.714, 0.62, None, digits=2), "0.71"),
        (Row("AUC", 0.714), "0.714"),
        (Row("AUC"), "undefined"),
        (Row("AUC", None, 0.1, 0.2), "undefined"),
        (Row("cases", text="12, 3"), "12, 3"),
    ],
)
def test_a_row_as_people_read_it(row: Row, cell: str) -> None:
    assert row.cell == cell


def test_what_was_measured_is_plain_values_and_comes_back() -> None:
    measured = Measured(
        Row("a", 0.5), (Row("a", 0.5), Row("b", None)), "none", {"cases": 2}, {"threshold": 0.3}, ("w",), {"x": [1]}
    )
    assert measured_of(json.loads(json.dumps(measured.as_dict()))) == measured
    nothing = Measured(None, ())
    assert measured_of(nothing.as_dict()) == nothing


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"chosen_for": 8.4}, "for 8.4 false positives per case"),
        ({"chosen_by": "youden"}, "by the Youden index"),
        ({"chosen_by": "specificity:0.95"}, "for a specificity of 0.95"),
        ({"chosen_by": "case_scores"}, "by the scores of the cases"),
    ],
)
def test_how_an_operating_point_was_chosen(point: dict[str, Any], words: str) -> None:
    assert chosen_words(point | {"threshold": 0.3}) == words


def test_the_unit_can_be_written_short() -> None:
    assert chosen_words({"chosen_for": 2.0}, "FP/case") == "for 2 FP/case"


def test_cases_are_measured_in_the_order_of_their_ids() -> None:
    items = [Item(name, "") for name in ("c10", "b", "c2")]
    assert [item.case_id for item in in_order(items)] == ["b", "c10", "c2"]


def test_a_part_knows_whose_its_cases_are(tmp_path: Path) -> None:
    cases = [prepare_case(tmp_path, name, []) for name in "abc"]
    cases = [replace(cases[0], patient="p"), replace(cases[1], patient=""), replace(cases[2], patient="p")]
    part = Part(study(evaluation={"bootstrap": 150}), cases, Section())
    assert (part.case_ids, part.patients) == (["a", "b", "c"], ["p", "b", "p"])
    assert part.patient_index.tolist() == [1, 0, 1]
    assert (part.resamples, part.seed) == (150, derive_seed(5, "bootstrap"))
    assert part.images == cases
    with pytest.raises(HakkenError, match="case a: is an image and no item"):
        _ = part.items


def test_items_are_no_images() -> None:
    part = Part(study(), [Item("a", "p")], Section())
    assert part.items == [Item("a", "p")]
    with pytest.raises(HakkenError, match="case a: is an item and no image"):
        _ = part.images
