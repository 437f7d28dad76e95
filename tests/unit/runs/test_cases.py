"""Cases from where they stand, what a result was made from, and which cases a fold holds out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.imaging.prepared import Lesion, PreparedCase, load_prepared
from hakken.runs.cases import NO_CASE, read_cases, read_cases_of, require_unseen
from hakken.runs.generation import generation_of
from hakken.runs.held_out import held_out_of
from hakken.runs.table import run_named

from ..miniature import GEOMETRY, prepare_case, study

ITEMS = [Item(f"i{number}", f"p{number}", {}, {}, {"vector": str(number)}, None) for number in range(3)]


def test_images_come_from_folders_and_items_from_checked_files_in_their_order(tmp_path: Path) -> None:
    for batch, names in (("train-000", "ba"), ("train-001", "c")):
        for name in names:
            prepare_case(tmp_path / batch, name, [])
    checked = tmp_path / "train-002.json"
    checked.write_text(json.dumps({"items": [item.as_dict() for item in ITEMS]}))
    found = read_cases([tmp_path / "train-001", tmp_path / "train-000", checked])
    assert [case.case_id for case in found] == ["c", "a", "b", "i0", "i1", "i2"]
    assert found[3:] == ITEMS
    assert read_cases([]) == []
    assert (NO_CASE.case_id, NO_CASE.abnormal) == ("drawn", False)


@pytest.fixture
def case(tmp_path: Path) -> PreparedCase:
    return prepare_case(tmp_path / "cases", "a", [(8, 9, 10)])


def test_a_generation_depends_on_the_code_and_on_every_byte_of_the_cases(case: PreparedCase, tmp_path: Path) -> None:
    before = generation_of(None, [case], "c0de")
    assert generation_of(None, [load_prepared(tmp_path / "cases", "a")], "c0de") == before
    assert generation_of(None, [case], "other") != before
    assert generation_of(None, [case, case], "c0de") != before
    seen = {before}
    for suffix in ("npy", "mask.npy", "labels.npy"):
        path = tmp_path / "cases" / f"a.{suffix}"
        array = np.load(path)
        array.ravel()[0] += 1
        np.save(path, array)
        seen.add(generation_of(None, [case], "c0de"))
    assert len(seen) == 4


def test_a_generation_depends_on_the_patches_and_on_the_files_of_items(tmp_path: Path) -> None:
    before = generation_of(None, ITEMS, "c")
    other = replace(ITEMS[0], sha256={"vector": "other"})
    assert generation_of(None, [other, *ITEMS[1:]], "c") != before
    moved = replace(ITEMS[0], files={"vector": Path("elsewhere.npz")})
    assert generation_of(None, [moved, *ITEMS[1:]], "c") == before, "wherever its files stand"
    (tmp_path / "shards.json").write_text("{}")
    with_patches = generation_of(tmp_path, ITEMS, "c")
    (tmp_path / "shards.json").write_text("{ }")
    assert len({before, with_patches, generation_of(tmp_path, ITEMS, "c")}) == 3


def cohort() -> list[PreparedCase]:
    """Twelve patients with two cases each, a lesion of one of two classes in every first case."""
    lesion = Lesion(1, 0, 0, 0, 3, 14)
    return [
        PreparedCase(
            *(f"c{number:02d}", f"p{number // 2:02d}", ("A",), GEOMETRY, GEOMETRY, {}, "", True),
            lesions=() if number % 2 else (replace(lesion, lesion_class="one" if number % 4 else "two"),),
        )
        for number in range(24)
    ]


def held(cases: Sequence[PreparedCase | Item], fold: int, **changes: int) -> tuple[str, ...]:
    chosen = study(variants={"grid": {"factors": {"depth": {"one": {}}}, "folds": 3}}, **changes)
    return held_out_of(chosen, run_named(chosen, f"grid-one-f{fold}"), cases)  # type: ignore[arg-type]


def test_every_case_is_held_out_once_and_patients_stay_together() -> None:
    folds = [held(cohort(), fold) for fold in range(3)]
    assert sorted(name for fold in folds for name in fold) == [case.case_id for case in cohort()]
    patient = {case.case_id: case.patient for case in cohort()}
    assert sum(len({patient[name] for name in fold}) for fold in folds) == 12
    classes = {case.case_id: case.lesions[0].lesion_class for case in cohort() if case.lesions}
    for fold in folds:
        assert sorted(classes[name] for name in fold if name in classes) == ["one", "one", "two", "two"]


def test_folds_depend_on_the_seed_and_not_on_the_order_of_the_cases() -> None:
    folds = [held(cohort(), fold) for fold in range(3)]
    assert [held(cohort()[::-1], fold) for fold in range(3)] == folds
    assert [held(cohort(), fold, seed=7) for fold in range(3)] != folds


def test_a_case_without_a_patient_is_one_of_its_own() -> None:
    alone = [replace(item, patient="") for item in ITEMS]
    assert sorted(name for fold in range(3) for name in held(alone, fold)) == ["i0", "i1", "i2"]


def test_a_run_without_folds_holds_nothing_out() -> None:
    with pytest.raises(HakkenError, match="run `search` has no folds"):
        held_out_of(study(), run_named(study(), "search"), cohort())


KINDS = {"design": "cross_validation", "leave_out": {"column": "kind", "values": ["ms", "lung"]}}


def test_cases_of_kinds_that_are_left_out_say_which_they_are(tmp_path: Path) -> None:
    chosen = study(evaluation=KINDS, without_baseline="cases alone")
    for folder, name in (("ms-000", "a"), ("lung_without_ms-003", "b")):
        prepare_case(tmp_path / folder, name, [])
    places = [tmp_path / "ms-000", tmp_path / "lung_without_ms-003"]
    cases = read_cases_of(chosen, places)
    assert [(case.case_id, case.columns["kind"]) for case in cases] == [("a", "ms"), ("b", "lung")]
    assert all("kind" not in case.columns for case in read_cases_of(study(), places))
    require_unseen(chosen, 1, cases[:1])
    require_unseen(study(), 1, cases)
    with pytest.raises(HakkenError) as stopped:
        require_unseen(chosen, 1, cases)
    assert str(stopped.value) == "case b: is of the kind `lung`, which this training is to do without"
