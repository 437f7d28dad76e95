"""Flows to try: with weights that are no longer those of the start, and one that has learnt."""

from __future__ import annotations

import functools
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hakken.networks.flow.density import bits_per_dimension, dequantised
from hakken.networks.flow.glow import Glow
from hakken.training.optimiser import Optimiser
from hakken.training.players import Optimisation

BITS = 5
Module = TypeVar("Module", bound=nn.Module)


def perturbed(module: Module, seed: int = 0, sd: float = 0.05) -> Module:
    """Return the module in float64 with noise on all its weights, so that nothing in it is 0."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(sd * torch.randn(weight.shape, generator=random))
    return module.double()


def pictures(seed: int, count: int = 16, edge: int = 16, axes: int = 2, smooth: int = 0) -> Tensor:
    """Return grey levels (b, 1, ...) of blobs here and there, with noise; the first ``smooth`` have less of it."""
    random = torch.Generator().manual_seed(seed)
    grid = torch.stack(torch.meshgrid(*[torch.linspace(0, 1, edge)] * axes, indexing="ij"))
    places = torch.rand(count, axes, *[1] * axes, generator=random)
    width = 0.1 + 0.2 * torch.rand(count, *[1] * axes, generator=random)
    blobs = (-(grid - places).square().sum(1) / width**2).exp()
    noise = 0.03 * torch.randn(blobs.shape, generator=random)
    noise[:smooth] /= 4
    return ((0.2 + 0.6 * blobs + noise).clamp(0, 0.999)[:, None] * 2**BITS).floor()


def optimiser_of(flow: nn.Module, rate: float) -> Optimiser:
    return Optimiser([*flow.parameters()], Optimisation(learning_rate=rate, weight_decay=0))


def learn(flow: Glow, steps: int, *, rate: float = 2e-3, seed: int = 0, **shape: Any) -> list[float]:
    """Train a flow on new pictures in each step, and return the losses in bits per dimension."""
    random = torch.Generator().manual_seed(seed)
    losses = []
    optimiser = optimiser_of(flow, rate)
    for step in range(steps):
        levels = pictures(1000 * seed + step, **shape)
        images = dequantised(levels, BITS, torch.rand(levels.shape, generator=random))
        if step == 0:
            flow.initialise(images)
        loss = bits_per_dimension(flow(images), images[0].numel(), BITS).mean()
        optimiser.clear()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(flow.parameters(), 50.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


@functools.cache
def learnt() -> tuple[Glow, list[float]]:
    """Return a flow after a short training, and its losses. Tests must not change it."""
    torch.manual_seed(1)
    flow = Glow(1, 2, levels=2, depth=4, width=16)
    return flow, learn(flow, 60)
