"""A U-Net whose depth and width may be chosen at every pass, also after training.

After Ronneberger et al., U-Net: convolutional networks for biomedical image segmentation, MICCAI 2015. Depth: the
report of the University of Tokyo, 2020 (structural dropout: one U-Net of five levels runs at 3, 4 or 5 of them, drawn
for each mini-batch). Width: Yu et al., Slimmable neural networks, ICLR 2019 (the leading feature maps of each layer).

Notation: level l = 0, 1, ... has w_l feature maps on a grid coarser by 2**l; L levels and the fraction f of the maps
are active. Down: blocks 0 to L - 1, halved by maximum pooling between them. Up, from L - 2 to 0: the coarser level is
doubled by a transposed convolution of edge 2 to w_l maps, joined with what level l made on the way down, and passed
through a block of ``convolutions`` layers. What leaves a level going down and going up has the same shape, so that the
ascent may begin at any level.

Maps are normalised in groups of `GROUP`, each by its own mean and variance in this image (Wu and He, Group
normalization, ECCV 2018). Nothing is averaged over batches, so sub-networks share no statistics that suit only one of
them, and widths are whole groups, so that a narrow sub-network normalises its maps as the wide one does. Scale and
shift behind the normalisation belong to all sizes, or each of the ``own`` sizes has its own (Yu et al. 2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from hakken.core.errors import InvalidArchitecture
from hakken.networks.convolution import convolve, drawn, ordered, padded
from hakken.networks.structure import Structure

GROUP = 4


class _Operations(NamedTuple):
    """What differs between images of two and of three axes."""

    spread: Callable[..., torch.Tensor]
    pool: Callable[..., torch.Tensor]


OPERATIONS = {
    2: _Operations(functional.conv_transpose2d, functional.max_pool2d),
    3: _Operations(functional.conv_transpose3d, functional.max_pool3d),
}


class UNet(nn.Module):
    """Images (b, channels, ...) to maps (b, outputs, ...) of the same extent, linear (logits, or values).

    With ``dimensions=3`` images are (b, c, z, y, x). With ``dimensions=2`` they are (b, c, y, x), or (b, c, z, y, x),
    whose slices are then seen one by one. There are ``structure.poolings`` + 1 levels of ``convolutions`` layers, each
    with ReLU. ``widths``, the maps of each level, are those of `level_widths` unless given, in whole groups.
    ``batch_norm`` switches the normalisation, which is by groups (see above); ``dropout`` stands where the descent
    ends. Each of the ``own`` sizes, levels and fraction of the maps, the largest first, has scales and shifts of its
    own; another size uses those of the last of them that holds it. Raises InvalidArchitecture for widths that are
    none.

    >>> network = UNet(3, 1, 2, Structure(poolings=4, convolutions=2, base_features=8))
    >>> network.levels, network.widths
    (5, (8, 16, 32, 64, 128))
    >>> network(torch.zeros(5, 3, 30, 45), levels=3, features=0.5).shape
    torch.Size([5, 1, 30, 45])
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        dimensions: int = 3,
        structure: Structure | None = None,
        widths: Sequence[int] | None = None,
        *,
        own: Sequence[tuple[int, float]] = (),
    ) -> None:
        super().__init__()
        self.structure = structure or Structure()
        self.channels, self.outputs, self.dimensions = channels, outputs, dimensions
        self.widths = level_widths(self.structure) if widths is None else tuple(widths)
        if not self.widths or any(width < 1 or width % GROUP for width in self.widths):
            raise InvalidArchitecture(f"feature maps {self.widths}: give each level a positive multiple of {GROUP}")
        self._own = tuple(self.active(*size) for size in own) or (self.widths,)
        self.down = nn.ModuleList(self._block(*maps) for maps in pairwise((channels, *self.widths)))
        self.rise = nn.ModuleList(_Doubling(dimensions, low, high) for high, low in pairwise(self.widths))
        self.up = nn.ModuleList(self._block(2 * width, width, joined=2) for width in self.widths[:-1])
        self.head = _Layer(dimensions, self.widths[0], outputs, 1)

    @property
    def levels(self) -> int:
        """How many levels there are; the deepest lies 2**(levels - 1) coarser than the image."""
        return len(self.widths)

    @property
    def patch_shape(self) -> tuple[int, int, int]:
        """Shape (z, y, x) of one patch in training, in voxels."""
        edge = self.structure.patch_size
        return (1 if self.dimensions == 2 else edge, edge, edge)

    @property
    def parameter_count(self) -> int:
        """How many numbers training learns."""
        return sum(weight.numel() for weight in self.parameters())

    def forward(self, images: torch.Tensor, levels: int | None = None, features: float = 1.0) -> torch.Tensor:
        """Return maps (b, outputs, ...) of images (b, channels, ...) by the first ``levels`` levels, all by default.

        ``features`` is the fraction of each level's maps that is used, rounded up to whole groups. Edges that are no
        multiple of 2**(levels - 1) are padded with the values of the border; the result is cropped. Raises
        InvalidArchitecture for levels that there are not and for a fraction outside (0, 1].
        """
        widths = self.active(levels, features)
        if self.dimensions == 2 and images.ndim == 5:
            slices = self._run(images.transpose(1, 2).flatten(0, 1), widths)
            return slices.reshape(len(images), -1, *slices.shape[1:]).transpose(1, 2)
        return self._run(images, widths)

    def active(self, levels: int | None = None, features: float = 1.0) -> tuple[int, ...]:
        """Return the feature maps of each level in use; raises what `forward` raises.

        >>> UNet(3, 1, 2, widths=(8, 16, 32)).active(2, 0.3)
        (4, 8)
        """
        depth = self.levels if levels is None else levels
        if not 1 <= depth <= self.levels:
            raise InvalidArchitecture(f"{depth} levels: this U-Net has {self.levels}; choose 1 to {self.levels}")
        if not 0 < features <= 1:
            raise InvalidArchitecture(f"{features:g} of the feature maps: choose a fraction above 0, at most 1")
        return tuple(GROUP * math.ceil(features * width / GROUP) for width in self.widths[:depth])

    def scaling(self, widths: tuple[int, ...]) -> int:
        """Return which scales and shifts a size, given by the feature maps of its levels, uses: a number from 0 on.

        They are those of the last of the ``own`` sizes that holds it, of the first where none does.

        >>> network = UNet(3, 1, 2, widths=(8, 16, 32), own=[(3, 1.0), (3, 0.5), (2, 1.0)])
        >>> network.scaling((8, 16)), network.scaling((4, 8)), network.scaling((8, 16, 32))
        (2, 2, 0)
        """
        holding = [
            number
            for number, mine in enumerate(self._own)
            if len(mine) >= len(widths) and all(own >= width for own, width in zip(mine, widths, strict=False))
        ]
        return holding[-1] if holding else 0

    def _run(self, images: torch.Tensor, widths: tuple[int, ...]) -> torch.Tensor:
        found, scaling = ordered(padded(images, 2 ** (len(widths) - 1))), self.scaling(widths)
        kept: list[torch.Tensor] = []
        for level, width in enumerate(widths):
            if level > 0:
                kept.append(found)
                found = OPERATIONS[self.dimensions].pool(found, 2)
            found = _through(self.down[level], found, width, scaling)
        found = functional.dropout(found, self.structure.dropout, self.training)
        for level in reversed(range(len(kept))):
            doubled = self.rise[level](found, widths[level])
            found = _through(self.up[level], torch.cat([kept.pop(), doubled], 1), widths[level], scaling)
        maps: torch.Tensor = self.head(found, self.outputs)
        return maps[(slice(None), slice(None), *(slice(extent) for extent in images.shape[2:]))]

    def _block(self, before: int, after: int, joined: int = 1) -> nn.ModuleList:
        kernel, scalings = self.structure.kernel, len(self._own) if self.structure.batch_norm else 0
        layers = [_Layer(self.dimensions, before, after, kernel, scalings=scalings, joined=joined)]
        for _ in range(self.structure.convolutions - 1):
            layers.append(_Layer(self.dimensions, after, after, kernel, scalings=scalings))
        return nn.ModuleList(layers)


