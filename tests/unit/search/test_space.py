from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings

from hakken.core.errors import HakkenError
from hakken.search import Space
from hakken.study import Parameter

from .spaces import MIXED, mappings

REAL = {"type": "real", "low": 0.0, "high": 1.0}
CHOICE = {"type": "categorical", "choices": ["sgd", "adam"]}


def test_parents_come_first_wherever_they_stand() -> None:
    order = Space.from_mapping(MIXED).order
    assert order.index("optimizer") < order.index("nesterov") < order.index("warm_up")
    assert order.index("optimizer") < order.index("momentum")
    assert set(order) == set(MIXED)


def test_conditions_chain() -> None:
    space = Space.from_mapping(MIXED)
    plain = {"optimizer": "adam", "layers": 2, "kernel": 3, "learning_rate": 0.01}
    assert set(space.active(plain)) == {"optimizer", "layers", "kernel", "learning_rate"}
    sgd = plain | {"optimizer": "sgd", "momentum": 0.9, "nesterov": False}
    assert set(space.active(sgd)) == {*plain, "momentum", "nesterov"}
    assert set(space.active(sgd | {"nesterov": True})) == {*plain, "momentum", "nesterov", "warm_up"}


def test_a_parameter_of_a_study_builds_the_same_space() -> None:
    mapping = {name: entry for name, entry in MIXED.items() if name != "kernel"}
    parameters = {name: Parameter.model_validate(entry) for name, entry in mapping.items()}
    assert Space.from_mapping(parameters) == Space.from_mapping(mapping)


def test_any_object_with_the_fields_will_do() -> None:
    entry = SimpleNamespace(type="integer", low=1, high=3)
    assert Space.from_mapping({"layers": entry}) == Space.from_mapping({"layers": vars(entry)})


def test_booleans_numbers_and_texts_are_different_choices() -> None:
    space = Space.from_mapping({"x": {"type": "categorical", "choices": [1, True, "1"]}})
    assert [space["x"].index(value) for value in (1, 1.0, True, "1", False, 2)] == [0, 0, 1, 2, None, None]
    assert len({space.key({"x": value}) for value in (1, True, "1")}) == 3


def test_grid_lists_every_valid_point_once() -> None:
    space = Space.from_mapping(
        {
            "units": {"type": "integer", "low": 1, "high": 3, "when": {"layers": [1, 2]}},
            "layers": {"type": "integer", "low": 0, "high": 2},
            "fixed": {"type": "real", "low": 0.5, "high": 0.5},
        }
    )
    grid = space.grid(limit=7)
    assert grid is not None
    assert len({space.key(point) for point in grid}) == len(grid) == 1 + 2 * 3
    for point in grid:
        space.check(point)
    assert space.grid(limit=6) is None


def test_a_range_of_reals_has_no_grid() -> None:
    assert Space.from_mapping({"x": REAL}).grid(1000) is None


