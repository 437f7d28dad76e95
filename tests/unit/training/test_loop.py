from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hakken.training.checkpoint import Checkpoints
from hakken.training.loop import CurvePoint, Diverged, Interrupted, Run, TrainingResult

from .helpers import PlaneBatches, plane_accuracy, plane_loss, plane_network, train_plane


def equal(one: TrainingResult, other: TrainingResult) -> bool:
    """Whether two trainings ended with the same bits."""
    same = all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights | other.weights)
    return same and (one.curve, one.objective, one.best_step) == (other.curve, other.objective, other.best_step)


def stop_after(steps: int) -> Any:
    """A stop request that comes after so many steps."""
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= steps


def dying_after(steps: int) -> Any:
    """A loss that is killed after so many steps."""
    calls = iter(range(1000))

    def loss(network: nn.Module, batch: Any) -> torch.Tensor:
        if next(calls) == steps:
            raise KeyboardInterrupt
        return plane_loss(network, batch)

    return loss


def test_it_learns_and_keeps_the_best_weights() -> None:
    network = plane_network()
    before = plane_accuracy(network.eval())
    result = train_plane(network, settings={"steps": 60})
    assert [point.step for point in result.curve] == [10, 20, 30, 40, 50, 60]
    assert result.objective == max(point.objective for point in result.curve) > before + 0.2
    assert result.curve[-1].loss < 0.6 < result.curve[0].loss
    network.load_state_dict(result.weights)
    assert plane_accuracy(network.eval()) == result.objective
    assert result.stopped == "steps"


def test_the_best_is_not_always_the_last() -> None:
    objectives = iter([0.2, 0.7, 0.7, 0.3])
    seen: list[float] = []

    def validate(network: nn.Module) -> float:
        assert not network.training
        seen.append(float(network.state_dict()["0.weight"].sum()))
        return next(objectives)

    result = train_plane(validate=validate, settings={"steps": 40, "patience": 9})
    assert (result.objective, result.best_step) == (0.7, 20)
    assert float(result.weights["0.weight"].sum()) == seen[1]


def test_it_stops_after_so_many_measurements_without_improvement() -> None:
    objectives = iter([0.5, 0.6, 0.6, 0.1, 0.9])
    result = train_plane(validate=lambda network: next(objectives), settings={"steps": 100, "patience": 2})
    assert [point.objective for point in result.curve] == [0.5, 0.6, 0.6, 0.1]
    assert result.stopped == "patience"


def test_it_stops_where_it_is_called_hopeless() -> None:
    objectives = iter([0.5, 0.4, 0.3, 0.2])
    asked: list[list[tuple[int, float]]] = []

    def hopeless(curve: Sequence[CurvePoint]) -> str:
        asked.append([(point.step, point.objective) for point in curve])
        return "no hope" if len(curve) == 2 else ""

    result = train_plane(
        validate=lambda network: next(objectives), settings={"steps": 40, "patience": 9}, hopeless=hopeless
    )
    assert (result.stopped, result.hopeless) == ("pruned", "no hope")
    assert asked == [[(10, 0.5)], [(10, 0.5), (20, 0.4)]]
    assert (result.objective, result.best_step, len(result.curve)) == (0.5, 10, 2)


@pytest.mark.parametrize(("settings", "ended"), [({"steps": 20}, "steps"), ({"steps": 90, "patience": 1}, "patience")])
def test_what_has_come_to_its_end_is_not_called_hopeless(settings: dict[str, int], ended: str) -> None:
    objectives = iter([0.5, 0.4, 0.3])

    def at_the_second(curve: Sequence[CurvePoint]) -> str:
        return "no hope" if len(curve) == 2 else ""

    result = train_plane(validate=lambda network: next(objectives), settings=settings, hopeless=at_the_second)
    assert (result.stopped, len(result.curve)) == (ended, 2)


