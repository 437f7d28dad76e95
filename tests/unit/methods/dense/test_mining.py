"""Hard mining: what is a false candidate, which cases are asked about, and a training that is killed and goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.methods.dense import Inference, Parameters
from hakken.methods.dense.learn import LESIONS, Learner
from hakken.methods.dense.mining import false_candidates, mined, places_of, summary_of, within_budget
from hakken.runs.fit import Fitting, Record, fit
from hakken.study import Study
from hakken.study.reading import parse_study
from hakken.training.method import Data, Facts
from hakken.training.players import Model

from ..helpers import CONTENT, prepare_case

BALLS = [(6.0, 7.0, 8.0), (15.0, 16.0, 12.0)]
SMALL = {"batch_size": 2, "patch_size": 12, "levels": 3, "base_features": 4}


@pytest.fixture
def case(tmp_path: Path) -> PreparedCase:
    return prepare_case(tmp_path, "one", BALLS)


def a_map(case: PreparedCase) -> np.ndarray[Any, Any]:
    """A map with a hit, a candidate beside a lesion and one far from any."""
    found = np.zeros(case.geometry.shape_zyx, np.float32)
    found[6, 7, 8], found[15, 16, 16], found[20, 3, 3] = 0.9, 0.8, 0.4
    return found


@pytest.mark.parametrize(
    ("parameters", "inference"),
    [
        ({}, {}),
        ({"target": "heat"}, {"reading": "peaks"}),
        ({"axes": 2}, {}),
        ({"classes": True}, {}),
    ],
)
def test_false_candidates_are_those_that_lie_in_no_lesion(
    case: PreparedCase, parameters: dict[str, Any], inference: dict[str, Any]
) -> None:
    facts = Facts(channels=("A", "B"), inputs=("A", "B"), classes=("x", "y"))
    learner = Learner(Parameters(**parameters), Inference(**inference), facts)
    found = a_map(case)
    answer = np.stack([found, 0 * found]) if parameters.get("classes") else found
    candidates = learner.conclude({LESIONS: answer}, case, ())["candidates"]
    assert len(candidates) == 3
    rows = false_candidates(candidates, case).numpy()
    assert rows == pytest.approx(np.array([[15, 16, 16, 0.8], [20, 3, 3, 0.4]]), abs=1e-6)


def test_findings_that_do_not_count_are_not_false_and_without_truth_all_are(case: PreparedCase) -> None:
    learner = Learner(Parameters(), Inference(), Facts(channels=("A", "B"), inputs=("A", "B")))
    candidates = learner.conclude({LESIONS: a_map(case)}, case, ())["candidates"]
    excluded = replace(case, lesions=tuple(replace(one, kind="excluded") for one in case.lesions))
    assert len(false_candidates(candidates, excluded)) == 2
    assert len(false_candidates(candidates, replace(case, has_truth=False))) == 3


def test_what_was_found_becomes_places_by_the_ids_of_the_cases(tmp_path: Path) -> None:
    cases = [prepare_case(tmp_path / name, name, BALLS) for name in ("a", "b", "c")]
    known = {
        "c": Candidates(np.zeros((2, 3)), np.array([0.5, 0.25]), np.ones(2), np.array([[20.0, 3, 3], [1, 2, 3]])),
        "a": Candidates(np.zeros((1, 3)), np.array([0.75]), np.ones(1), np.array([[19.0, 4, 4]])),
        "b": Candidates(np.zeros((1, 3)), np.array([0.9]), np.ones(1), np.array([[6.0, 7, 8]])),  # a hit
    }
    found = mined([cases[2], cases[0], cases[1]], lambda case: known[case.case_id])
    places = places_of(found, cases)
    assert places.owners.tolist() == [2, 2, 0]
    assert places.voxels.tolist() == [[20, 3, 3], [1, 2, 3], [19, 4, 4]]
    assert places.chance.tolist() == pytest.approx([1 / 3, 1 / 6, 1 / 2])
    assert summary_of(found, [*cases, cases[0]]) == {
        "cases": ["c", "a", "b"],
        "training_cases": 4,
        "false_candidates": 3,
        "false_candidates_of_case": {"c": 2, "a": 1, "b": 0},
    }


def test_as_many_cases_are_asked_about_as_the_voxels_allow_and_at_least_one(case: PreparedCase) -> None:
    cases = [replace(case, case_id=f"c{number}") for number in range(8)]

    def asked(learnt: int, seed: int = 1) -> list[str]:
        return [one.case_id for one in within_budget(cases, lambda _: 100, learnt, seed)]

    assert len(asked(0)) == 1
    assert len(asked(599)) == 2
    assert len(asked(600)) == 3
    assert sorted(asked(10_000)) == [one.case_id for one in cases]
    assert asked(600) == asked(10_000)[:3]
    assert asked(10_000) != asked(10_000, seed=2)


def a_study(**changes: Any) -> Study:
    content = {key: value for key, value in CONTENT.items() if key not in ("patches", "search")}
    training = {"steps": 8, "validate_every": 2, "checkpoint_seconds": 1000}
    given = {"parameters": SMALL | changes.pop("parameters", {})}
    return parse_study(content | {"method": "dense", "training": training} | given | changes)


def test_a_network_is_asked_without_flips_and_as_at_use(case: PreparedCase) -> None:
    study = a_study(parameters={"hard_share": 0.5}, inference={"flips": True})
    learner = Learner(study.parameters, study.inference, Facts.of(study))  # type: ignore[arg-type]
    asked: list[bool] = []
    real = learner.probabilities

    def noted(*given: Any, flips: bool = False, **more: Any) -> Any:
        asked.append(flips)
        return real(*given, flips=flips, **more)

    learner.probabilities = noted  # type: ignore[method-assign]
    networks = {name: one.eval() for name, one in learner.networks().items()}
    (player,) = learner.players(networks, Data((case,)), 3, torch.device("cpu"))
    assert player.review is not None
    found = player.review.find(Model(networks), 1)
    assert asked == [False]
    learner.predict(Model(networks), case, ())
    assert asked == [False, True]
    assert found["cases"] == ["one"]
    assert learner._voxels_seen(case) == 8 * 16**3  # two windows along each axis


class Killed(BaseException):
    pass


def trained(folder: Path, monkeypatch: pytest.MonkeyPatch | None = None, dies: int = -1, **changes: Any) -> Record:
    """Train on two cases; the job dies in the loss of its mini-batch ``dies`` (0 is the first that it takes)."""
    for part in ("train", "validation"):
        if not (folder / part).exists():
            for number in range(2):
                prepare_case(folder / part, f"{part}{number}", BALLS)
    study = a_study(**changes)
    places = {"train": (folder / "train",), "validation": (folder / "validation",)}
    fitting = Fitting(study, 3, None, **places, folder=folder / "model", label="x", identity="x", metadata={})
    if monkeypatch is not None:
        loss, calls = Learner.loss, iter(range(1000))

        def dying(*given: Any) -> Any:
            if next(calls) == dies:
                raise Killed
            return loss(*given)

        monkeypatch.setattr(Learner, "loss", dying)
    return fit(fitting, torch.device("cpu"))


@pytest.mark.parametrize("axes", [2, 3])
def test_a_killed_training_goes_on_with_the_places_that_were_mined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, axes: int
) -> None:
    mining = {"hard_share": 0.8, "axes": axes}
    whole = trained(tmp_path / "whole", parameters=mining)
    for dies in (5, 3):  # at step 5, after the checkpoint of step 4 without the places; at step 7, after one with them
        with monkeypatch.context() as patched, pytest.raises(Killed):
            trained(tmp_path / "parts", patched, dies, parameters=mining)
    resumed = trained(tmp_path / "parts", parameters=mining)
    assert sha256_file(tmp_path / "whole" / "model" / "model.pt") == sha256_file(
        tmp_path / "parts" / "model" / "model.pt"
    )
    told = json.loads(json.dumps(whole["hard_mining"]))
    assert told["step"] == 4
    assert told["training_cases"] == 2
    assert set(told["cases"]) <= {"train0", "train1"}
    assert told["false_candidates"] == sum(told["false_candidates_of_case"].values()) > 0
    assert {**whole["hard_mining"], "seconds": 0} == {**resumed["hard_mining"], "seconds": 0}
    assert whole["review_share"] > 0


def test_it_is_off_by_default_and_changes_only_the_second_half(tmp_path: Path) -> None:
    without, mining = trained(tmp_path / "a"), trained(tmp_path / "b", parameters={"hard_share": 1.0})
    assert "hard_mining" not in without
    assert "review_share" not in without
    curves = [[(point["loss"], point["objective"]) for point in one["curve"]] for one in (without, mining)]
    assert curves[0][:2] == curves[1][:2]
    assert curves[0][2:] != curves[1][2:]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"hard_share": 0.5, "lesion_share": 1},
            "parameters.hard_share 0.5: is a share of the windows without a lesion, and with parameters.lesion_share 1 "
            "there are none; lower that, or leave it out",
        ),
        ({"hard_share": 1.5}, "parameters.hard_share: input should be less than or equal to 1 (found 1.5)"),
        ({"hard_shares": 0.5}, "parameters.hard_shares: unknown key; did you mean `hard_share`?"),
    ],
)
def test_bad_values_are_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(HakkenError) as error:
        a_study(parameters=parameters)
    assert message in str(error.value)


def test_it_may_be_searched() -> None:
    space = {"hard_share": {"type": "real", "low": 0.0, "high": 1.0}}
    assert set(a_study(search={"space": space}).search.space) == {"hard_share"}
    with pytest.raises(HakkenError, match=r"search\.space\.hard_share: is a share of the windows without a lesion"):
        a_study(search={"space": space}, parameters={"lesion_share": 1})
    space["lesion_share"] = {"type": "real", "low": 0.2, "high": 1.0}
    a_study(search={"space": space}, parameters={"lesion_share": 1})
