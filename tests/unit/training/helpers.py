"""A training of a second: points in a plane, told apart by a small network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from hakken.study import Training
from hakken.training.loop import TrainingResult, train
from hakken.training.players import Loss, Model, Networks, Optimisation, Player, Source
from hakken.training.sources import DrawnSource, Samples, Tensors

NAME = "network"


@dataclass
class PlaneBatches:
    """Mini-batches that are functions of their number; ``asked`` notes which were made."""

    asked: list[int] = field(default_factory=list)

    def iterate(self, start: int, *, workers: int = 0, stride: int = 1) -> Iterator[Samples]:
        while True:
            self.asked.append(start)
            yield Samples(plane_samples(torch.Generator().manual_seed(start)))
            start += stride


def plane_samples(random: torch.Generator) -> Tensors:
    points = torch.randn(16, 2, generator=random)
    return {"points": points, "targets": (points[:, 0] * points[:, 1] > 0).long()}


def drawn_plane() -> DrawnSource:
    """The same from a source that can make them ahead."""
    return DrawnSource(plane_samples, 1)


def plane_network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))


def plane_loss(player: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
    return Loss(nn.functional.cross_entropy(networks[NAME](batch["points"]), batch["targets"]))


def plane_accuracy(model: Model) -> float:
    points = torch.randn(256, 2, generator=torch.Generator().manual_seed(999))
    with torch.inference_mode():
        found = model.networks[NAME](points).argmax(1) == (points[:, 0] * points[:, 1] > 0)
        return float(found.double().mean())


def train_plane(
    network: nn.Module | None = None,
    *,
    batches: Source | None = None,
    validate: Callable[[Model], float] = plane_accuracy,
    loss: Callable[..., Loss] = plane_loss,
    settings: dict[str, Any] | None = None,
    optimisation: dict[str, Any] | None = None,
    **options: Any,
) -> TrainingResult:
    source = batches if batches is not None else PlaneBatches()
    moved = Optimisation(**{"learning_rate": 0.05} | (optimisation or {}))
    return train(
        {NAME: network if network is not None else plane_network()},
        [Player(NAME, (NAME,), source, moved)],
        loss,
        lambda networks: Model(dict(networks)),
        validate,
        training=Training.model_validate({"steps": 30, "validate_every": 10} | (settings or {})),
        seed=11,
        **options,
    )
