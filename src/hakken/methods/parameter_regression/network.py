"""A multi-layer perceptron."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn


class Perceptron(nn.Module):
    """``inputs`` numbers to ``outputs``, through hidden layers with SiLU between them."""

    def __init__(self, inputs: int, outputs: int, layers: int, units: int) -> None:
        super().__init__()
        widths = [inputs, *[units] * layers]
        steps: list[nn.Module] = []
        for before, after in pairwise(widths):
            steps += [nn.Linear(before, after), nn.SiLU()]
        self.layers = nn.Sequential(*steps, nn.Linear(widths[-1], outputs))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return (n, outputs) of (n, inputs)."""
        found: torch.Tensor = self.layers(values)
        return found
