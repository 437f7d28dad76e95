from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.search import Space, cube

from .spaces import MIXED, mappings


def test_integers_and_choices_own_equal_shares() -> None:
    space = Space.from_mapping(
        {"n": {"type": "integer", "low": 2, "high": 4}, "c": {"type": "categorical", "choices": ["a", "b", "c"]}}
    )
    axis = (np.arange(300) + 0.5) / 300
    for column, values in ((0, [2, 3, 4]), (1, [0, 1, 2])):
        numbers = cube.from_unit(space.dimensions[column], axis)
        assert [int(np.sum(numbers == value)) for value in values] == [100, 100, 100]


def test_logarithmic_integers_reach_half_a_step_beyond_their_bounds() -> None:
    dimension = Space.from_mapping({"n": {"type": "integer", "low": 1, "high": 4, "scale": "log"}})["n"]
    borders = [np.log((k + 0.5) / 0.5) / np.log(4.5 / 0.5) for k in (1, 2, 3)]  # 0.5, 0.732..., 0.885...
    just_below = [cube.from_unit(dimension, np.array([border - 1e-9]))[0] for border in borders]
    just_above = [cube.from_unit(dimension, np.array([border + 1e-9]))[0] for border in borders]
    assert (just_below, just_above) == ([1, 2, 3], [2, 3, 4])


def test_logarithmic_reals_are_uniform_on_their_scale() -> None:
    dimension = Space.from_mapping({"x": {"type": "real", "low": 1e-4, "high": 1.0, "scale": "log"}})["x"]
    np.testing.assert_allclose(cube.from_unit(dimension, np.array([0, 0.25, 0.5, 1])), [1e-4, 1e-3, 1e-2, 1])


def test_inactive_parameters_stand_at_the_middle_and_are_absent() -> None:
    space = Space.from_mapping(MIXED)
    columns = list(space.by_name)
    u = np.full((1, len(columns)), 0.9)  # optimizer = adam
    points = cube.snap(space, u)
    hidden = [columns.index(name) for name in ("momentum", "nesterov", "warm_up")]
    assert not points.active[0, hidden].any()
    assert points.u[0, hidden].tolist() == [0.5, 0.5, 0.5]
    assert set(cube.decode(space, points, 0)) == {"learning_rate", "optimizer", "layers", "kernel"}


@settings(max_examples=80, deadline=None)
@given(mappings(), st.integers(0, 2**32 - 1))
def test_every_point_is_valid_and_comes_back(mapping: dict[str, Any], seed: int) -> None:
    space = Space.from_mapping(mapping)
    points = cube.snap(space, np.random.default_rng(seed).uniform(-0.2, 1.2, (8, len(space.dimensions))))
    decoded = [cube.decode(space, points, row) for row in range(8)]
    for parameters in decoded:
        space.check(parameters)
        assert json.loads(json.dumps(parameters)) == parameters
        for name, value in parameters.items():
            entry = mapping[name]
            expected = {"real": float, "integer": int}.get(entry["type"])
            assert type(value) is expected or any(
                value is c or (type(value), value) == (type(c), c) for c in entry["choices"]
            )
    again = cube.encode(space, decoded)
    np.testing.assert_array_equal(again.active, points.active)
    np.testing.assert_allclose(again.u, points.u, atol=1e-9)
    assert [cube.decode(space, again, row).keys() for row in range(8)] == [parameters.keys() for parameters in decoded]
