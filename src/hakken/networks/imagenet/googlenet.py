"""GoogLeNet with batch normalisation: Szegedy et al., Going deeper with convolutions, CVPR 2015.

The branch of "5 x 5" convolutions has kernels of 3, as in the published weights of torchvision. The two auxiliary heads
are left out: their published weights were never trained, and a fine-tuning would begin them anew.
"""

from __future__ import annotations

import torch
from torch import nn

from hakken.networks.imagenet.layers import ConvNorm, initialise

MINIMUM = 15
"""Smallest edge of an image that every pooling has room for."""


class GoogLeNet(nn.Module):
    """Images (b, 3, y, x), normalised, to logits (b, classes); parameters named as in torchvision."""

    head = "fc"
    ignored = ("aux1.", "aux2.")

    def __init__(self, classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        self.conv1 = ConvNorm(3, 64, 7, stride=2, padding=3)
        self.maxpool1 = _pool(3)
        self.conv2 = ConvNorm(64, 64, 1)
        self.conv3 = ConvNorm(64, 192, 3, padding=1)
        self.maxpool2 = _pool(3)
        self.inception3a = Branches(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = Branches(256, 128, (128, 192), (32, 96), 64)
        self.maxpool3 = _pool(3)
        self.inception4a = Branches(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = Branches(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = Branches(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = Branches(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = Branches(528, 256, (160, 320), (32, 128), 128)
        self.maxpool4 = _pool(2)
        self.inception5a = Branches(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = Branches(832, 384, (192, 384), (48, 128), 128)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, classes)
        self.apply(initialise)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        maps = images
        for layer in self.children():  # in the order of their definition, up to the pooling over all pixels
            maps = layer(maps)
            if layer is self.avgpool:
                break
        logits: torch.Tensor = self.fc(self.dropout(maps.flatten(1)))
        return logits


class Branches(nn.Module):
    """Four branches side by side: 1 x 1; two of 1 x 1 and 3 x 3, ``narrow`` then wide; pooling and 1 x 1."""

    def __init__(self, before: int, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int) -> None:
        super().__init__()
        self.branch1 = ConvNorm(before, one, 1)
        self.branch2 = nn.Sequential(ConvNorm(before, three[0], 1), ConvNorm(*three, 3, padding=1))
        self.branch3 = nn.Sequential(ConvNorm(before, five[0], 1), ConvNorm(*five, 3, padding=1))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, padding=1, ceil_mode=True), ConvNorm(before, pooled, 1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the feature maps of all branches, one after the other."""
        return torch.cat([branch(maps) for branch in self.children()], 1)


def _pool(kernel: int) -> nn.Module:
    return nn.MaxPool2d(kernel, 2, ceil_mode=True)
