from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hakken.search.plain import differences, plain

DETAILS = {"seed": 7, "space": {"x": {"low": 0, "high": 1}}, "slots": 2}


def test_values_become_what_json_knows() -> None:
    assert plain({"a": (Path("x"), {1: None})}) == {"a": ["x", {"1": None}]}
    assert plain([np.float32(0.5), np.array([1.0, np.nan]), float("inf")]) == [0.5, [1.0, None], None]
    assert [type(value) for value in plain([np.int64(3), np.True_, 3, True])] == [int, bool, int, bool]


def test_equal_values_do_not_differ() -> None:
    assert differences(DETAILS, json.loads(json.dumps(DETAILS))) == []


def test_differences_are_named_with_both_values() -> None:
    other = {"seed": 7, "space": {"x": {"low": 0, "high": 2}}, "sampler": "sobol"}
    assert differences(DETAILS, other) == [
        "`sampler` (absent, now sobol)",
        "`slots` (2, now absent)",
        "`space.x.high` (1, now 2)",
    ]
    assert differences({"a": "x" * 50}, {"a": 1}) == [f"`a` ({'x' * 37}..., now 1)"]
