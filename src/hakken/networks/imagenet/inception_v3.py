"""Inception v3: Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016.

The auxiliary head is left out: with another number of classes it would begin anew, for the sake of a gradient in early
layers that batch normalisation already gives.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from hakken.networks.imagenet.layers import ConvNorm, initialise

MINIMUM = 75
"""Smallest edge of an image that leaves a pixel in the last feature maps."""


class InceptionV3(nn.Module):
    """Images (b, 3, y, x), normalised, to logits (b, classes); parameters named as in torchvision."""

    head = "fc"
    ignored = ("AuxLogits.",)

    def __init__(self, classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, 3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b = Fine(192, 32)
        self.Mixed_5c = Fine(256, 64)
        self.Mixed_5d = Fine(288, 64)
        self.Mixed_6a = FineToMiddle(288)
        self.Mixed_6b = Middle(768, 128)
        self.Mixed_6c = Middle(768, 160)
        self.Mixed_6d = Middle(768, 160)
        self.Mixed_6e = Middle(768, 192)
        self.Mixed_7a = MiddleToCoarse(768)
        self.Mixed_7b = Coarse(1280)
        self.Mixed_7c = Coarse(2048)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, classes)
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


class Fine(nn.Module):
    """The block of the finest grid: 1 x 1; 5 x 5; two of 3 x 3; pooling to ``pooled`` feature maps."""

    def __init__(self, before: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = ConvNorm(before, 64, 1)
        self.branch5x5_1 = ConvNorm(before, 48, 1)
        self.branch5x5_2 = ConvNorm(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = ConvNorm(before, 64, 1)
        self.branch3x3dbl_2 = ConvNorm(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvNorm(96, 96, 3, padding=1)
        self.branch_pool = ConvNorm(before, pooled, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the feature maps of all branches, one after the other."""
        five = self.branch5x5_2(self.branch5x5_1(maps))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(maps)))
        return torch.cat([self.branch1x1(maps), five, three, self.branch_pool(_averaged(maps))], 1)


class FineToMiddle(nn.Module):
    """From the finest grid to the middle one: 3 x 3; two of 3 x 3; pooling, each with stride 2."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch3x3 = ConvNorm(before, 384, 3, stride=2)
        self.branch3x3dbl_1 = ConvNorm(before, 64, 1)
        self.branch3x3dbl_2 = ConvNorm(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvNorm(96, 96, 3, stride=2)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the feature maps of all branches, one after the other."""
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(maps)))
        return torch.cat([self.branch3x3(maps), three, functional.max_pool2d(maps, 3, 2)], 1)


class Middle(nn.Module):
    """The block of the middle grid: 1 x 1; 7 x 7 as a row and a column, once and twice, ``width`` maps; pooling."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        row: dict[str, tuple[int, int]] = {"kernel": (1, 7), "padding": (0, 3)}
        column: dict[str, tuple[int, int]] = {"kernel": (7, 1), "padding": (3, 0)}
        self.branch1x1 = ConvNorm(before, 192, 1)
        self.branch7x7_1 = ConvNorm(before, width, 1)
        self.branch7x7_2 = ConvNorm(width, width, **row)
        self.branch7x7_3 = ConvNorm(width, 192, **column)
        self.branch7x7dbl_1 = ConvNorm(before, width, 1)
        self.branch7x7dbl_2 = ConvNorm(width, width, **column)
        self.branch7x7dbl_3 = ConvNorm(width, width, **row)
        self.branch7x7dbl_4 = ConvNorm(width, width, **column)
        self.branch7x7dbl_5 = ConvNorm(width, 192, **row)
        self.branch_pool = ConvNorm(before, 192, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the feature maps of all branches, one after the other."""
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(maps)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(maps)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(maps), once, twice, self.branch_pool(_averaged(maps))], 1)


class MiddleToCoarse(nn.Module):
    """From the middle grid to the coarsest: 3 x 3; 7 x 7 and 3 x 3; pooling, each with stride 2."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch3x3_1 = ConvNorm(before, 192, 1)
        self.branch3x3_2 = ConvNorm(192, 320, 3, stride=2)
        self.branch7x7x3_1 = ConvNorm(before, 192, 1)
        self.branch7x7x3_2 = ConvNorm(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = ConvNorm(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = ConvNorm(192, 192, 3, stride=2)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the feature maps of all branches, one after the other."""
        three = self.branch3x3_2(self.branch3x3_1(maps))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(maps)))
        return torch.cat([three, self.branch7x7x3_4(seven), functional.max_pool2d(maps, 3, 2)], 1)


class Coarse(nn.Module):
    """The block of the coarsest grid: 1 x 1; 3 x 3 as a row beside a column, after one and two layers; pooling."""

    def __init__(self, before: int) -> None:
        super().__init__()
        row: dict[str, tuple[int, int]] = {"kernel": (1, 3), "padding": (0, 1)}
        column: dict[str, tuple[int, int]] = {"kernel": (3, 1), "padding": (1, 0)}
        self.branch1x1 = ConvNorm(before, 320, 1)
        self.branch3x3_1 = ConvNorm(before, 384, 1)
        self.branch3x3_2a = ConvNorm(384, 384, **row)
        self.branch3x3_2b = ConvNorm(384, 384, **column)
        self.branch3x3dbl_1 = ConvNorm(before, 448, 1)
        self.branch3x3dbl_2 = ConvNorm(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = ConvNorm(384, 384, **row)
        self.branch3x3dbl_3b = ConvNorm(384, 384, **column)
        self.branch_pool = ConvNorm(before, 192, 1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return the feature maps of all branches, one after the other."""
        once = self.branch3x3_1(maps)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(maps))
        parts = [self.branch1x1(maps), self.branch3x3_2a(once), self.branch3x3_2b(once)]
        parts += [self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice), self.branch_pool(_averaged(maps))]
        return torch.cat(parts, 1)


def _averaged(maps: torch.Tensor) -> torch.Tensor:
    """Return the mean of 3 x 3 pixels around each, zeros beyond the border."""
    return functional.avg_pool2d(maps, 3, 1, 1)
