"""VGG without batch normalisation: Simonyan and Zisserman, Very deep convolutional networks, ICLR 2015."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from hakken.networks.imagenet.layers import initialise

MINIMUM = 32
"""Smallest edge of an image that leaves a pixel after five poolings."""

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions before each pooling, by the number of layers with weights."""


class VGG(nn.Module):
    """Images (b, 3, y, x), normalised, to logits (b, classes); parameters named as in torchvision.

    ``layers`` is 16 or 19.
    """

    head = "classifier.6"

    def __init__(self, layers: int, classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(*_blocks(DEPTHS[layers]))
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, classes),
        )
        self.apply(initialise)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self.classifier(self.avgpool(self.features(images)).flatten(1))
        return logits


def _blocks(depths: tuple[int, ...]) -> Iterator[nn.Module]:
    before = 3
    for width, depth in zip(WIDTHS, depths, strict=True):
        for _ in range(depth):
            yield nn.Conv2d(before, width, 3, padding=1)
            yield nn.ReLU(inplace=True)
            before = width
        yield nn.MaxPool2d(2)
