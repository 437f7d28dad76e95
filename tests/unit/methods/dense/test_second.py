"""The second stage: what it learns from, how it scores candidates again, and a training that is killed and goes on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.methods.dense import Inference, Parameters
from hakken.methods.dense.learn import LESIONS, Learner
from hakken.methods.dense.second import (
    SECOND,
    WEIGHT,
    changed,
    chosen_weight,
    combined,
    kinds_of,
    places_of,
    rows_of,
    summary_of,
)
from hakken.runs.model_file import load_model
from hakken.training.checkpoint import SEQUEL, checkpoint_files, clear_checkpoints
from hakken.training.jobs import begin_job
from hakken.training.method import Facts
from hakken.training.patch_player import NETWORK
from hakken.training.players import Model

from ..helpers import prepare_case
from .test_mining import BALLS, Killed, a_map, a_study, trained

SECOND_STAGE = {"second_stage": True}
FACTS = Facts(channels=("A", "B"), inputs=("A", "B"), classes=("x", "y"))


@pytest.fixture
def case(tmp_path: Path) -> PreparedCase:
    return prepare_case(tmp_path, "one", BALLS)


def logit(p: float) -> float:
    return math.log(p / (1 - p))


class Bright(nn.Module):
    """A classifier made by hand: the logit of a hit is the mean brightness of the middle of the channel ``A``."""

    def __init__(self, axes: int = 3) -> None:
        super().__init__()
        self.axes, self.seen = axes, []  # type: ignore[var-annotated]
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        self.seen.append(tuple(crops.shape))
        z, y, x = (extent // 2 for extent in crops.shape[2:])
        hit = crops[:, 0, z, y, x]
        return torch.stack([torch.zeros_like(hit), hit], 1)[..., None, None, None]


class Told(nn.Module):
    """A dense network whose map is known."""

    def __init__(self, found: np.ndarray[Any, Any]) -> None:
        super().__init__()
        self.weight, self.found = nn.Parameter(torch.zeros(1)), torch.from_numpy(found)

    def forward(self, images: torch.Tensor) -> dict[str, tuple[torch.Tensor, ...]]:
        return {LESIONS: (torch.logit(self.found[None, None].expand(len(images), *[-1] * 4), eps=1e-5),)}


def a_model(case: PreparedCase, weight: float, **parameters: Any) -> tuple[Learner, Model]:
    learner = Learner(Parameters(**SECOND_STAGE, **parameters), Inference(window_voxel=512), FACTS)
    return learner, Model({NETWORK: Told(a_map(case)), SECOND: Bright()}, {WEIGHT: weight})


@pytest.mark.parametrize("weight", [0.25, 0.5, 0.75])
def test_known_candidates_are_scored_again_by_a_classifier_made_by_hand(case: PreparedCase, weight: float) -> None:
    learner, model = a_model(case, weight)
    alone = learner.predict(Model(model.networks), case, ())
    assert alone["candidates"].score.tolist() == pytest.approx([0.9, 0.8, 0.4], abs=1e-4)
    found = learner.predict(model, case, ())
    image = case.image()[0]
    wanted = {
        place: 1 / (1 + math.exp(-((1 - weight) * logit(score) + weight * float(image[place]))))
        for place, score in {(6, 7, 8): 0.9, (15, 16, 16): 0.8, (20, 3, 3): 0.4}.items()
    }
    marks = found["candidates"]
    told = {tuple(voxel): score for voxel, score in zip(marks.voxel.astype(int).tolist(), marks.score, strict=True)}
    assert told == pytest.approx(wanted, abs=1e-4)
    assert marks.score.tolist() == sorted(marks.score, reverse=True)
    assert np.allclose(marks.xyz, case.geometry.to_world(marks.voxel))
    assert found["case_scores"] == marks.score[0]
    assert np.array_equal(found["masks"]["dense"], alone["masks"]["dense"]), "the mask is the network's own"
    assert model.networks[SECOND].seen == [(3, 2, 24, 24, 24)]  # half a window of 48


def test_with_the_weight_0_and_without_one_scores_are_the_network_s_own(case: PreparedCase) -> None:
    learner, model = a_model(case, 0.0)
    one, other = learner.predict(model, case, ()), learner.predict(Model(model.networks), case, ())
    assert one["candidates"].score.tolist() == other["candidates"].score.tolist()
    assert model.networks[SECOND].seen == []


def test_slices_are_seen_one_by_one_and_a_case_without_candidates_has_none(case: PreparedCase) -> None:
    learner, model = a_model(case, 0.5, axes=2, channels=("A",))
    flat = learner._second
    found = flat.scored(
        model.networks[SECOND], case, learner.conclude({LESIONS: a_map(case)}, case, ())["candidates"], 0.5
    )
    assert model.networks[SECOND].seen == [(3, 1, 1, 24, 24)]
    assert len(found) == 3
    nothing = learner.conclude({LESIONS: 0 * a_map(case)}, case, ())["candidates"]
    assert len(flat.scored(model.networks[SECOND], case, nothing, 0.5)) == 0


def test_classes_go_with_their_candidates(case: PreparedCase) -> None:
    learner = Learner(Parameters(classes=True, **SECOND_STAGE), Inference(), FACTS)  # type: ignore[arg-type]
    found = a_map(case)
    first = np.where(found > 0.5, found, 0)
    candidates = learner.conclude({LESIONS: np.stack([first, found - first])}, case, ())["candidates"]
    assert candidates.classes == ("x", "x", "y")
    again = learner._second.scored(Bright(), case, replace(candidates, score=np.array([0.1, 0.2, 0.999])), 0.25)
    assert again.classes == ("y", "x", "x")


def test_what_it_learns_from_are_hits_and_false_candidates_and_no_others(case: PreparedCase) -> None:
    learner = Learner(Parameters(), Inference(), FACTS)
    candidates = learner.conclude({LESIONS: a_map(case)}, case, ())["candidates"]
    assert kinds_of(candidates, case).tolist() == [1, 0, 0]
    rows = rows_of(candidates, case)
    expected = [[6, 7, 8, 0.9, 1], [15, 16, 16, 0.8, 0], [20, 3, 3, 0.4, 0]]
    assert rows.numpy() == pytest.approx(np.array(expected), abs=1e-6)
    excluded = replace(case, lesions=tuple(replace(one, kind="excluded") for one in case.lesions))
    assert kinds_of(candidates, excluded).tolist() == [-1, 0, 0]
    assert rows_of(candidates, excluded).shape == (2, 5)
    assert kinds_of(candidates, replace(case, has_truth=False)).tolist() == [0, 0, 0]
    hits, false = places_of({"two": rows[:0], "one": rows}, [replace(case, case_id="two"), case])
    assert (hits.owners.tolist(), hits.voxels.tolist(), hits.weights.tolist()) == ([1], [[6, 7, 8]], [1.0])
    assert (false.voxels.tolist(), false.owners.tolist()) == ([[15, 16, 16], [20, 3, 3]], [1, 1])
    assert false.chance.tolist() == pytest.approx([2 / 3, 1 / 3], abs=1e-6)
    assert summary_of({"two": rows[:0], "one": rows}) == {"cases": 2, "hits": 1, "false_candidates": 2}


def test_cases_are_changed_in_intensity_alone_and_by_the_seed(case: PreparedCase) -> None:
    amounts = {"gain": 0.3, "shift": 0.3, "noise": 0.15}
    one, again = changed(case, amounts=amounts, seed=1), changed(case, amounts=amounts, seed=1)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, changed(case, amounts=amounts, seed=2))
    assert one.shape == case.image().shape
    assert np.corrcoef(one[0].ravel(), np.asarray(case.image()[0]).ravel())[0, 1] > 0.9
    still = changed(case, amounts=dict.fromkeys(amounts, 0.0), seed=1)
    assert np.allclose(still, case.image(), atol=1e-6)


def test_scalars_are_not_changed(case: PreparedCase) -> None:
    scalar = replace(case, channels=("A", "age"), scalars={"age": 0.5})
    found = changed(scalar, amounts={"gain": 0.3, "shift": 0.3, "noise": 0.15}, seed=1)
    assert np.array_equal(found[1], case.image()[1])
    assert not np.allclose(found[0], case.image()[0])


def test_the_mean_of_two_logits() -> None:
    assert combined(np.array([0.5, 0.9]), np.array([0.0, 0.0]), 0.5).tolist() == pytest.approx([0.5, 0.75])
    assert combined(np.array([1.0, 0.0]), np.array([100.0, -100.0]), 0.5).tolist() == pytest.approx(
        [1 / (1 + math.exp(-12)), 1 / (1 + math.exp(12))]
    )


@pytest.mark.parametrize(
    ("logits", "weight"),
    [
        ([5.0, -5.0, 0.0], 0.5),  # the hit is below a false one until the classifier has half a say
        ([-5.0, 5.0, 0.0], 0.0),  # it is wrong
        ([0.0, 0.0, 0.0], 0.0),  # it says nothing: the smallest of equals
    ],
)
def test_the_weight_is_that_of_the_highest_average_precision(logits: list[float], weight: float) -> None:
    scores = np.array([1 / (1 + math.exp(3)), 1 / (1 + math.exp(-3)), 0.01])
    assert chosen_weight(np.array([1, 0, 0]), scores, np.array(logits)) == weight
    ignored = np.append(scores, 0.999), np.append(logits, 9.0)
    assert chosen_weight(np.array([1, 0, 0, -1]), *ignored) == weight
    assert chosen_weight(np.array([1, 1, -1]), scores, np.array(logits)) == 0.5


@pytest.mark.parametrize(("axes", "target"), [(3, "labels"), (2, "heat")])
def test_a_killed_training_goes_on_in_its_second_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, axes: int, target: str
) -> None:
    chosen = {"parameters": {**SECOND_STAGE, "axes": axes, "target": target}, "inference": {"threshold": 0.001}}
    whole = trained(tmp_path / "whole", **chosen)
    folder = tmp_path / "parts" / "model"
    monkeypatch.setattr("hakken.training.checkpoint.Checkpoints.due", True)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        trained(tmp_path / "parts", patched, 10, **chosen)  # after 8 steps of the network and 2 of 4 of the classifier
    assert [path.name for path in checkpoint_files(folder / SEQUEL)][-1] == "checkpoint-000000002.pt"
    assert begin_job(folder, 1)[-1].step == 8 + 2
    resumed = trained(tmp_path / "parts", **chosen)
    one, other = (sha256_file(tmp_path / name / "model" / "model.pt") for name in ("whole", "parts"))
    assert one == other
    told = whole[SECOND]
    assert (told["steps"], told["found"]["step"], told["found"]["cases"]) == (4, 0, 2)
    assert told["found"]["false_candidates"] > 0
    assert math.isfinite(told["loss"])
    assert whole[WEIGHT] in (0.0, 0.25, 0.5, 0.75)
    seconds = {"seconds": 0, "found": {**told["found"], "seconds": 0}}
    assert told | seconds == resumed[SECOND] | {"seconds": 0, "found": {**resumed[SECOND]["found"], "seconds": 0}}
    clear_checkpoints(folder)
    assert not (folder / SEQUEL).exists()


def test_the_network_is_that_of_a_training_without_it_and_the_model_holds_both(tmp_path: Path) -> None:
    without, second = trained(tmp_path / "a"), trained(tmp_path / "b", parameters=SECOND_STAGE)
    assert [point["loss"] for point in without["curve"]] == [point["loss"] for point in second["curve"]]
    assert second[SECOND]["objective_before"] == without["objective"]
    assert SECOND not in without
    models = [load_model(tmp_path / name / "model" / "model.pt") for name in "ab"]
    plain, both = (one.model.networks for one in models)
    assert (set(plain), set(both)) == ({NETWORK}, {NETWORK, SECOND})
    for name, tensor in plain[NETWORK].state_dict().items():
        assert torch.equal(tensor, both[NETWORK].state_dict()[name])
    counts = [sum(weight.numel() for weight in network.parameters()) for network in both.values()]
    assert second["parameter_count"] == sum(counts) > without["parameter_count"] == counts[0]
    assert models[1].model.values == {WEIGHT: second[WEIGHT]}
    case = prepare_case(tmp_path / "new", "new", BALLS)
    weighted = Model(both, {WEIGHT: 0.5})
    found = models[1].learner.predict(weighted, case, ("candidates",))["candidates"]  # type: ignore[union-attr]
    own = models[0].predict(case, ("candidates",))["candidates"]
    assert isinstance(found, Candidates)
    assert len(found) == len(own)
    assert sorted(map(tuple, found.voxel.tolist())) == sorted(map(tuple, own.voxel.tolist()))
    assert sorted(found.score) != sorted(own.score)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"search": {"ensemble": 3}},
            "parameters.second_stage: scores the candidates of one network, and an average of several has candidates "
            "of its own; remove `search.ensemble`, or leave the second stage out",
        ),
        (
            {"search": {"space": {"second_stage": {"type": "categorical", "choices": [True, False]}}}},
            "search.space.second_stage: its weight is chosen on validation cases, 0 among others, in every training; "
            "set `parameters.second_stage`",
        ),
        (
            {"outcomes": {"masks": {}}},
            "parameters.second_stage: scores candidates, and the study has none among its outcomes; leave it out",
        ),
    ],
)
def test_what_it_cannot_be_combined_with_is_refused(changes: dict[str, Any], message: str) -> None:
    a_study(parameters=SECOND_STAGE, inference={"flips": True})
    with pytest.raises(HakkenError) as error:
        a_study(parameters=SECOND_STAGE, **changes)
    assert message in str(error.value)
