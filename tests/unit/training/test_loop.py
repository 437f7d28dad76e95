from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.study import Training
from hakken.training.checkpoint import Checkpoints
from hakken.training.loop import CurvePoint, Diverged, Interrupted, Run, TrainingResult, train
from hakken.training.players import Loss, Model, Optimisation, Player
from hakken.training.sources import DrawnSource, Tensors

from .helpers import (
    NAME,
    PlaneBatches,
    drawn_plane,
    plane_accuracy,
    plane_loss,
    plane_network,
    plane_samples,
    train_plane,
)


def equal(one: TrainingResult, other: TrainingResult) -> bool:
    """Whether two trainings ended with the same bits."""
    same = one.weights.keys() == other.weights.keys() and all(
        torch.equal(one.weights[network][name], other.weights[network][name])
        for network in one.weights
        for name in one.weights[network]
    )
    return same and (one.curve, one.objective, one.best_step) == (other.curve, other.objective, other.best_step)


def stop_after(steps: int) -> Any:
    """A stop request that comes after so many steps."""
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= steps


def dying_after(steps: int) -> Any:
    """A loss that is killed after so many steps."""
    calls = iter(range(1000))

    def loss(*given: Any) -> Loss:
        if next(calls) == steps:
            raise KeyboardInterrupt
        return plane_loss(*given)

    return loss


def first_weight(model: Model) -> float:
    return float(model.networks[NAME].state_dict()["0.weight"].sum())


def test_it_learns_and_keeps_the_best_weights() -> None:
    network = plane_network()
    before = plane_accuracy(Model({NAME: network}).eval())
    result = train_plane(network, settings={"steps": 60})
    assert [point.step for point in result.curve] == [10, 20, 30, 40, 50, 60]
    assert result.objective == max(point.objective for point in result.curve) > before + 0.2
    assert result.curve[-1].loss < 0.6 < result.curve[0].loss
    assert result.curve[-1].losses == {}, "there is one loss alone"
    network.load_state_dict(result.weights[NAME])
    assert plane_accuracy(Model({NAME: network}).eval()) == result.objective
    assert result.stopped == "steps"


@pytest.mark.parametrize(("keep", "kept"), [("best", (0.7, 20, 1)), ("last", (0.3, 40, 3))])
def test_the_best_or_the_last_weights_are_kept(keep: str, kept: tuple[float, int, int]) -> None:
    objectives = iter([0.2, 0.7, 0.7, 0.3])
    seen: list[float] = []

    def validate(model: Model) -> float:
        assert not model.networks[NAME].training
        seen.append(first_weight(model))
        return next(objectives)

    result = train_plane(validate=validate, settings={"steps": 40, "patience": 9, "keep": keep})
    objective, step, place = kept
    assert (result.objective, result.best_step) == (objective, step)
    assert float(result.weights[NAME]["0.weight"].sum()) == seen[place]


def test_who_keeps_the_last_weights_never_stops_for_want_of_improvement() -> None:
    objectives = iter([0.5, 0.4, 0.3, 0.2])
    settings = {"steps": 40, "patience": 1, "keep": "last"}
    result = train_plane(validate=lambda model: next(objectives), settings=settings)
    assert (result.stopped, len(result.curve)) == ("steps", 4)


@pytest.mark.parametrize("step", [7, 10])
def test_the_last_weights_of_a_resumed_training_are_those_of_an_uninterrupted_one(tmp_path: Path, step: int) -> None:
    settings = {"keep": "last"}
    uninterrupted = train_plane(settings=settings)
    with pytest.raises(Interrupted):
        train_plane(settings=settings, checkpoints=Checkpoints(tmp_path, "a", 1000), stop=stop_after(step))
    assert equal(train_plane(settings=settings, checkpoints=Checkpoints(tmp_path, "a", 1000)), uninterrupted)


def test_what_is_exported_is_what_is_measured_and_kept() -> None:
    network = plane_network()
    other = plane_network()
    seen: list[set[str]] = []

    def validate(model: Model) -> float:
        seen.append(set(model.networks))
        return 0.5

    players = [Player(NAME, (NAME, "critic"), PlaneBatches(), Optimisation())]
    result = train(
        {NAME: network, "critic": other},
        players,
        plane_loss,
        lambda networks: Model({NAME: networks[NAME]}),
        validate,
        training=Training(steps=2, validate_every=1),
        seed=1,
    )
    assert seen == [{NAME}, {NAME}]
    assert set(result.weights) == {NAME}


def test_it_stops_after_so_many_measurements_without_improvement() -> None:
    objectives = iter([0.5, 0.6, 0.6, 0.1, 0.9])
    result = train_plane(validate=lambda model: next(objectives), settings={"steps": 100, "patience": 2})
    assert [point.objective for point in result.curve] == [0.5, 0.6, 0.6, 0.1]
    assert result.stopped == "patience"


def test_it_stops_where_it_is_called_hopeless() -> None:
    objectives = iter([0.5, 0.4, 0.3, 0.2])
    asked: list[list[tuple[int, float]]] = []

    def hopeless(curve: Sequence[CurvePoint]) -> str:
        asked.append([(point.step, point.objective) for point in curve])
        return "no hope" if len(curve) == 2 else ""

    result = train_plane(
        validate=lambda model: next(objectives), settings={"steps": 40, "patience": 9}, hopeless=hopeless
    )
    assert (result.stopped, result.hopeless) == ("pruned", "no hope")
    assert asked == [[(10, 0.5)], [(10, 0.5), (20, 0.4)]]
    assert (result.objective, result.best_step, len(result.curve)) == (0.5, 10, 2)


