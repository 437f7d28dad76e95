"""Classes of lesions and of cases: balanced accuracy by hand, what is called what, what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.outcomes import Part, classes
from hakken.outcomes.classes import Unit, units_of
from hakken.runs.predictions import part_of
from hakken.study import Study

GRID = Geometry((4, 4, 4))


def lesion(number: int, name: str | None, kind: Any = "included") -> Lesion:
    return Lesion(number, 0, 0, 0, 5, 65, kind, name)


def case(name: str, *lesions: Lesion) -> PreparedCase:
    return PreparedCase(name, f"p{name}", ("A",), GRID, GRID, {}, name, True, lesions)


CASES = [
    case("a", lesion(1, "one"), lesion(2, "two"), lesion(3, "two", "excluded")),
    case("b", lesion(1, "one")),
    case("c", lesion(4, "two")),
    case("d"),
]
FOUND = {
    "a": np.array([[0.9, 0.1], [0.4, 0.6]]),
    "b": np.array([[0.3, 0.7]]),  # wrong
    "c": np.array([[0.2, 0.8]]),
    "d": np.zeros((0, 2)),
}


def part(cases: list[Any] = CASES, truth: str = "lesion_table") -> Part:
    content: dict[str, Any] = {
        "name": "nodules",
        "seed": 5,
        "method": "mean_classifier",
        "cohort": {"table": "cases.csv", "truth": truth, "classes": ["one", "two"]},
        "channels": {"A": {"modality": "ct"}},
        "evaluation": {"bootstrap": 200},
    }
    return part_of(Study.model_validate(content), "classes", cases)


def test_what_is_measured() -> None:
    """Of class one 1 of 2 is right, of class two 2 of 2: balanced 3/4, and 3 of 4 in all."""
    measured = classes.measure(FOUND, part())
    assert [row.name for row in measured.rows] == [
        *("balanced accuracy", "  of guessing", "accuracy", "  of the most frequent class", "MCC", "macro AUC"),
    ]
    # AUC: of the four pairs of a lesion of each class (0.9, 0.3 against 0.4, 0.2) three are in order.
    assert [row.value for row in measured.rows] == pytest.approx([3 / 4, 1 / 2, 3 / 4, 1 / 2, 2 / 12**0.5, 3 / 4])
    assert measured.objective == measured.rows[0]
    assert classes.objective(FOUND, part()) == 3 / 4
    assert measured.counts == {"lesions": 4, "patients": 3}
    assert measured.details["confusion"] == {"classes": ["one", "two"], "matrix": [[1, 1], [0, 2]]}


def test_the_table_holds_the_class_what_it_is_called_and_every_probability(tmp_path: Path) -> None:
    classes.write(tmp_path, FOUND, part())
    assert (tmp_path / "classes.csv").read_text() == (
        "case_id,patient,lesion,class,called,p.one,p.two\n"
        "a,pa,1,one,one,0.9,0.1\na,pa,2,two,two,0.4,0.6\nb,pb,1,one,two,0.3,0.7\nc,pc,4,two,two,0.2,0.8\n"
    )
    again = classes.read(tmp_path, part())
    assert all(np.array_equal(again[name], values) for name, values in FOUND.items())


LABELLED = [Item("x", "px", label="two"), Item("y", "py", label="one")]


def test_cases_have_a_row_of_their_own_where_the_truth_is_a_label(tmp_path: Path) -> None:
    found = {"x": np.array([[0.2, 0.8]]), "y": np.array([[0.4, 0.6]])}
    classes.write(tmp_path, found, part(LABELLED, "label"))
    assert (tmp_path / "classes.csv").read_text().splitlines()[1:] == ["x,px,,two,two,0.2,0.8", "y,py,,one,two,0.4,0.6"]
    assert classes.read(tmp_path, part(LABELLED, "label")).keys() == {"x", "y"}
    assert classes.measure(found, part(LABELLED, "label")).rows[0].value == 1 / 2


def test_what_is_classified() -> None:
    assert units_of(CASES[0], part()) == (Unit("1", "one"), Unit("2", "two"))
    assert units_of(LABELLED[0], part(LABELLED, "label")) == (Unit("", "two"),)


@pytest.mark.parametrize("name", ["three", None])
def test_a_class_that_the_study_does_not_have_is_told(name: str | None) -> None:
    with pytest.raises(HakkenError) as caught:
        units_of(case("e", lesion(2, name)), part())
    said = f"case e, lesion 2: has the class `{name or ''}`; cohort.classes of the study names one, two"
    assert str(caught.value) == said


def test_a_label_that_the_study_does_not_have_is_told() -> None:
    with pytest.raises(HakkenError, match=r"case z: has the label `none`; cohort\.classes names one, two"):
        units_of(Item("z", "p"), part(LABELLED, "label"))


@pytest.mark.parametrize(
    ("gone", "message"), [("a,pa,2", "case a: lesion 2 has no probabilities"), ("b,", "case b: lesion 1 has no prob")]
)
def test_a_lesion_without_probabilities_is_told(gone: str, message: str, tmp_path: Path) -> None:
    classes.write(tmp_path, FOUND, part())
    table = tmp_path / "classes.csv"
    table.write_text("".join(line for line in table.read_text().splitlines(True) if not line.startswith(gone)))
    with pytest.raises(HakkenError, match=message):
        classes.read(tmp_path, part())


def test_replicates_are_paired() -> None:
    right = FOUND | {"b": np.array([[0.7, 0.3]])}
    drawn = classes.replicates([FOUND, right], part(), 3)
    assert drawn.values.tolist() == [3 / 4, 1]
    assert (drawn.drawn[1] == 1).all()
    assert set(np.round(np.unique(drawn.drawn[0]), 6)) <= {0.0, 0.5, 0.666667, 0.75, 0.833333, 1.0}
    assert (drawn.drawn[0] < drawn.drawn[1]).any()
