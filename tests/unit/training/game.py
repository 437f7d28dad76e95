"""A critic and a drawer, with a penalty on the gradients of the critic: the smallest adversaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from hakken.training.players import Loss, Model, Networks, Optimisation, Player
from hakken.training.sources import Samples


@dataclass
class Numbers:
    """Mini-batches that hold nothing but their number; ``asked`` notes which were taken."""

    asked: list[int] = field(default_factory=list)

    def iterate(self, start: int, *, workers: int, stride: int) -> Iterator[Samples]:
        while True:
            self.asked.append(start)
            yield Samples({"number": torch.tensor([float(start)])})
            start += stride


def game() -> dict[str, nn.Module]:
    """The networks, always the same, in float64."""
    torch.manual_seed(2)
    critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    drawer = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2))
    return {"critic": critic.double(), "drawer": drawer.double()}


def wasserstein(name: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
    """The losses of Gulrajani et al. 2017."""
    drawn = networks["drawer"](torch.randn(6, 2, generator=draw, dtype=torch.float64))
    if name == "drawer":
        return Loss(-networks["critic"](drawn).mean())
    real = torch.randn(6, 2, generator=draw, dtype=torch.float64) + batch["number"].sum() % 3
    between = (0.5 * real + 0.5 * drawn).detach().requires_grad_()
    (slope,) = torch.autograd.grad(networks["critic"](between).sum(), between, create_graph=True)
    penalty = (slope.norm(dim=1) - 1).square().mean()
    return Loss(networks["critic"](drawn).mean() - networks["critic"](real).mean() + 10 * penalty, {"penalty": penalty})


def adversaries() -> list[Player]:
    """Two updates of the critic, cut, a round; one of the drawer, of which an average is kept, every second round."""
    moved = Optimisation(learning_rate=1e-2, momentum=0.5)
    return [
        Player("critic", ("critic",), Numbers(), moved, updates=2, clip=1.0),
        Player("drawer", ("drawer",), Numbers(), moved, every=2, average=0.9),
    ]


def total(model: Model) -> float:
    """The sum of all weights and buffers, as an objective that every change is seen in."""
    return float(sum(value.double().sum() for one in model.networks.values() for value in one.state_dict().values()))
