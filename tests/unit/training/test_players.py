"""Several players in one loop: whose turn it is, what stands still meanwhile, and what each leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hakken.core.seeds import derive_seed
from hakken.study import Training
from hakken.training.checkpoint import Checkpoints
from hakken.training.loop import Diverged, Interrupted, TrainingResult, train
from hakken.training.players import Loss, Model, Networks, Optimisation, Player
from hakken.training.sources import Samples

from .game import Numbers, adversaries, game, total, wasserstein

PLAIN = Optimisation(learning_rate=1.0, learning_rate_decay=1.0, weight_decay=0.0, momentum=0.0, kind="sgd")
"""A weight moves by its gradient."""


def player(name: str, *networks: str, source: Any = None, **options: Any) -> Player:
    return Player(name, networks or (name,), source or Numbers(), **({"optimisation": PLAIN} | options))


def weight(value: float = 0.0) -> nn.Module:
    """A network of one weight and no inputs."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


def value_of(networks: Networks, name: str) -> torch.Tensor:
    return next(networks[name].parameters()).sum()


def own_weight(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
    """A loss whose gradient is 1 for the player's own network."""
    return Loss(value_of(networks, name))


def played(
    networks: Mapping[str, nn.Module],
    players: Sequence[Player],
    loss: Callable[..., Loss] = own_weight,
    validate: Callable[[Model], float] = lambda model: 0.0,
    *,
    rounds: int = 4,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> TrainingResult:
    chosen = {"steps": rounds, "validate_every": rounds, "patience": 99, "keep": "last"} | dict(settings or {})
    return train(
        networks,
        players,
        loss,
        lambda given: Model(dict(given)),
        validate,
        training=Training.model_validate(chosen),
        seed=5,
        **options,
    )


def test_players_take_turns_in_the_order_in_which_they_are_named() -> None:
    turns: list[tuple[str, float]] = []

    def loss(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        turns.append((name, float(batch["number"])))
        return own_weight(name, networks, batch, draw)

    networks = {"critic": weight(), "drawer": weight()}
    critic, drawer = Numbers(), Numbers()
    players = [player("critic", source=critic, updates=3), player("drawer", source=drawer, every=2)]
    played(networks, players, loss, rounds=3)
    first = [("critic", 0.0), ("critic", 1.0), ("critic", 2.0), ("drawer", 0.0)]
    second = [("critic", 3.0), ("critic", 4.0), ("critic", 5.0)]
    third = [("critic", 6.0), ("critic", 7.0), ("critic", 8.0), ("drawer", 1.0)]
    assert turns == [*first, *second, *third]
    assert (value_of(networks, "critic").item(), value_of(networks, "drawer").item()) == (-9, -2)


def test_an_update_is_the_mean_over_its_mini_batches() -> None:
    def loss(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        return Loss(value_of(networks, name) * batch["number"].sum())

    networks, source = {"one": weight()}, Numbers()
    settings = {"gpus_per_node": 2, "rate_scaling": "none"}
    result = played(networks, [player("one", source=source, updates=2)], loss, rounds=4, settings=settings)
    # Two rounds of two updates of two mini-batches each: means of 0, 1; 2, 3; 4, 5; 6, 7.
    assert source.asked == list(range(8))
    assert value_of(networks, "one").item() == pytest.approx(-(0.5 + 2.5 + 4.5 + 6.5))
    assert [point.step for point in result.curve] == [4]


@pytest.mark.parametrize(
    ("step", "critic", "drawer"), [(2, 3, 1), (4, 6, 1), (6, 9, 2), (8, 12, 2)]
)  # rounds of two mini-batches
def test_a_resumed_player_goes_on_with_its_own_mini_batches(
    step: int, critic: int, drawer: int, tmp_path: Path
) -> None:
    settings, store = {"gpus_per_node": 2}, Checkpoints(tmp_path, "a", 1000)
    calls = iter(range(2, 100, 2))

    def go(stop: Callable[[], bool], sources: tuple[Numbers, Numbers]) -> None:
        players = [player("critic", source=sources[0], updates=3), player("drawer", source=sources[1], every=2)]
        networks = {"critic": weight(), "drawer": weight()}
        played(networks, players, rounds=10, settings=settings, checkpoints=store, stop=stop)

    with pytest.raises(Interrupted, match=f"stopped at step {step} of 10"):
        go(lambda: next(calls) == step, (Numbers(), Numbers()))
    sources = Numbers(), Numbers()
    go(lambda: False, sources)
    assert sources[0].asked == list(range(2 * critic, 30))
    assert sources[1].asked == list(range(2 * drawer, 6))


def test_what_is_not_the_player_s_stands_still_and_gathers_no_gradients() -> None:
    seen: dict[str, list[bool]] = {}

    def loss(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        seen[name] = [weight.requires_grad for network in networks.values() for weight in network.parameters()]
        return Loss(sum((value_of(networks, other) for other in networks), torch.zeros(())))

    networks = {"critic": weight(), "drawer": weight(), "frozen": weight(1.0).requires_grad_(False)}
    played(networks, [player("critic"), player("drawer", updates=2)], loss, rounds=1)
    assert seen == {"critic": [True, False, False], "drawer": [False, True, False]}
    assert [value_of(networks, name).item() for name in networks] == [-1, -2, 1]
    flags = [weight.requires_grad for network in networks.values() for weight in network.parameters()]
    assert flags == [True, True, False], "as it was before"


def test_a_gradient_passes_through_what_stands_still() -> None:
    def loss(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        product = value_of(networks, "drawer") * value_of(networks, "critic")
        return Loss(product if name == "drawer" else -product)

    networks = {"critic": weight(3.0), "drawer": weight(2.0)}
    played(networks, [player("critic"), player("drawer")], loss, rounds=1)
    # The critic moves by +2 to 5, then the drawer by -5 to -3.
    assert (value_of(networks, "critic").item(), value_of(networks, "drawer").item()) == (5, -3)


def test_after_a_loss_that_fails_nothing_stands_still() -> None:
    def loss(*given: Any) -> Loss:
        raise KeyboardInterrupt

    networks = {"critic": weight(), "drawer": weight()}
    with pytest.raises(KeyboardInterrupt):
        played(networks, [player("critic"), player("drawer")], loss)
    assert all(weight.requires_grad for network in networks.values() for weight in network.parameters())


def test_a_player_may_move_several_networks_and_two_may_share_one() -> None:
    networks = {"encoder": weight(), "decoder": weight()}

    def loss(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        return Loss(value_of(networks, "encoder") + 2 * value_of(networks, "decoder"))

    played(networks, [player("both", "encoder", "decoder"), player("one", "encoder")], loss, rounds=1)
    assert (value_of(networks, "encoder").item(), value_of(networks, "decoder").item()) == (-2, -2)


@pytest.mark.parametrize(("clip", "moved"), [(None, (3.0, 4.0)), (10.0, (3.0, 4.0)), (1.0, (0.6, 0.8))])
def test_gradients_are_cut_to_a_norm(clip: float | None, moved: tuple[float, float]) -> None:
    networks = {"a": weight(), "b": weight()}

    def loss(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        return Loss(3 * value_of(networks, "a") + 4 * value_of(networks, "b"))

    played(networks, [player("both", "a", "b", clip=clip)], loss, rounds=1)
    found = [-value_of(networks, name).item() for name in networks]
    assert found == pytest.approx(moved, rel=1e-5)


def test_moving_averages_are_measured_and_kept_in_place_of_the_weights() -> None:
    networks = {"drawer": weight(), "critic": weight()}
    seen: list[tuple[float, float]] = []

    def validate(model: Model) -> float:
        seen.append((value_of(model.networks, "drawer").item(), value_of(model.networks, "critic").item()))
        return 0.0

    players = [player("drawer", average=0.75, updates=2), player("critic")]
    result = played(networks, players, validate=validate, rounds=2, settings={"validate_every": 1})
    # Weights 0, -1, -2, -3, -4; averages 0, -1/4, -11/16, ...: each is 3/4 of the one before and 1/4 of the weight.
    averages = [0.0]
    for now in (-1, -2, -3, -4):
        averages.append(0.75 * averages[-1] + 0.25 * now)
    assert seen == [(pytest.approx(averages[2]), -1), (pytest.approx(averages[4]), -2)]
    assert result.weights["drawer"]["weight"].item() == pytest.approx(averages[4])
    assert value_of(networks, "drawer").item() == -4


def test_the_buffers_of_a_moving_average_are_the_network_s_own() -> None:
    networks = {"one": nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))}

    def loss(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        return Loss(networks["one"](torch.randn(8, 2, generator=draw) + 5).mean())

    result = played(networks, [player("one", average=0.999)], loss, rounds=3)
    own = networks["one"].state_dict()
    for name, kept in result.weights["one"].items():
        assert torch.equal(kept, own[name]) == ("running" in name or "batches" in name)


def test_losses_are_written_down_by_player_and_by_what_a_player_adds() -> None:
    def loss(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        number = batch["number"].sum()
        more = {"double": 2 * number} if name == "critic" else {}
        return Loss(value_of(networks, name) * 0 + number, more)

    networks = {"critic": weight(), "drawer": weight()}
    result = played(networks, [player("critic", updates=2), player("drawer")], loss, rounds=2)
    (point,) = result.curve
    assert point.losses == {"critic": (0 + 1 + 2 + 3) / 4, "critic.double": 3.0, "drawer": (0 + 1) / 2}
    assert point.loss == 1.5, "that of the first player"


def test_who_diverges_is_named() -> None:
    def loss(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        return Loss(value_of(networks, name) * (torch.nan if name == "drawer" else 1))

    networks = {"critic": weight(), "drawer": weight()}
    with pytest.raises(Diverged, match="the loss of drawer was nan at step 2"):
        played(networks, [player("critic"), player("drawer")], loss, rounds=2)


def test_random_numbers_are_functions_of_seed_player_and_mini_batch() -> None:
    """Those of the first player do not know its name: there is mostly one."""
    seen: dict[tuple[str, int], tuple[float, float]] = {}

    def loss(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
        pair = float(torch.rand((), generator=draw)), float(torch.rand(()))
        seen[name, int(batch["number"])] = pair
        return own_weight(name, networks, batch, draw)

    networks = {"critic": weight(), "drawer": weight()}
    played(networks, [player("critic", updates=2), player("drawer")], loss, rounds=3)
    assert len(set(seen.values())) == len(seen) == 9
    generator = torch.Generator().manual_seed(derive_seed(5, "step", 2))
    assert seen["critic", 2][0] == float(torch.rand((), generator=generator))
    generator = torch.Generator().manual_seed(derive_seed(5, "step", 2, "drawer"))
    assert seen["drawer", 2][0] == float(torch.rand((), generator=generator))


@pytest.mark.parametrize("step", [1, 2, 5, 8])
def test_a_game_that_is_resumed_ends_with_the_same_bits(step: int, tmp_path: Path) -> None:
    def go(**options: Any) -> TrainingResult:
        settings = {"validate_every": 3, "keep": "best"}
        return played(game(), adversaries(), wasserstein, total, rounds=12, settings=settings, **options)

    uninterrupted = go()
    calls = iter(range(1, 100))
    with pytest.raises(Interrupted):
        go(checkpoints=Checkpoints(tmp_path, "a", 1000), stop=lambda: next(calls) == step)
    resumed = go(checkpoints=Checkpoints(tmp_path, "a", 1000))
    assert resumed.curve == uninterrupted.curve
    assert resumed.best_step == uninterrupted.best_step
    for name, weights in uninterrupted.weights.items():
        for key, value in weights.items():
            assert torch.equal(resumed.weights[name][key], value), (name, key)
    assert set(uninterrupted.curve[0].losses) == {"critic", "critic.penalty", "drawer"}
