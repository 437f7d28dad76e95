"""Regions of candidates and lesions: those of urine are counted apart, and each region has a FROC of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.tables import read_table
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared
from hakken.inference.candidate_regions import highest_counted, regions_of
from hakken.inference.candidates import Candidates
from hakken.outcomes import Part, candidates
from hakken.runs.predictions import part_of
from hakken.study import BODY_REGIONS, Study

from ..methods.expectation.test_learn import CT, TARGET, expectation

GRID = Geometry((8, 12, 12), (5.0, 5.0, 5.0))
CHEST, PELVIS, BLADDER = (BODY_REGIONS.index(name) + 1 for name in ("chest", "pelvis", "bladder"))
REGIONS = np.full(GRID.shape_zyx, PELVIS, np.uint8)
REGIONS[4:] = CHEST
REGIONS[:4, 4:8, 4:8] = BLADDER
LESIONS = {"a": [(6, 6, 6), (2, 2, 2)], "b": [(1, 5, 5)], "c": []}
"""In chest and pelvis; in the bladder; none."""
MARKS = {
    # the lesion in the chest; urine right beside nothing; a false one in the chest; beside the lesion in the pelvis
    "a": [((6, 6, 6), 0.9), ((2, 6, 6), 0.95), ((5, 1, 1), 0.3), ((2, 3, 2), 0.5)],
    "b": [((1, 5, 5), 0.8), ((1, 10, 10), 0.4)],  # the lesion in the bladder; false in the pelvis
    "c": [((3, 5, 5), 0.7)],  # urine
}


def made(marks: list[tuple[tuple[int, int, int], float]]) -> Candidates:
    ordered = sorted(marks, key=lambda mark: -mark[1])
    voxel = np.array([place for place, _ in ordered], float).reshape(-1, 3)
    return Candidates(GRID.to_world(voxel), np.array([score for _, score in ordered]), np.full(len(voxel), 9.0), voxel)


@pytest.fixture
def cases(tmp_path: Path) -> list[PreparedCase]:
    found = []
    for name, places in LESIONS.items():
        lesions = tuple(
            Lesion(number, *GRID.to_world([place])[0].tolist(), 16.0, 2000.0) for number, place in enumerate(places, 1)
        )
        case = PreparedCase(name, f"p{name}", ("A", "B"), GRID, GRID, {}, name, has_truth=True, lesions=lesions)
        shape = GRID.shape_zyx
        found.append(
            save_prepared(tmp_path, case, np.zeros((2, *shape)), np.ones(shape), np.zeros(shape), body=REGIONS)
        )
    return found


def a_study(**changes: Any) -> Study:
    return expectation(
        channels={"A": CT, "B": TARGET},
        body_regions={"channel": "A"},
        outcomes={"candidates": {"hit": "fixed:7", "at": [1], "operating_point": 1, "diameters_mm": [10]}},
        evaluation={"bootstrap": 100},
        **changes,
    )


def part(cases: list[PreparedCase], study: Study | None = None) -> Part:
    return part_of(study or a_study(), "candidates", cases)


@pytest.fixture
def found() -> Mapping[str, Candidates]:
    return {name: made(marks) for name, marks in MARKS.items()}


def strata(measured: Any) -> dict[str, dict[str, Any]]:
    table = measured.tables["strata"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {row["stratum"]: row for row in rows if row["group"] == "region"}


def test_what_lies_apart_neither_counts_as_found_nor_as_false(
    cases: list[PreparedCase], found: Mapping[str, Candidates]
) -> None:
    counts = candidates.measure(found, part(cases)).details["counts"]
    # Of three lesions the one in the bladder is left out; of seven marks three lie there and hit nothing that counts.
    assert (counts["lesions"], counts["true_positives"], counts["false_positives"]) == (2, 2, 2)
    study = a_study()
    assert study.body_regions is not None
    none = study.model_copy(update={"body_regions": study.body_regions.model_copy(update={"apart": ()})})
    counts = candidates.measure(found, part(cases, none)).details["counts"]
    assert (counts["lesions"], counts["true_positives"], counts["false_positives"]) == (3, 3, 4)


def test_each_region_has_its_lesions_and_its_false_positives(
    cases: list[PreparedCase], found: Mapping[str, Candidates]
) -> None:
    by = strata(candidates.measure(found, part(cases)))
    assert list(by) == ["chest", "pelvis", "bladder"]
    assert {name: (row["lesions"], row["found"]) for name, row in by.items()} == {
        "chest": (1, 1), "pelvis": (1, 1), "bladder": (1, 1),
    }  # fmt: skip
    rates = {name: row["fp_per_case"] for name, row in by.items()}
    assert rates == pytest.approx({"chest": 1 / 3, "pelvis": 1 / 3, "bladder": 2 / 3})


def test_a_candidate_apart_that_hits_a_lesion_that_counts_is_kept(cases: list[PreparedCase]) -> None:
    """A lesion in the pelvis, 5 mm from the bladder's border, whose brightest voxel lies within that."""
    place = (2, 3, 5)
    lesion = Lesion(1, *GRID.to_world([place])[0].tolist(), 16.0, 2000.0)
    beside = [replace(cases[2], lesions=(lesion,))]
    counts = candidates.measure({"c": made([((2, 4, 5), 0.9)])}, part(beside)).details["counts"]
    assert (counts["lesions"], counts["true_positives"], counts["false_positives"]) == (1, 1, 0)


def test_the_objective_is_that_of_what_counts(cases: list[PreparedCase], found: Mapping[str, Candidates]) -> None:
    measured = candidates.measure(found, part(cases))
    assert measured.objective is not None
    assert candidates.objective(found, part(cases)) == pytest.approx(measured.objective.value)
    without_urine = {name: made([mark for mark in marks if name == "a"]) for name, marks in MARKS.items()}
    assert candidates.objective(found, part(cases)) <= candidates.objective(without_urine, part(cases))


def test_every_candidate_carries_its_region_into_its_table_and_back(
    cases: list[PreparedCase], found: Mapping[str, Candidates], tmp_path: Path
) -> None:
    candidates.write(tmp_path, found, part(cases))
    table = read_table(tmp_path / candidates.FILE)
    assert list(table.text("region"))[:4] == ["bladder", "chest", "pelvis", "chest"]
    again = candidates.read(tmp_path, part(cases))
    assert [len(again[name]) for name in LESIONS] == [4, 2, 1]
    assert regions_of(again["b"], cases[1]) == ["bladder", "pelvis"]
    one = tmp_path / "one.csv"
    lines = list(candidates.save_one(one, found["c"], cases[2], None))
    assert lines
    assert read_table(one).text("region") == ["bladder"]


def test_the_score_of_a_case_is_not_that_of_its_urine(
    cases: list[PreparedCase], found: Mapping[str, Candidates]
) -> None:
    apart = ("kidneys", "ureters", "bladder")
    assert [highest_counted(found[case.case_id], case, apart) for case in cases] == [0.9, 0.4, 0.0]
    assert [highest_counted(found[case.case_id], case, ()) for case in cases] == [0.95, 0.8, 0.7]
