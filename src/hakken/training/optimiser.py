"""The optimiser and the course of its learning rate, both functions of the hyper-parameters and the step."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import nn

from hakken.study import Hyperparameters

DROPS = (0.5, 0.75)  # of the steps: where a stepped learning rate falls


def make_optimizer(
    network: nn.Module, parameters: Hyperparameters, kind: Literal["adamw", "sgd"]
) -> torch.optim.Optimizer:
    """Return AdamW (``momentum`` is its beta 1) or SGD with momentum, both with the study's weight decay."""
    rate, decay = parameters.learning_rate, parameters.weight_decay
    if kind == "adamw":
        return torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, betas=(parameters.momentum, 0.999))
    return torch.optim.SGD(network.parameters(), lr=rate, weight_decay=decay, momentum=parameters.momentum)


def learning_rate(step: int, steps: int, parameters: Hyperparameters, course: Literal["cosine", "step"]) -> float:
    """Return the learning rate of ``step`` (0, 1, ...) of ``steps``.

    It falls from ``learning_rate`` to ``learning_rate * learning_rate_decay``, along a half cosine or in two equal
    ratios at one half and three quarters of the steps.

    >>> learning_rate(50, 100, Hyperparameters(learning_rate=1, learning_rate_decay=0.01), "step")
    0.1
    """
    done = step / steps
    if course == "cosine":
        share = (
            parameters.learning_rate_decay + (1 - parameters.learning_rate_decay) * (1 + math.cos(math.pi * done)) / 2
        )
    else:
        share = parameters.learning_rate_decay ** (sum(done >= drop for drop in DROPS) / len(DROPS))
    return parameters.learning_rate * share


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Use ``rate`` from the next step on."""
    for group in optimizer.param_groups:
        group["lr"] = rate