def sub_network(network: UNet, levels: int | None = None, features: float = 1.0) -> UNet:
    """Return a U-Net of its own whose output equals ``network(images, levels, features)`` bit for bit.

    It holds copies of the weights that are used at this size, and no others. Raises what `UNet.forward` raises.
    """
    widths = network.active(levels, features)
    structure = replace(network.structure, poolings=len(widths) - 1)
    small = UNet(network.channels, network.outputs, network.dimensions, structure, widths)
    scaling = network.scaling(widths)
    for name, part in small.named_modules():
        if isinstance(part, _Layer | _Doubling):
            whole = network.get_submodule(name)
            assert isinstance(whole, _Layer | _Doubling)
            with torch.no_grad():
                for learnt, source in zip(part.parameters(), whole.cut(part.before, part.after, scaling), strict=True):
                    learnt.copy_(source)
    return small.to(next(network.parameters()).device).train(network.training)


def level_widths(structure: Structure) -> tuple[int, ...]:
    """Return the feature maps of each level: they grow by ``growth`` from one to the next, in whole groups.

    >>> level_widths(Structure(poolings=3, base_features=8, growth=1.5))
    (8, 12, 20, 28)
    """
    exact = [structure.base_features * structure.growth**level for level in range(structure.poolings + 1)]
    return tuple(GROUP * math.ceil(round(maps, 6) / GROUP) for maps in exact)


