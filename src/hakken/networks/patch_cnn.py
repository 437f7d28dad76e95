"""A classifier of patches whose structure is itself made of hyper-structure.

Convolutions without padding, max pooling spread evenly between them, then fully connected layers written as
convolutions, the first with the whole remaining extent as its kernel. On one patch the output is one voxel; on a
larger image it is a map. Images are (batch, channel, z, y, x); with ``dimensions=2`` z is 1 and kernels are (1, k, k).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from hakken.core.errors import InvalidArchitecture
from hakken.networks.structure import Structure


class PatchClassifier(nn.Module):
    """Patches (b, channels, p, p, p) to logits (b, classes, 1, 1, 1), p = ``structure.patch_size``.

    ``features`` holds the convolutions and poolings, ``head`` the fully connected layers. Raises InvalidArchitecture
    when the patch is too small.

    >>> network = PatchClassifier(2, structure=Structure(patch_size=14))
    >>> network(torch.zeros(5, 2, 14, 14, 14)).shape
    torch.Size([5, 2, 1, 1, 1])
    """

    def __init__(
        self,
        channels: int,
        dimensions: int = 3,
        structure: Structure | None = None,
        classes: int = 2,
    ) -> None:
        super().__init__()
        self.structure = structure or Structure()
        self.channels, self.dimensions, self.classes = channels, dimensions, classes
        self.extent = remaining_extent(self.structure)
        self.features = nn.Sequential(*self._feature_layers())
        self.head = nn.Sequential(*self._head_layers())
        self.apply(_initialise)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits (b, classes, z', y', x') of images (b, channels, z, y, x) at least one patch large."""
        logits: torch.Tensor = self.head(self.features(image))
        return logits

    @property
    def stride(self) -> int:
        """Distance in voxels between the patches that neighbouring outputs see."""
        return int(2**self.structure.poolings)

    @property
    def patch_shape(self) -> tuple[int, int, int]:
        """Shape (z, y, x) of one patch in voxels."""
        edge = self.structure.patch_size
        return (1 if self.dimensions == 2 else edge, edge, edge)

    @property
    def parameter_count(self) -> int:
        """How many numbers training learns."""
        return sum(weight.numel() for weight in self.parameters())

    def _feature_layers(self) -> list[nn.Module]:
        pools = pooling_positions(self.structure)
        widths = [self.channels, *feature_maps(self.structure)]
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths), start=1):
            layers.append(nn.Conv3d(before, after, self._cube(self.structure.kernel)))
            if self.structure.batch_norm:
                layers.append(nn.BatchNorm3d(after))
            layers.append(nn.ReLU(inplace=True))
            if number in pools:
                layers.append(nn.MaxPool3d(self._cube(2)))
        return layers

    def _head_layers(self) -> list[nn.Module]:
        hidden = [self.structure.dense_units] * self.structure.dense_layers
        widths = [feature_maps(self.structure)[-1], *hidden, self.classes]
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Dropout(self.structure.dropout))
            layers.append(nn.Conv3d(before, after, self._cube(self.extent if number == 0 else 1)))
            layers.append(nn.ReLU(inplace=True))
        return layers[:-1]

    def _cube(self, edge: int) -> tuple[int, int, int]:
        return (1 if self.dimensions == 2 else edge, edge, edge)


def pooling_positions(structure: Structure) -> tuple[int, ...]:
    """Return after which convolutions (counted from 1) the poolings stand, spread evenly.

    >>> pooling_positions(Structure(convolutions=4, poolings=2))
    (2, 3)
    """
    layers, pools = structure.convolutions, structure.poolings
    if pools > layers:
        raise InvalidArchitecture(f"{pools} poolings do not fit between {layers} convolutions")
    return tuple(-(-layers * number // (pools + 1)) for number in range(1, pools + 1))


def feature_maps(structure: Structure) -> tuple[int, ...]:
    """Return the feature maps of each convolution; they grow by ``growth`` after each pooling.

    >>> feature_maps(Structure(convolutions=3, poolings=1, base_features=8, growth=1.5))
    (8, 8, 12)
    """
    pools = pooling_positions(structure)
    levels = [sum(pool < number for pool in pools) for number in range(1, structure.convolutions + 1)]
    return tuple(round(structure.base_features * structure.growth**level) for level in levels)


def remaining_extent(structure: Structure) -> int:
    """Return the edge in voxels that is left of a patch before the first fully connected layer.

    >>> remaining_extent(Structure(patch_size=14, convolutions=3, poolings=1, kernel=3))
    3
    """
    pools = pooling_positions(structure)
    edge = structure.patch_size
    for number in range(1, structure.convolutions + 1):
        edge -= structure.kernel - 1
        edge //= 2 if number in pools and edge > 0 else 1
        if edge < 1:
            raise InvalidArchitecture(
                f"patch {structure.patch_size} is too small for {structure.convolutions} convolutions "
                f"of kernel {structure.kernel} and {structure.poolings} poolings"
            )
    return edge


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv3d):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
