from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.search import Space, Trial, propose
from hakken.search.settings import Settings, versions

from .spaces import MIXED, mappings

SPACE = {"x": {"type": "real", "low": 0, "high": 1}, "kind": {"type": "categorical", "choices": ["a", 1, True]}}
POINTS = ({"x": 0.25, "kind": "a"}, {"x": 1 / 3, "kind": True})
PRIOR = (Trial(0, POINTS[0], "complete", 0.1), Trial(1, POINTS[1], "failed"))


def test_all_fields_survive_a_file() -> None:
    whole = Settings(SPACE, 3, "sobol", 5, False, POINTS, PRIOR, {"kernel": 3, "batch_norm": True})
    read = Settings.from_json(json.loads(json.dumps(whole.to_json())))
    assert read == whole
    assert [type(point["kind"]) for point in read.first] == [str, bool]
    assert Settings.from_json(Settings(SPACE, 3).to_json()) == Settings(SPACE, 3)


@settings(max_examples=30, deadline=None)
@given(mappings(), st.integers(0, 2**32 - 1), st.integers(0, 50))
def test_what_a_file_kept_proposes_the_same(space: dict[str, dict[str, object]], seed: int, number: int) -> None:
    before = Settings(space, seed, "random")
    after = Settings.from_json(json.loads(json.dumps(before.to_json())))
    assert after.propose((), number) == before.propose((), number)


@pytest.mark.parametrize("sampler", ["random", "sobol", "bayesian"])
def test_it_proposes_as_the_search_does(sampler: str) -> None:
    space = Space.from_mapping(MIXED)
    asked = Settings(MIXED, 11, sampler, startup=2)
    trials: list[Trial] = []
    for number in range(4):
        parameters = asked.propose(trials, number)
        assert parameters == propose(space, trials, number=number, seed=11, sampler=sampler, startup=2)
        trials.append(Trial(number, parameters, "complete", 0.1 * number))


def test_first_points_come_first() -> None:
    asked = Settings(SPACE, 3, first=POINTS)
    assert asked.propose((), 7) == POINTS[0]
    assert asked.propose([Trial(0, POINTS[0], "running")], 7) == POINTS[1]
    assert asked.propose([Trial(n, point, "running") for n, point in enumerate(POINTS)], 7) not in POINTS


def test_where_nothing_is_searched_the_first_point_is_trained() -> None:
    assert Settings({}, 3, first=({"kernel": 5, "dropout": 0.1},)).propose((), 0) == {"kernel": 5, "dropout": 0.1}
    assert Settings({}, 3).propose((), 0) == {}


def test_a_space_that_is_none_is_explained() -> None:
    with pytest.raises(HakkenError, match="`x`: unknown type `rael`; did you mean `real`"):
        Settings({"x": {"type": "rael"}}, 3).propose((), 0)


@pytest.mark.parametrize("value", [Path("x"), np.float64, Space.from_mapping(SPACE)])
def test_what_json_does_not_know_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="is no plain value"):
        Settings({"x": value}, 3).to_json()


def test_the_versions_of_what_computes_proposals() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == version("numpy")
    assert found["scipy"] == version("scipy")
