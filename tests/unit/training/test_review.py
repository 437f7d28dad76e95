"""Reviews in the middle of a training: when they are made, what comes after, and that a killed training goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from hakken.patches.ahead import iterated
from hakken.study import Training
from hakken.training.checkpoint import Checkpoints
from hakken.training.loop import Interrupted, TrainingResult, train
from hakken.training.players import Found, Model, Optimisation, Player, Review
from hakken.training.review import summed_up
from hakken.training.sources import Samples

from .helpers import NAME, plane_accuracy, plane_loss, plane_network, plane_samples


@dataclass
class Shifted:
    """Mini-batches that are functions of their number and of what the source was told."""

    told: list[float] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def batch(self, number: int) -> Samples:
        self.asked.append(number)
        moved = {**plane_samples(torch.Generator().manual_seed(number))}
        moved["points"] = moved["points"] + (self.told[-1] if self.told else 0.0)
        return Samples(moved)

    def iterate(self, start: int = 0, *, workers: int = 0, stride: int = 1) -> Iterator[Samples]:
        return iterated(self.batch, start, workers=workers, stride=stride)


@dataclass
class Reviewing:
    """A training with a review half-way; ``found`` notes the steps of those that were made."""

    source: Shifted = field(default_factory=Shifted)
    found: list[int] = field(default_factory=list)

    def find(self, model: Model, step: int) -> Found:
        assert not model.networks[NAME].training
        self.found.append(step)
        return {"shift": plane_accuracy(model), "weights": model.networks[NAME].state_dict()["0.bias"].clone()}

    def tell(self, found: Found) -> None:
        self.source.told.append(float(found["shift"]))

    @property
    def player(self) -> Player:
        review = Review("hints", 0.5, self.find, self.tell, lambda found: {"shift": found["shift"]})
        return Player(NAME, (NAME,), self.source, Optimisation(learning_rate=0.05), average=0.9, review=review)

    def run(self, **options: Any) -> TrainingResult:
        settings = {"steps": 30, "validate_every": 10} | options.pop("settings", {})
        return train(
            {NAME: plane_network()},
            [self.player],
            options.pop("loss", plane_loss),
            lambda networks: Model(dict(networks)),
            options.pop("validate", plane_accuracy),
            training=Training.model_validate(settings),
            seed=11,
            **options,
        )


def weights(result: TrainingResult) -> torch.Tensor:
    return torch.cat([tensor.double().flatten() for tensor in result.weights[NAME].values()])


def test_it_is_made_once_half_way_and_changes_what_comes_after() -> None:
    made = Reviewing()
    result = made.run()
    assert made.found == [15]
    assert len(made.source.told) == 1
    assert made.source.asked == list(range(30)), "each mini-batch is asked for once, without threads"
    told = summed_up([made.player], result.reviews)
    assert told == {"hints": {"step": 15, "seconds": told["hints"]["seconds"], "shift": made.source.told[0]}}
    assert 0 <= told["hints"]["seconds"] < 5
    deaf = Reviewing()
    deaf.tell = lambda found: None  # type: ignore[method-assign]
    assert not torch.equal(weights(deaf.run()), weights(result))


def test_mini_batches_that_were_made_ahead_are_made_anew() -> None:
    assert torch.equal(weights(Reviewing().run(workers=2)), weights(Reviewing().run()))


def test_it_is_never_made_where_the_training_ends_before() -> None:
    made = Reviewing()
    result = made.run(settings={"steps": 100, "patience": 1, "validate_every": 5}, validate=lambda model: 0.5)
    assert (made.found, dict(result.reviews), summed_up([made.player], result.reviews)) == ([], {}, {})


def dying_at(step: int) -> Any:
    calls = iter(range(1000))

    def loss(*given: Any) -> Any:
        if next(calls) == step:
            raise KeyboardInterrupt
        return plane_loss(*given)

    return loss


@pytest.mark.parametrize(("killed", "again"), [(12, [15]), (18, [15]), (24, [])])
def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path, killed: int, again: list[int]) -> None:
    """Killed before the review; after it and before the next checkpoint (it is made again); after that (it is not)."""
    uninterrupted = Reviewing().run()
    with pytest.raises(KeyboardInterrupt):
        Reviewing().run(checkpoints=Checkpoints(tmp_path, "a", 1000), loss=dying_at(killed))
    resumed = Reviewing()
    result = resumed.run(checkpoints=Checkpoints(tmp_path, "a", 1000))
    assert resumed.found == again
    assert torch.equal(weights(result), weights(uninterrupted))
    assert result.curve == uninterrupted.curve
    (one,), (other,) = result.reviews.values(), uninterrupted.reviews.values()
    assert (one.step, one.found["shift"]) == (other.step, other.found["shift"])
    assert torch.equal(one.found["weights"], other.found["weights"])


def test_what_was_found_is_in_the_checkpoint_of_a_stopped_training(tmp_path: Path) -> None:
    calls = iter(range(1, 100))
    checkpoints = Checkpoints(tmp_path, "a", 1000)
    with pytest.raises(Interrupted):
        Reviewing().run(checkpoints=checkpoints, stop=lambda: next(calls) >= 17)
    kept = checkpoints.load(torch.device("cpu"))
    assert kept is not None
    step, _, found = kept["reviews"][NAME]
    assert (step, set(found)) == (15, {"shift", "weights"})