def test_a_hopeless_training_stays_so_when_it_is_resumed(tmp_path: Path) -> None:
    first = train_plane(checkpoints=Checkpoints(tmp_path, "a", 1000), hopeless=lambda curve: "no hope")
    batches = PlaneBatches()
    again = train_plane(batches=batches, checkpoints=Checkpoints(tmp_path, "a", 1000))
    assert batches.asked == []
    assert (again.stopped, again.hopeless) == ("pruned", "no hope")
    assert equal(again, first)


def test_the_last_step_is_measured_whatever_the_interval() -> None:
    result = train_plane(settings={"steps": 7, "validate_every": 5})
    assert [point.step for point in result.curve] == [5, 7]


@pytest.mark.parametrize("step", [1, 7, 10, 19, 29])
def test_stopped_and_resumed_ends_with_the_same_bits(tmp_path: Path, step: int) -> None:
    uninterrupted = train_plane()
    with pytest.raises(Interrupted, match=f"stopped at step {step} of 30"):
        train_plane(checkpoints=Checkpoints(tmp_path, "a", 1000), stop=stop_after(step))
    batches = PlaneBatches()
    resumed = train_plane(batches=batches, checkpoints=Checkpoints(tmp_path, "a", 1000))
    assert batches.asked[0] == step
    assert equal(resumed, uninterrupted)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_killed_again_and_again_it_ends_with_the_same_bits(tmp_path: Path, optimizer: str, schedule: str) -> None:
    settings = {"optimizer": optimizer, "schedule": schedule}
    uninterrupted = train_plane(settings=settings)
    for _ in range(4):  # each dies within its eighth step, after the checkpoint of the seventh
        with pytest.raises(KeyboardInterrupt):
            train_plane(loss=dying_after(7), settings=settings, checkpoints=Checkpoints(tmp_path, "a", 1e-9))
    resumed = train_plane(settings=settings, checkpoints=Checkpoints(tmp_path, "a", 1e-9))
    assert equal(resumed, uninterrupted)


def test_a_finished_training_is_not_trained_again(tmp_path: Path) -> None:
    first = train_plane(checkpoints=Checkpoints(tmp_path, "a", 1000))
    batches = PlaneBatches()
    again = train_plane(batches=batches, checkpoints=Checkpoints(tmp_path, "a", 1000))
    assert batches.asked == []
    assert equal(again, first)


def test_another_training_does_not_use_these_checkpoints(tmp_path: Path) -> None:
    train_plane(checkpoints=Checkpoints(tmp_path, "a", 1000))
    batches = PlaneBatches()
    train_plane(batches=batches, checkpoints=Checkpoints(tmp_path, "b", 1000))
    assert batches.asked[0] == 0


def test_resumed_time_includes_what_was_spent_before(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, "a", 1000)
    with pytest.raises(Interrupted):
        train_plane(checkpoints=store, stop=stop_after(3))
    content = store.load(torch.device("cpu"))
    assert content is not None
    store.save(3, content | {"seconds": 1000.0})
    assert train_plane(checkpoints=store).seconds > 1000


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_a_divergence(bad: float) -> None:
    count = iter(range(100))

    def loss(network: nn.Module, batch: Any) -> torch.Tensor:
        return plane_loss(network, batch) * (bad if next(count) == 4 else 1)

    with pytest.raises(Diverged, match=r"the loss was (nan|inf) at step 10"):
        train_plane(loss=loss)


def test_it_reports_after_every_step() -> None:
    seen: list[tuple[int, int]] = []

    def report(run: Run) -> None:
        seen.append((run.step, len(run.curve)))

    train_plane(settings={"steps": 4, "validate_every": 2}, report=report)
    assert seen == [(1, 0), (2, 1), (3, 1), (4, 2)]


def test_bfloat16_trains_too() -> None:
    result = train_plane(precision=torch.bfloat16)
    assert all(weight.dtype != torch.bfloat16 for weight in result.weights.values())
    assert result.objective > 0.5