@pytest.mark.parametrize(("settings", "ended"), [({"steps": 20}, "steps"), ({"steps": 90, "patience": 1}, "patience")])
def test_what_has_come_to_its_end_is_not_called_hopeless(settings: dict[str, int], ended: str) -> None:
    objectives = iter([0.5, 0.4, 0.3])

    def at_the_second(curve: Sequence[CurvePoint]) -> str:
        return "no hope" if len(curve) == 2 else ""

    result = train_plane(validate=lambda model: next(objectives), settings=settings, hopeless=at_the_second)
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


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_killed_again_and_again_it_ends_with_the_same_bits(tmp_path: Path, kind: str, schedule: str) -> None:
    chosen: dict[str, Any] = {"settings": {"schedule": schedule}, "optimisation": {"kind": kind}}
    uninterrupted = train_plane(**chosen)
    for _ in range(4):  # each dies within its eighth step, after the checkpoint of the seventh
        with pytest.raises(KeyboardInterrupt):
            train_plane(loss=dying_after(7), checkpoints=Checkpoints(tmp_path, "a", 1e-9), **chosen)
    resumed = train_plane(checkpoints=Checkpoints(tmp_path, "a", 1e-9), **chosen)
    assert equal(resumed, uninterrupted)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_mini_batches_that_are_made_ahead_change_nothing_also_after_a_kill(tmp_path: Path, workers: int) -> None:
    uninterrupted = train_plane(batches=drawn_plane())
    with pytest.raises(KeyboardInterrupt):
        train_plane(
            batches=drawn_plane(),
            loss=dying_after(7),
            checkpoints=Checkpoints(tmp_path, "a", 1e-9),
            workers=workers,
        )
    resumed = train_plane(batches=drawn_plane(), checkpoints=Checkpoints(tmp_path, "a", 1e-9), workers=workers)
    assert equal(resumed, uninterrupted)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mini_batch_that_cannot_be_made_ends_the_training(workers: int) -> None:
    def lost(random: torch.Generator) -> Tensors:
        raise HakkenError("shard-000.npy: cannot be read (input/output error)")

    with pytest.raises(HakkenError, match=r"shard-000\.npy: cannot be read"):
        train_plane(batches=DrawnSource(lost, 1), workers=workers)


def test_what_it_waited_and_measured_is_added_up_over_all_jobs(tmp_path: Path) -> None:
    def slow(random: torch.Generator) -> Tensors:
        time.sleep(0.002)
        return plane_samples(random)

    def measured(model: Model) -> float:
        time.sleep(0.01)
        return plane_accuracy(model)

    store = Checkpoints(tmp_path, "a", 1000)
    with pytest.raises(Interrupted):
        train_plane(batches=DrawnSource(slow, 1), checkpoints=store, stop=stop_after(20))
    result = train_plane(batches=DrawnSource(slow, 1), validate=measured, checkpoints=store)
    assert result.waited > 30 * 0.002
    assert result.measuring > 0.01
    assert result.waited + result.measuring < result.seconds


def test_a_training_that_pauses_at_rungs_ends_with_the_same_bits(tmp_path: Path) -> None:
    """Rungs are measured beside the interval; between the pauses each part goes on where the one before ended."""
    rungs = (4, 13)
    expected = train_plane(rungs=rungs)
    assert [point.step for point in expected.curve] == [4, 10, 13, 20, 30]
    for until in rungs:
        paused = train_plane(rungs=rungs, until=until, checkpoints=Checkpoints(tmp_path, "a", 1000))
        assert (paused.stopped, paused.curve[-1].step) == ("paused", until)
        again = train_plane(rungs=rungs, until=until, checkpoints=Checkpoints(tmp_path, "a", 1000))
        assert equal(again, paused), "a job that was killed before it published the pause finds it"
    result = train_plane(rungs=rungs, checkpoints=Checkpoints(tmp_path, "a", 1000))
    assert equal(result, expected)
    assert result.stopped == "steps"


def test_what_ends_for_another_reason_does_not_pause() -> None:
    objectives = iter([0.5, 0.4, 0.3])
    result = train_plane(validate=lambda model: next(objectives), settings={"patience": 1}, rungs=(4, 8), until=8)
    assert result.stopped == "patience"
    assert train_plane(rungs=(4,), until=30).stopped == "steps"


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

    def loss(*given: Any) -> Loss:
        return Loss(plane_loss(*given).value * (bad if next(count) == 4 else 1))

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
    assert all(weight.dtype != torch.bfloat16 for weight in result.weights[NAME].values())
    assert result.objective > 0.5


def test_mini_batches_in_parts_have_the_gradients_of_whole_ones() -> None:
    def network() -> torch.nn.Module:
        torch.manual_seed(3)
        return torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2)).double()

    def loss(player: str, networks: Any, batch: Any, draw: torch.Generator) -> Loss:
        value = torch.nn.functional.cross_entropy(networks[NAME](batch["points"].double()), batch["targets"])
        return Loss(value, {"more": value * 2})

    whole, parts = (
        train_plane(network(), loss=loss, validate=lambda model: 0.0, settings={"patience": 9}, parts=parts)
        for parts in (1, 3)  # 16 samples in parts of 6, 6 and 4
    )
    for name, weight in parts.weights[NAME].items():
        torch.testing.assert_close(weight, whole.weights[NAME][name], rtol=0, atol=1e-12)
    assert [point.loss for point in parts.curve] == pytest.approx([point.loss for point in whole.curve])
    assert parts.curve[0].losses == pytest.approx(whole.curve[0].losses)
    assert whole.curve[0].losses == pytest.approx({NAME: whole.curve[0].loss, "network.more": 2 * whole.curve[0].loss})
