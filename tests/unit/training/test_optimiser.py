from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import nn

from hakken.study import Training
from hakken.training.optimiser import Optimiser, learning_rate, rate_factor, scheduled_rate
from hakken.training.players import Optimisation

Kind = Literal["adamw", "sgd"]
VALUES = Optimisation(learning_rate=0.8, learning_rate_decay=0.25, momentum=0.7, weight_decay=0.01)
KINDS = pytest.mark.parametrize("kind", ["adamw", "sgd"])


@pytest.mark.parametrize(("step", "rate"), [(0, 0.8), (49, 0.8), (50, 0.4), (74, 0.4), (75, 0.2), (99, 0.2)])
def test_the_stepped_rate_falls_in_two_equal_ratios(step: int, rate: float) -> None:
    assert learning_rate(step, 100, VALUES, "step") == pytest.approx(rate)


@pytest.mark.parametrize(("step", "rate"), [(0, 0.8), (50, 0.5), (100, 0.2)])
def test_the_cosine_runs_from_the_first_to_the_last_rate(step: int, rate: float) -> None:
    assert learning_rate(step, 100, VALUES, "cosine") == pytest.approx(rate)


def test_without_decay_the_rate_stays() -> None:
    values = Optimisation(learning_rate=0.8, learning_rate_decay=1.0)
    rates = {learning_rate(step, 10, values, course) for step in range(10) for course in ("cosine", "step")}  # type: ignore[arg-type]
    assert rates == {0.8}


@pytest.mark.parametrize(
    ("settings", "factors"),
    [
        ({}, [1.0, 1.0, 1.0]),
        ({"nodes": 2, "gpus_per_node": 2, "warm_up": 0.5}, [1.0, 2.5, 4.0]),
        ({"gpus_per_node": 4, "warm_up": 0}, [4.0, 4.0, 4.0]),
        ({"gpus_per_node": 4, "rate_scaling": "none"}, [1.0, 1.0, 1.0]),
    ],
)
def test_several_mini_batches_an_update_raise_the_rate(settings: dict[str, Any], factors: list[float]) -> None:
    training = Training.model_validate({"steps": 100} | settings)
    assert [rate_factor(step, training) for step in (0, 25, 50)] == factors
    expected = [
        learning_rate(step, 100, VALUES, "cosine") * factor for step, factor in zip((0, 25, 50), factors, strict=True)
    ]
    assert [scheduled_rate(step, VALUES, training) for step in (0, 25, 50)] == pytest.approx(expected)


def made(kind: Kind, values: Optimisation) -> tuple[nn.Module, Any]:
    """A layer and the optimiser of PyTorch that ours is held against."""
    torch.manual_seed(1)
    layer = nn.Linear(3, 2)
    rate, decay = values.learning_rate, values.weight_decay
    if kind == "sgd":
        return layer, torch.optim.SGD(layer.parameters(), lr=rate, momentum=values.momentum, weight_decay=decay)
    betas = (values.momentum, values.beta2)
    return layer, torch.optim.AdamW(layer.parameters(), lr=rate, betas=betas, weight_decay=decay)


def ours_of(layer: nn.Module, values: Optimisation, kind: Kind) -> Optimiser:
    return Optimiser(list(layer.parameters()), replace(values, kind=kind))


def loss(layer: nn.Module, step: int) -> torch.Tensor:
    points = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
    return layer(points).square().mean() * 10 ** -(step % 3)


@KINDS
@pytest.mark.parametrize("values", [VALUES, Optimisation(momentum=0.0, weight_decay=0.0), Optimisation(beta2=0.9)])
def test_the_steps_are_those_of_pytorch_s_own_classes(kind: Kind, values: Optimisation) -> None:
    expected, theirs = made(kind, values)
    layer, _ = made(kind, values)
    ours = ours_of(layer, values, kind)
    for step in range(20):
        ours.rate = theirs.param_groups[0]["lr"] = learning_rate(step, 20, values, "cosine")
        for network, optimiser in ((expected, theirs), (layer, ours)):
            loss(network, step).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        theirs.zero_grad()
        ours.clear()
    assert all(map(torch.equal, layer.parameters(), expected.parameters()))


@KINDS
def test_what_is_kept_of_it_lets_another_go_on(kind: Kind) -> None:
    layer, _ = made(kind, VALUES)
    ours = ours_of(layer, VALUES, kind)
    for step in range(6):
        if step == 3:
            state = copy.deepcopy(ours.state_dict())
            ours = ours_of(layer, VALUES, kind)
            ours.load_state_dict(state)
        loss(layer, step).backward()  # type: ignore[no-untyped-call]
        ours.step()
        ours.clear()
    uninterrupted, theirs = made(kind, VALUES)
    for step in range(6):
        loss(uninterrupted, step).backward()  # type: ignore[no-untyped-call]
        theirs.step()
        theirs.zero_grad()
    assert all(map(torch.equal, layer.parameters(), uninterrupted.parameters()))


def test_a_training_does_not_wait_for_the_compiler_of_pytorch() -> None:
    """Its import takes seconds in every trial."""
    code = """
import sys, torch
from hakken.training.optimiser import Optimiser
from hakken.training.players import Optimisation
for kind in ("adamw", "sgd"):
    layer = torch.nn.Linear(2, 2)
    optimiser = Optimiser(list(layer.parameters()), Optimisation(kind=kind))
    layer(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    optimiser.clear()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@KINDS
def test_weights_without_a_gradient_stay_as_pytorch_leaves_them(kind: Kind) -> None:
    values = Optimisation(momentum=0.5, weight_decay=0.1, learning_rate=0.1)
    expected, theirs = made(kind, values)
    layer, _ = made(kind, values)
    ours = ours_of(layer, values, kind)
    for step in range(6):
        for network, optimiser in ((expected, theirs), (layer, ours)):
            points = torch.ones(4, 3)
            used = network(points) if step % 2 == 0 else points @ network.weight.T  # the bias takes no part
            optimiser.zero_grad() if optimiser is theirs else optimiser.clear()
            used.square().mean().backward()
            optimiser.step()
    for one, other in zip(expected.parameters(), layer.parameters(), strict=True):
        if kind == "adamw" or one.ndim > 1:
            assert torch.allclose(one, other, atol=1e-6)
