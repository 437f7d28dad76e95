"""The optimiser and the course of its learning rate, both functions of the player's settings and the step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from hakken.study import Training
from hakken.training.players import Optimisation

DROPS = (0.5, 0.75)  # of the steps: where a stepped learning rate falls


class Optimiser:
    """AdamW or SGD with momentum on some ``weights``, as the optimisation says.

    The steps are those of `torch.optim`, through the functions behind its classes: the classes import PyTorch's
    compiler as soon as one is made, which takes longer than many a short training.
    """

    def __init__(self, weights: Sequence[torch.Tensor], settings: Optimisation) -> None:
        self.settings, self.rate = settings, settings.learning_rate
        self._weights = list(weights)
        self._steps = [torch.zeros(()) for _ in self._weights]  # on the CPU, where they are read
        self._means = [torch.zeros_like(weight) for weight in self._weights]
        adaptive = settings.kind == "adamw"
        self._squares = [torch.zeros_like(weight) for weight in self._weights] if adaptive else []

    def clear(self) -> None:
        """Forget the gradients."""
        for weight in self._weights:
            weight.grad = None

    def step(self) -> None:
        """Move all weights by their gradients, at the present ``rate``.

        A weight that took no part in the loss is left as it is, its moments and its count of steps too.
        """
        part = [number for number, weight in enumerate(self._weights) if weight.grad is not None]

        def chosen(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
            return [tensors[number] for number in part] if tensors else []

        weights, means, squares = chosen(self._weights), chosen(self._means), chosen(self._squares)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        common: dict[str, Any] = {"lr": self.rate, "weight_decay": self.settings.weight_decay, "maximize": False}
        with torch.no_grad():
            if self.settings.kind == "sgd":
                common |= {"momentum": self.settings.momentum, "dampening": 0.0, "nesterov": False}
                sgd(weights, gradients, [*means], **common)
            else:
                common |= {"beta1": self.settings.momentum, "beta2": self.settings.beta2, "eps": 1e-8}
                adamw(weights, gradients, means, squares, [], chosen(self._steps), amsgrad=False, **common)

    def state_dict(self) -> dict[str, list[torch.Tensor]]:
        """Return all that changes from step to step, as tensors."""
        return {"steps": self._steps, "means": self._means, "squares": self._squares}

    def load_state_dict(self, state: dict[str, list[torch.Tensor]]) -> None:
        """Go on from what `state_dict` returned, on whatever device it is."""
        for name, mine in self.state_dict().items():
            for tensor, stored in zip(mine, state[name], strict=True):
                tensor.copy_(stored)


def learning_rate(step: int, steps: int, settings: Optimisation, course: Literal["cosine", "step"]) -> float:
    """Return the learning rate of ``step`` (0, 1, ...) of ``steps``.

    It falls from ``learning_rate`` to ``learning_rate * learning_rate_decay``, along a half cosine or in two equal
    ratios at one half and three quarters of the steps. Over the share ``warm_up`` it rises evenly to that.

    >>> learning_rate(50, 100, Optimisation(learning_rate=1, learning_rate_decay=0.01), "step")
    0.1
    >>> [learning_rate(step, 100, Optimisation(learning_rate=8, warm_up=0.04), "step") for step in (0, 1, 3, 4)]
    [2.0, 4.0, 8.0, 8.0]
    """
    done, decay = step / steps, settings.learning_rate_decay
    if course == "cosine":
        share = decay + (1 - decay) * (1 + math.cos(math.pi * done)) / 2
    else:
        share = decay ** (sum(done >= drop for drop in DROPS) / len(DROPS))
    risen = min((step + 1) / (settings.warm_up * steps), 1.0) if settings.warm_up else 1.0
    return settings.learning_rate * share * risen


def rate_factor(step: int, training: Training) -> float:
    """Return by how much several mini-batches an update raise the learning rate at ``step`` (0, 1, ...).

    From 1 it rises evenly over the share `warm_up` of the steps to their number, and stays there (Goyal et al.,
    Accurate, large minibatch SGD, 2017, section 2.2).

    >>> [rate_factor(step, Training(steps=100, gpus_per_node=4, warm_up=0.5)) for step in (0, 25, 50, 99)]
    [1.0, 2.5, 4.0, 4.0]
    """
    if training.rate_scaling == "none" or training.minibatches == 1:
        return 1.0
    warming = training.warm_up * training.steps
    risen = min(step / warming, 1.0) if warming else 1.0
    return 1.0 + risen * (training.minibatches - 1)


def scheduled_rate(step: int, settings: Optimisation, training: Training) -> float:
    """Return the learning rate of the update at ``step`` (0, 1, ...): `learning_rate` times `rate_factor`."""
    return learning_rate(step, training.steps, settings, training.schedule) * rate_factor(step, training)