class _Scaling(nn.Module):
    """The scale and the shift of normalised maps."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(maps))
        self.shift = nn.Parameter(torch.zeros(maps))


class _Layer(nn.Module):
    """A convolution of ``before`` to ``after`` maps, whose result is normalised in groups where there are ``scalings``.

    There are so many pairs of scales and shifts, of which a pass uses one. The input may be ``joined`` from two tensors
    of the same width, of which each gives its leading maps.
    """

    def __init__(
        self, dimensions: int, before: int, after: int, kernel: int, *, scalings: int = 0, joined: int = 1
    ) -> None:
        super().__init__()
        self.dimensions, self.before, self.after, self.joined = dimensions, before, after, joined
        self.weight = nn.Parameter(drawn(after, before, *[kernel] * dimensions, fan=before * kernel**dimensions))
        self.bias = nn.Parameter(torch.zeros(after))
        self.scalings = nn.ModuleList(_Scaling(after) for _ in range(scalings))

    def forward(self, maps: torch.Tensor, after: int, scaling: int = 0) -> torch.Tensor:
        """Return the leading ``after`` maps (b, after, ...) of the leading ones (b, before, ...)."""
        weight, bias, *scaled = self.cut(maps.shape[1], after, scaling)
        found = convolve(maps, weight, bias, 1, weight.shape[-1] // 2)
        return functional.group_norm(found, after // GROUP, scaled[0], scaled[1]) if scaled else found

    def cut(self, before: int, after: int, scaling: int = 0) -> list[torch.Tensor]:
        """Return what is learnt of these leading maps: weights (after, before, ...), bias, and scale and shift."""
        parts = self.weight.reshape(self.after, self.joined, self.before // self.joined, *self.weight.shape[2:])
        weight = parts[:after, :, : before // self.joined].flatten(1, 2)
        scaled = [vector[:after] for vector in self.scalings[scaling].parameters()] if self.scalings else []
        return [weight, self.bias[:after], *scaled]


class _Doubling(nn.Module):
    """A transposed convolution of edge and stride 2, of ``before`` to ``after`` maps on a grid twice as fine."""

    def __init__(self, dimensions: int, before: int, after: int) -> None:
        super().__init__()
        self.dimensions, self.before, self.after = dimensions, before, after
        self.weight = nn.Parameter(drawn(before, after, *[2] * dimensions, fan=before))
        self.bias = nn.Parameter(torch.zeros(after))

    def forward(self, maps: torch.Tensor, after: int) -> torch.Tensor:
        """Return the leading ``after`` maps (b, after, ...) of the leading ones (b, before, ...)."""
        return OPERATIONS[self.dimensions].spread(maps, *self.cut(maps.shape[1], after), stride=2)

    def cut(self, before: int, after: int, scaling: int = 0) -> list[torch.Tensor]:
        """Return what is learnt of these leading maps: weights (before, after, ...) and bias, which nothing scales."""
        return [self.weight[:before, :after], self.bias[:after]]


def _through(block: nn.Module, maps: torch.Tensor, width: int, scaling: int) -> torch.Tensor:
    """Return what a block of layers makes of maps, ``width`` wide, scaled and shifted by one of their pairs."""
    for layer in block.children():
        maps = functional.relu(layer(maps, width, scaling))
    return maps
