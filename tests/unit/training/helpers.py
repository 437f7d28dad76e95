"""A training of a second: points in a plane, told apart by a small network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from hakken.study import Hyperparameters, Training
from hakken.training.loop import TrainingResult, train

Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass
class PlaneBatches:
    """Batches that are functions of their step; ``asked`` notes which were made."""

    asked: list[int] = field(default_factory=list)

    def iterate(self, start_step: int, prefetch: bool, stride: int = 1) -> Iterator[Batch]:
        step = start_step
        while True:
            points = torch.randn(16, 2, generator=torch.Generator().manual_seed(step))
            self.asked.append(step)
            yield points, (points[:, 0] * points[:, 1] > 0).long()
            step += stride


def plane_network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))


def plane_loss(network: nn.Module, batch: Batch) -> torch.Tensor:
    return nn.functional.cross_entropy(network(batch[0]), batch[1])


def plane_accuracy(network: nn.Module) -> float:
    points = torch.randn(256, 2, generator=torch.Generator().manual_seed(999))
    with torch.inference_mode():
        return float((network(points).argmax(1) == (points[:, 0] * points[:, 1] > 0)).double().mean())


def train_plane(
    network: nn.Module | None = None,
    *,
    batches: PlaneBatches | None = None,
    validate: Callable[[nn.Module], float] = plane_accuracy,
    loss: Callable[[nn.Module, Any], torch.Tensor] = plane_loss,
    settings: dict[str, Any] | None = None,
    parameters: dict[str, Any] | None = None,
    **options: Any,
) -> TrainingResult:
    return train(
        network if network is not None else plane_network(),
        batches if batches is not None else PlaneBatches(),
        loss,
        validate,
        parameters=Hyperparameters.model_validate({"learning_rate": 0.05} | (parameters or {})),
        training=Training.model_validate({"steps": 30, "validate_every": 10} | (settings or {})),
        seed=11,
        **options,
    )
