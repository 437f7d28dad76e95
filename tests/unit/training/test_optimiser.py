from __future__ import annotations

import pytest
import torch
from torch import nn

from hakken.study import Hyperparameters
from hakken.training.optimiser import learning_rate, make_optimizer, set_learning_rate

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


def test_momentum_and_decay_reach_the_optimiser() -> None:
    layer = nn.Linear(2, 2)
    adamw = make_optimizer(layer, VALUES, "adamw").param_groups[0]
    assert (adamw["lr"], adamw["betas"], adamw["weight_decay"]) == (0.8, (0.7, 0.999), 0.01)
    sgd = make_optimizer(layer, VALUES, "sgd").param_groups[0]
    assert (sgd["lr"], sgd["momentum"], sgd["weight_decay"]) == (0.8, 0.7, 0.01)


def test_the_rate_that_is_set_is_the_one_that_is_used() -> None:
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    weight.grad = torch.tensor([1.0])
    set_learning_rate(optimizer, 0.25)
    optimizer.step()
    assert weight.item() == 0.75
