from __future__ import annotations

from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.outside import Outside, outside_of, require_inside
from hakken.imaging.prepared import Lesion, PreparedCase

GRID = Geometry((4, 4, 4))


def case(name: str, lesions: int, outside: tuple[int, ...] = (), kind: Any = "included") -> PreparedCase:
    found = tuple(Lesion(number, 0.0, 0.0, 0.0, 1.0, 1.0, kind) for number in range(1, lesions + 1))
    return PreparedCase(name, name, ("A",), GRID, GRID, {}, "", True, found, outside=outside)


def test_lesions_outside_are_counted_and_named() -> None:
    found = outside_of([case("a", 20, (3, 7)), case("b", 24, tuple(range(1, 21))), case("c", 0)])
    assert (found.lesions, len(found.missed), found.ceiling) == (44, 22, 0.5)
    assert found.warnings == (
        "at most 0.5 of the lesions can be found: 22 of 44 lesions lie outside of the mask (lesions 3 and 7 of a, "
        "lesions 1, 2, 3 and 17 more of b)",
    )
    assert found.as_dict()["ceiling"] == 0.5
    assert found.as_dict()["missed"][0] == ["a", 3]


def test_nothing_outside_is_no_warning() -> None:
    assert outside_of([case("a", 3)]).warnings == ()
    assert outside_of([]).ceiling == 1
    assert outside_of([case("a", 3, (1,), kind="excluded")]) == Outside(0, ())


def test_many_cases_are_not_all_named() -> None:
    words = outside_of([case(name, 1, (1,)) for name in "abcdefg"]).words
    assert words.endswith("(lesion 1 of a, lesion 1 of b, lesion 1 of c, and in 4 more cases)")


def test_more_than_is_accepted_stops() -> None:
    cases = [case("a", 19), case("b", 1, (1,))]
    require_inside(cases, 0.05, "train", "brain")  # one of twenty
    with pytest.raises(HakkenError) as error:
        require_inside([*cases[:1], case("b", 2, (2,))], 0.04, "train", "brain")
    assert str(error.value) == (
        "train: 1 of 21 lesions lies outside of the mask (lesion 2 of b), so that no more than 0.95 of them can be "
        "found; choose another region of interest than `preparation.mask: brain`, or accept it: "
        "`evaluation.accept_outside: 0.05`"
    )
    require_inside([*cases[:1], case("b", 2, (2,))], 0.05, "train", "brain")
