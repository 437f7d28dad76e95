"""What one model learns: a training, and the sequel that its method has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hakken.runs.course import Course, numbers_of
from hakken.study import Section, Training
from hakken.training.layout import Layout
from hakken.training.loop import TrainingResult
from hakken.training.method import Data, Facts, Method, Sequel
from hakken.training.players import Found, Loss, Model, Networks, Optimisation, Player, Review
from hakken.training.sources import DrawnSource, Samples
from hakken.training.team import ALONE

FIRST, SECOND = "first", "second"


def drawn(random: torch.Generator) -> dict[str, torch.Tensor]:
    points = torch.randn(8, 2, generator=random)
    return {"points": points, "targets": (points.sum(1) > 0).long()}


class Twofold(Method):
    """A method whose second network learns after the first, at once or not at all."""

    followed = True

    def networks(self) -> dict[str, nn.Module]:
        return {FIRST: nn.Linear(2, 2), SECOND: nn.Linear(2, 2)}

    def players(self, networks: Networks, data: Data, seed: int, device: torch.device) -> Sequence[Player]:
        return [Player(FIRST, (FIRST,), DrawnSource(drawn, seed), Optimisation())]

    def loss(self, player: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        return Loss(nn.functional.cross_entropy(networks[player](batch["points"]), batch["targets"]))

    def sequel(self, model: Model, data: Data, seed: int, device: torch.device) -> Sequel | None:
        assert not model.networks[FIRST].training
        told: list[Found] = []
        found = {"of": model.networks[FIRST].state_dict()["bias"].tolist()}
        review = Review(SECOND, 0.0, lambda model, step: found, told.append, dict)
        player = Player(SECOND, (SECOND,), DrawnSource(drawn, seed + 1), Optimisation(), review=review)
        return Sequel(SECOND, [player], 0.5) if self.followed else None

    def predict(self, model: Model, case: Any, wanted: Collection[str]) -> Mapping[str, Any]:
        return {}


def finished(folder: Path, followed: bool = True, stopped: Any = "steps") -> tuple[Any, TrainingResult, Networks]:
    torch.manual_seed(1)
    method = Twofold(Section(), Section(), Facts())
    method.followed = followed
    networks = method.networks()
    course = Course(
        learner=method,
        training=Training(steps=10, validate_every=5),
        folder=folder,
        identity="x",
        seed=1,
        parts=1,
        device=torch.device("cpu"),
        layout=Layout(),
        mine=lambda: True,
        team=ALONE,
        stop=lambda: False,
    )
    players = method.players(networks, Data(), 1, torch.device("cpu"))
    result = course.train(networks, players, lambda model: 0.25)
    object.__setattr__(result, "stopped", stopped)
    return course.finish(networks, players, result, Data()), result, networks


def test_the_sequel_moves_its_own_network_alone_and_is_recorded(tmp_path: Path) -> None:
    done, result, _ = finished(tmp_path)
    assert done.whole
    for name, moved in ((FIRST, False), (SECOND, True)):
        before, after = result.weights[name]["weight"], done.result.weights[name]["weight"]
        assert torch.equal(before, after) != moved
        assert torch.equal(done.model.networks[name].state_dict()["weight"], after)
    assert (done.result.objective, done.result.curve) == (0.25, result.curve)
    assert done.result.seconds >= result.seconds
    told = done.told[SECOND]
    assert (told["steps"], told["objective_before"]) == (5, 0.25)
    assert told["found"] == {
        "step": 0,
        "seconds": told["found"]["seconds"],
        "of": result.weights[FIRST]["bias"].tolist(),
    }
    assert list((tmp_path / "sequel").iterdir())


@pytest.mark.parametrize(("followed", "stopped", "whole"), [(False, "steps", True), (True, "pruned", False)])
def test_without_a_sequel_and_after_a_pruned_training_nothing_follows(
    tmp_path: Path, followed: bool, stopped: str, whole: bool
) -> None:
    done, result, _ = finished(tmp_path, followed, stopped)
    assert (done.whole, done.told, done.result) == (whole, {}, result)
    assert not (tmp_path / "sequel").exists()


def test_plain_numbers_alone_stand_in_a_record() -> None:
    assert numbers_of({"a": 0.5, "b": [1.0], "c": torch.zeros(1), "d": 3}) == {"a": 0.5, "d": 3}
