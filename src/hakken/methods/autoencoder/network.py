"""A convolutional autoencoder of patches whose structure is itself made of hyper-structure.

After Sato et al., A primitive study on unsupervised anomaly detection with an autoencoder in emergency head CT volumes,
Proc. SPIE 10575 (2018): 3-D patches, 11 convolutions and 6 deconvolutions. Their order is a reconstruction:
``poolings`` levels of ``convolutions`` convolutions each, the first of a level with stride 2; a convolution of one
voxel to the code of ``dense_units`` feature maps; as many levels of ``convolutions`` - 1 transposed convolutions, the
last of a level with stride 2; one convolution back to the channels. Three levels of three convolutions give 3 * 3 + 2
and 3 * 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from hakken.core.errors import InvalidArchitecture
from hakken.networks.structure import Structure

Triple = tuple[int, int, int]
BYTES = 4


@dataclass(frozen=True)
class _Layer:
    """One convolution: feature maps and edges of the images ``before`` and ``after``, its kernel's edge and stride."""

    before: int
    after: int
    edge_before: int
    edge_after: int
    kernel: int
    stride: int = 1
    transposed: bool = False


class ConvAutoencoder(nn.Module):
    """Patches (b, channels, p, p, p) to patches of the same shape, p = ``structure.patch_size``.

    With ``dimensions=2`` patches are (b, channels, 1, p, p) and kernels (1, k, k). Every convolution but the last is
    followed by batch normalisation (``batch_norm``) and ReLU; the output is linear. ``dropout`` stands before the code.
    Raises InvalidArchitecture when the patch is too small.

    >>> network = ConvAutoencoder(1, structure=Structure(patch_size=12, convolutions=3, poolings=3))
    >>> network(torch.zeros(5, 1, 12, 12, 12)).shape
    torch.Size([5, 1, 12, 12, 12])
    """

    def __init__(self, channels: int, dimensions: int = 3, structure: Structure | None = None) -> None:
        super().__init__()
        self.structure = structure or Structure()
        self.channels, self.dimensions = channels, dimensions
        encoder, code, decoder, output = _plan(channels, self.structure)
        self._layers = (*encoder, code, *decoder, output)
        self.encoder = nn.Sequential(*self._blocks(encoder))
        self.code = nn.Sequential(nn.Dropout(self.structure.dropout), *self._blocks([code]))
        self.decoder = nn.Sequential(*self._blocks(decoder), self._convolution(output))
        self.apply(_initialise)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction (b, channels, z, y, x) of patches of ``patch_shape``."""
        reconstruction: torch.Tensor = self.decoder(self.code(self.encoder(patches)))
        return reconstruction

    @property
    def patch_shape(self) -> Triple:
        """Shape (z, y, x) of one patch in voxels."""
        return self._cube(self.structure.patch_size)

    @property
    def parameter_count(self) -> int:
        """How many numbers training learns."""
        return sum(weight.numel() for weight in self.parameters())

    @property
    def bytes_per_patch(self) -> int:
        """An upper estimate of the memory of one patch in a forward pass: the widest layer, its input unfolded."""
        return BYTES * max(self._held(layer) for layer in self._layers)

    def _held(self, layer: _Layer) -> int:
        """Return how many numbers a layer holds: input, output, and the input unfolded by the kernel."""
        axes = self.dimensions
        inner = min(layer.edge_before, layer.edge_after)  # where the kernel is laid: the coarser of the two grids
        unfolded = (layer.after if layer.transposed else layer.before) * layer.kernel**axes * inner**axes
        return int(layer.before * layer.edge_before**axes + 2 * layer.after * layer.edge_after**axes + unfolded)

    def _blocks(self, layers: list[_Layer]) -> Iterator[nn.Module]:
        for layer in layers:
            yield self._convolution(layer)
            if self.structure.batch_norm:
                yield nn.BatchNorm3d(layer.after)
            yield nn.ReLU(inplace=True)

    def _convolution(self, layer: _Layer) -> nn.Module:
        """Return a layer padded so that it maps ``edge_before`` to ``edge_after`` exactly."""
        kernel, stride, padding = self._cube(layer.kernel), self._cube(layer.stride), self._cube(layer.kernel // 2, 0)
        if not layer.transposed:
            return nn.Conv3d(layer.before, layer.after, kernel, stride, padding)
        missing = layer.edge_after - ((layer.edge_before - 1) * layer.stride + 1)
        return nn.ConvTranspose3d(layer.before, layer.after, kernel, stride, padding, self._cube(missing, 0))

    def _cube(self, edge: int, flat: int = 1) -> Triple:
        return (flat if self.dimensions == 2 else edge, edge, edge)


def level_edges(structure: Structure) -> tuple[int, ...]:
    """Return the edge in voxels of the patch and of the feature maps after each level.

    Raises InvalidArchitecture where a level would find a single voxel, which no stride can make coarser, or where there
    is no level, or too few convolutions for a level of the decoder.

    >>> level_edges(Structure(patch_size=12, convolutions=3, poolings=3))
    (12, 6, 3, 2)
    """
    levels, layers = structure.poolings, structure.convolutions
    if levels < 1:
        raise InvalidArchitecture("an autoencoder needs at least one pooling: without one it can copy its input")
    if layers < 2:
        raise InvalidArchitecture(f"{layers} convolution a level leaves the decoder none: use at least 2")
    edges = [structure.patch_size]
    for _ in range(levels):
        if edges[-1] < 2:
            raise InvalidArchitecture(f"patch {structure.patch_size} is too small for {levels} poolings")
        edges.append(-(-edges[-1] // 2))
    return tuple(edges)


def level_widths(structure: Structure) -> tuple[int, ...]:
    """Return the feature maps of each level; they grow by ``growth`` from one to the next.

    >>> level_widths(Structure(poolings=3, base_features=8, growth=1.5))
    (8, 12, 18)
    """
    return tuple(round(structure.base_features * structure.growth**level) for level in range(structure.poolings))


def code_size(structure: Structure, dimensions: int = 3) -> int:
    """Return how many numbers the code of one patch holds.

    >>> code_size(Structure(patch_size=12, convolutions=3, poolings=3, dense_units=32))
    256
    """
    return structure.dense_units * math.prod([level_edges(structure)[-1]] * dimensions)


def _plan(channels: int, structure: Structure) -> tuple[list[_Layer], _Layer, list[_Layer], _Layer]:
    """Return the layers of encoder, code, decoder and output."""
    edges, widths = level_edges(structure), level_widths(structure)
    kernel, layers = structure.kernel, structure.convolutions
    encoder: list[_Layer] = []
    for (edge, coarse), (before, after) in zip(pairwise(edges), pairwise((channels, *widths)), strict=True):
        encoder.append(_Layer(before, after, edge, coarse, kernel, stride=2))
        encoder += [_Layer(after, after, coarse, coarse, kernel)] * (layers - 1)
    code = _Layer(widths[-1], structure.dense_units, edges[-1], edges[-1], 1)
    decoder: list[_Layer] = []
    upward = zip(pairwise(edges[::-1]), pairwise((structure.dense_units, *widths[::-1])), strict=True)
    for (coarse, edge), (before, after) in upward:
        into = [before, *[after] * (layers - 2)]
        decoder += [_Layer(width, after, coarse, coarse, kernel, transposed=True) for width in into[:-1]]
        decoder.append(_Layer(into[-1], after, coarse, edge, kernel, stride=2, transposed=True))
    return encoder, code, decoder, _Layer(widths[0], channels, edges[0], edges[0], kernel)


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
