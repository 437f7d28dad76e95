from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any, Literal

import pytest
import torch
from torch import nn

from hakken.study import Hyperparameters
from hakken.training.optimiser import Optimiser, learning_rate

VALUES = Hyperparameters(learning_rate=0.8, learning_rate_decay=0.25, momentum=0.7, weight_decay=0.01)


@pytest.mark.parametrize(("step", "rate"), [(0, 0.8), (49, 0.8), (50, 0.4), (74, 0.4), (75, 0.2), (99, 0.2)])
def test_the_stepped_rate_falls_in_two_equal_ratios(step: int, rate: float) -> None:
    assert learning_rate(step, 100, VALUES, "step") == pytest.approx(rate)


@pytest.mark.parametrize(("step", "rate"), [(0, 0.8), (50, 0.5), (100, 0.2)])
def test_the_cosine_runs_from_the_first_to_the_last_rate(step: int, rate: float) -> None:
    assert learning_rate(step, 100, VALUES, "cosine") == pytest.approx(rate)


def test_without_decay_the_rate_stays() -> None:
    values = Hyperparameters(learning_rate=0.8, learning_rate_decay=1.0)
    rates = {learning_rate(step, 10, values, course) for step in range(10) for course in ("cosine", "step")}  # type: ignore[arg-type]
    assert rates == {0.8}


def made(kind: Literal["adamw", "sgd"], values: Hyperparameters) -> tuple[nn.Module, Any]:
    """A layer and the optimiser of PyTorch that ours is held against."""
    torch.manual_seed(1)
    layer = nn.Linear(3, 2)
    rate, decay = values.learning_rate, values.weight_decay
    if kind == "sgd":
        return layer, torch.optim.SGD(layer.parameters(), lr=rate, momentum=values.momentum, weight_decay=decay)
    return layer, torch.optim.AdamW(layer.parameters(), lr=rate, betas=(values.momentum, 0.999), weight_decay=decay)


def loss(layer: nn.Module, step: int) -> torch.Tensor:
    points = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
    return layer(points).square().mean() * 10 ** -(step % 3)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
@pytest.mark.parametrize("values", [VALUES, Hyperparameters(momentum=0.0, weight_decay=0.0)])
def test_the_steps_are_those_of_pytorch_s_own_classes(kind: Literal["adamw", "sgd"], values: Hyperparameters) -> None:
    expected, theirs = made(kind, values)
    layer, _ = made(kind, values)
    ours = Optimiser(layer, values, kind)
    for step in range(20):
        ours.rate = theirs.param_groups[0]["lr"] = learning_rate(step, 20, values, "cosine")
        for network, optimiser in ((expected, theirs), (layer, ours)):
            loss(network, step).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        theirs.zero_grad()
        ours.clear()
    assert all(map(torch.equal, layer.parameters(), expected.parameters()))


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_what_is_kept_of_it_lets_another_go_on(kind: Literal["adamw", "sgd"]) -> None:
    layer, _ = made(kind, VALUES)
    ours = Optimiser(layer, VALUES, kind)
    for step in range(6):
        if step == 3:
            state = copy.deepcopy(ours.state_dict())
            ours = Optimiser(layer, VALUES, kind)
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


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_a_training_does_not_wait_for_the_compiler_of_pytorch(kind: str) -> None:
    """Its import takes seconds in every trial."""
    code = f"""
import sys, torch
from hakken.study import Hyperparameters
from hakken.training.optimiser import Optimiser
layer = torch.nn.Linear(2, 2)
optimiser = Optimiser(layer, Hyperparameters(), {kind!r})
layer(torch.ones(1, 2)).sum().backward()
optimiser.step()
optimiser.clear()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_weights_without_a_gradient_stay_as_pytorch_leaves_them(kind: Literal["adamw", "sgd"]) -> None:
    values = Hyperparameters(momentum=0.5, weight_decay=0.1, learning_rate=0.1)
    expected, theirs = made(kind, values)
    layer, _ = made(kind, values)
    ours = Optimiser(layer, values, kind)
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