@settings(max_examples=60, deadline=None)
@given(mappings())
def test_random_spaces_are_understood(mapping: dict[str, Any]) -> None:
    space = Space.from_mapping(mapping)
    assert list(space.by_name) == list(mapping)
    for name, entry in mapping.items():
        assert all(space.order.index(parent) < space.order.index(name) for parent in entry.get("when", {}))


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"x": {**REAL, "hihg": 2}}, "`x`: unknown key `hihg`; did you mean `high`?"),
        ({"x": {**REAL, "type": "reall"}}, "`x`: unknown type `reall`; did you mean `real`?; known: real, integer"),
        ({"x": {**REAL, "scale": "lgo"}}, "`x`: unknown scale `lgo`; did you mean `log`?"),
        ({"x": {"type": "real", "low": 0}}, "`x`: `high` must be a finite number, not None"),
        ({"x": {**REAL, "high": float("inf")}}, "`x`: `high` must be a finite number, not inf"),
        ({"x": {**REAL, "low": "0"}}, "`x`: `low` must be a finite number, not '0'"),
        ({"x": {**REAL, "low": True}}, "`x`: `low` must be a finite number, not True"),
        ({"x": {**REAL, "low": 2}}, "`x`: `low` 2 is above `high` 1"),
        (
            {"x": {"type": "real", "low": -1e308, "high": 1e308}},
            "`x`: -1e+308 to 1e+308 is wider than a number can say",
        ),
        ({"x": {"type": "integer", "low": 0, "high": 1e16}}, "`x`: integers are exact up to 2^53 = 9007199254740992"),
        ({"x": {**REAL, "scale": "log"}}, "`x`: `scale: log` needs `low` above 0, not 0"),
        ({"x": {"type": "integer", "low": 0.5, "high": 2}}, "`x`: an integer needs whole `low` and `high`, not 0.5"),
        ({"x": {**REAL, "choices": [1]}}, "`x`: `choices` has no meaning for a parameter of type real"),
        ({"x": {**CHOICE, "low": 1}}, "`x`: `low` has no meaning for a parameter of type categorical"),
        ({"x": {"type": "categorical", "choices": []}}, "`x`: `choices` must be a list of one or more values"),
        ({"x": {"type": "categorical", "choices": "ab"}}, "`x`: `choices` must be a list of one or more values"),
        ({"x": {"type": "categorical", "choices": [[1], 2]}}, "`x`: choice [1] is neither boolean, number nor text"),
        ({"x": {"type": "categorical", "choices": [float("nan")]}}, "`x`: choice nan is not finite"),
        ({"x": {"type": "categorical", "choices": [1, 2, 1.0]}}, "`x`: a choice stands twice in [1, 2, 1.0]"),
        (
            {"o": CHOICE, "x": {**REAL, "when": {"oo": "sgd"}}},
            "`x`: condition on `oo`, which is not in the space",
        ),
        (
            {"o": CHOICE, "x": {**REAL, "when": {"o": "sdg"}}},
            "`x`: condition on `o`: 'sdg' is not one of 'sgd', 'adam'",
        ),
        ({"o": REAL, "x": {**REAL, "when": {"o": 0.5}}}, "`x`: condition on `o`, a real number; only integers and"),
        ({"o": CHOICE, "x": {**REAL, "when": {"o": []}}}, "`x`: condition on `o` has no value"),
        (
            {
                "a": {**CHOICE, "when": {"b": "sgd"}},
                "b": {**CHOICE, "when": {"a": "sgd"}},
                "c": {**REAL, "when": {"a": "sgd"}},
            },
            "conditions form a cycle among `a`, `b`",
        ),
        ({"a": {**CHOICE, "when": {"a": "sgd"}}}, "conditions form a cycle among `a`"),
        ([REAL], "search space: a mapping of names to parameters is needed"),
    ],
)
def test_mistakes_are_named(mapping: Any, message: str) -> None:
    with pytest.raises(HakkenError, match=re.escape(message)):
        Space.from_mapping(mapping)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": 3}, "trial 4: unknown parameter `layer`; did you mean `layers`?"),
        ({"layers": 7}, "trial 4: `layers` = 7 is not an integer from 2 to 6"),
        ({"layers": 2.5}, "trial 4: `layers` = 2.5 is not an integer from 2 to 6"),
        ({"layers": True}, "trial 4: `layers` = True is not an integer from 2 to 6"),
        ({"learning_rate": float("nan")}, "trial 4: `learning_rate` = nan is not a real number from 1e-05 to 0.1"),
        ({"learning_rate": "0.1"}, "trial 4: `learning_rate` = '0.1' is not a real number"),
        ({"kernel": "3"}, "trial 4: `kernel` = '3' is not one of 3, '5', 0.5, True"),
        ({"momentum": 0.9}, "trial 4: `momentum` is set although its condition {'optimizer': ('sgd',)} is not met"),
        ({"layers": 3}, "trial 4: `units` is missing; it must be an integer from 3 to 3"),
    ],
)
def test_parameters_outside_the_space_are_named(change: dict[str, Any], message: str) -> None:
    space = Space.from_mapping(MIXED)
    valid = {"optimizer": "adam", "layers": 2, "kernel": 3, "learning_rate": 0.1}
    space.check(valid)
    with pytest.raises(HakkenError, match=re.escape(message)):
        space.check(valid | change, "trial 4")


def test_a_real_number_may_leave_its_range_by_rounding_only() -> None:
    space = Space.from_mapping({"x": {"type": "real", "low": 0.1, "high": 0.3}})
    space.check({"x": 0.1 + 0.2})
    with pytest.raises(HakkenError, match=r"is not a real number from 0\.1 to 0\.3"):
        space.check({"x": 0.30001})
