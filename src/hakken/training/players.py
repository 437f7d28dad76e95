"""What a method hands to the training loop: players, each with networks, an optimiser and a source of mini-batches.

Mostly there is one player. Adversaries are several: each is updated by its own loss while the networks of the others
stand still, in the order in which the method names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from hakken.study.parameters import Optimisation

__all__ = ["Batch", "Found", "Loss", "Model", "Networks", "Optimisation", "Player", "Review", "Source"]

Networks = Mapping[str, nn.Module]
Found = Mapping[str, Any]
"""What a review has found: texts, numbers, lists of them, mappings by text, and tensors."""


class Batch(Protocol):
    """A mini-batch as the loop sees it; what it holds is between source and method."""

    def __len__(self) -> int:
        """How many samples it holds."""
        ...

    def split(self, parts: int) -> Sequence[Batch]:
        """Return it in so many parts of nearly equal size, in its order; in fewer where it has not so many samples."""
        ...

    def arranged(self, channels_last: bool) -> Batch:
        """Return it with its images in the order of memory in which the networks have their weights."""
        ...


class Source(Protocol):
    """Where mini-batches come from. Mini-batch ``n`` is a function of the source's seed and of n alone.

    Where a player has a `Review`, it is also one of what the source was told.
    """

    def iterate(self, start: int, *, workers: int, stride: int) -> Iterator[Any]:
        """Yield the mini-batches ``start``, ``start + stride``, and so on without end, whatever the ``workers``.

        Those are threads that may make several of them ahead, at once; without any, each is made when it is wanted.
        """
        ...


@dataclass(frozen=True, eq=False)
class Player:
    """One who learns: the networks named ``networks``, moved by ``optimisation`` on the mini-batches of ``source``.

    ``updates`` are made in a row in every ``every``-th round. Gradients are cut to the norm ``clip``. With ``average``
    the networks that are measured and kept are exponential moving averages of the weights with this decay. A ``review``
    changes what comes from the source in the middle of the training.
    """

    name: str
    networks: tuple[str, ...]
    source: Source
    optimisation: Optimisation
    updates: int = 1
    every: int = 1
    clip: float | None = None
    average: float | None = None
    review: Review | None = None


@dataclass(frozen=True, eq=False)
class Review:
    """What a player's source is told once, after the share ``after`` of the steps: what the networks get wrong, say.

    ``find`` is given the model, in evaluation mode, that would be kept then, and how many steps have been made; what it
    returns must follow from these alone. It is kept in checkpoints, and ``tell`` is called with it before the next
    mini-batch, and again by each training that goes on from there. The record of the training says under ``name`` what
    ``sum_up`` says of it.
    """

    name: str
    after: float
    find: Callable[[Model, int], Found]
    tell: Callable[[Found], None]
    sum_up: Callable[[Found], Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Loss:
    """The mean loss of a mini-batch (scalar), and further numbers to write down beside it."""

    value: torch.Tensor
    log: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Model:
    """What is kept of a training and predicts: networks by name, and plain values (numbers, texts, tensors, lists)."""

    networks: Networks = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def eval(self) -> Model:
        """Set all networks to evaluation mode and return the model."""
        for network in self.networks.values():
            network.eval()
        return self

    @property
    def device(self) -> torch.device:
        """Where the networks are; the CPU where there is none."""
        weights = (weight for network in self.networks.values() for weight in network.parameters())
        return next((weight.device for weight in weights), torch.device("cpu"))
