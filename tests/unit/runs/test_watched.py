"""The validation cases that a training is watched on."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hakken.cohort.items import Item
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.runs.watched import watched_of

from ..miniature import GEOMETRY, study


def case(number: int, lesions: int = 0, lesion_class: str | None = None, patient: str | None = None) -> PreparedCase:
    found = tuple(Lesion(one, 0, 0, 0, 3, 14, lesion_class=lesion_class) for one in range(lesions))
    owner = patient or f"p{number}"
    geometry = (GEOMETRY, GEOMETRY)
    return PreparedCase(f"c{number:02d}", owner, ("A",), *geometry, {}, f"{number:04x}", True, lesions=found)


MANY = [case(number, lesions=0 if number < 30 else 1) for number in range(40)]


def watched(cases: list[PreparedCase], wanted: int | None, seed: int = 1) -> list[str]:
    training = {} if wanted is None else {"validate_cases": wanted}
    return [one.case_id for one in watched_of(study(training=training, seed=seed), cases)]


def test_all_are_taken_unless_the_study_says_so() -> None:
    everyone = [one.case_id for one in MANY]
    assert watched(MANY, None) == watched(MANY, 40) == watched(MANY, 99) == everyone


@given(st.integers(1, 40))
def test_kinds_come_in_proportion_and_each_at_least_once(wanted: int) -> None:
    found = watched(MANY, wanted)
    assert len(found) == max(wanted, 2)
    assert found == sorted(found)
    abnormal = sum(int(name[1:]) >= 30 for name in found)
    assert abs(abnormal - len(found) / 4) <= 1


def test_more_cases_keep_those_that_were_drawn_before() -> None:
    assert all(set(watched(MANY, wanted)) < set(watched(MANY, wanted + 1)) for wanted in range(2, 39))


def test_the_drawing_goes_by_what_images_show_and_by_the_seed() -> None:
    found = watched(MANY, 8)
    renamed = [replace(one, case_id=f"x{99 - number:02d}", patient=f"y{number}") for number, one in enumerate(MANY)]
    places = [number for number, one in enumerate(MANY) if one.case_id in found]
    assert watched(renamed, 8) == [renamed[number].case_id for number in places]
    assert watched(MANY[::-1], 8) == found[::-1]
    assert watched(MANY, 8, seed=2) != found


def test_each_class_of_lesions_is_a_kind_of_its_own() -> None:
    classes = [case(number, 1, "large" if number == 7 else "small") for number in range(20)]
    assert "c07" in watched(classes, 2)
    labelled = [
        Item(f"i{number}", "", sha256={"x": str(number)}, label="odd" if number == 3 else None) for number in range(9)
    ]
    assert "i3" in [one.case_id for one in watched_of(study(training={"validate_cases": 2}), labelled)]


def test_a_patient_s_cases_stay_together() -> None:
    pairs = [case(number, lesions=number % 2, patient=f"p{number // 2}") for number in range(12)]
    found = watched(pairs, 3)
    assert len(found) == 4
    assert {int(name[1:]) // 2 for name in found} == {int(name[1:]) // 2 for name in found[::2]}
