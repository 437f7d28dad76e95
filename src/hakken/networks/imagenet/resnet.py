"""Residual networks of bottlenecks: He et al., Deep residual learning for image recognition, CVPR 2016.

The stride of a stage stands at the 3 x 3 convolution of its first bottleneck, as in torchvision's published weights.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from hakken.networks.imagenet.layers import initialise

MINIMUM = 32
"""Smallest edge of an image that is a whole pixel of the last feature maps."""

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Bottlenecks of each stage, by the number of layers with weights."""

EXPANSION = 4


class ResNet(nn.Module):
    """Images (b, 3, y, x), normalised, to logits (b, classes); parameters named as in torchvision.

    ``layers`` is 50 or 101; ``dropout`` stands before the classifier, where the original has none.
    """

    head = "fc"

    def __init__(self, layers: int, classes: int = 1000, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        first, second, third, fourth = DEPTHS[layers]
        self.layer1 = _stage(64, 64, first, stride=1)
        self.layer2 = _stage(256, 128, second, stride=2)
        self.layer3 = _stage(512, 256, third, stride=2)
        self.layer4 = _stage(1024, 512, fourth, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(512 * EXPANSION, classes)
        self.apply(initialise)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        maps = self.maxpool(functional.relu(self.bn1(self.conv1(images)), inplace=True))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        logits: torch.Tensor = self.fc(self.dropout(self.avgpool(maps).flatten(1)))
        return logits


class Bottleneck(nn.Module):
    """1 x 1 to fewer feature maps, 3 x 3, 1 x 1 to four times as many, added to the input or a projection of it."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        after = width * EXPANSION
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        projection = [nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)]
        self.downsample = nn.Sequential(*projection) if stride != 1 or before != after else nn.Identity()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the feature maps."""
        found = functional.relu(self.bn1(self.conv1(maps)), inplace=True)
        found = functional.relu(self.bn2(self.conv2(found)), inplace=True)
        return functional.relu(self.bn3(self.conv3(found)) + self.downsample(maps), inplace=True)


def _stage(before: int, width: int, depth: int, stride: int) -> nn.Sequential:
    later = [Bottleneck(width * EXPANSION, width, 1) for _ in range(depth - 1)]
    return nn.Sequential(Bottleneck(before, width, stride), *later)
