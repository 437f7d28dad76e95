"""A patch network made ready to answer at every point of a lattice in one pass.

Run over a larger image, a network with p poolings answers every 2^p voxels. Where the lattice is finer, a pooling keeps
the results of all its shifts as fragments in the batch axis, and the answers are interleaved at the end: shift and
stitch, with everything before the pooling shared (Giusti et al., Fast image scanning with deep max-pooling
convolutional neural networks, ICIP 2013). Where it is coarser, the first fully connected layer takes strides.
Axes are (z, y, x), units are voxels.
"""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hakken.inference.maps import Triple, triple
from hakken.networks.patch_cnn import PatchClassifier

BYTES = 4
COPIES = 2.5  # a convolution holds its input, its output and, inside the library, reordered copies of both


class DirectConvolution(nn.Conv3d):
    """A convolution that a CPU computes directly, by oneDNN, however few channels it has.

    PyTorch unfolds those with few channels, which takes kernel^3 times the memory and 2 to 5 times as long (measured on
    one thread). At lower precision, on other devices and without oneDNN it is the convolution that it inherits from.
    """

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the convolution of an image (b, c, z, y, x), without padding."""
        if self.is_direct and not torch.is_autocast_enabled("cpu"):
            return torch.mkldnn_convolution(image, self.weight, self.bias, (0,) * 3, self.stride, (1,) * 3, 1)
        return super().forward(image)

    @property
    def is_direct(self) -> bool:
        """Whether oneDNN computes it."""
        return self.weight.device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]

    def output_shape(self, shape: Triple) -> Triple:
        """Return the shape (z, y, x) of the result for an image of ``shape``."""
        return triple((n - k) // s + 1 for n, k, s in zip(shape, self.kernel_size, self.stride, strict=True))

    @property
    def held(self) -> int:
        """Numbers held for each output voxel beside the output itself, when the library unfolds."""
        unfolds = self.weight.device.type == "cpu" and not self.is_direct
        return self.in_channels * math.prod(self.kernel_size) if unfolds else 0


class FragmentPool(nn.Module):
    """Max pooling of ``kernel`` and equal stride that keeps every shift: (b, c, z, y, x) to (b * shifts, c, ...).

    Shifts run in the order of `itertools.product`, fastest in the batch axis; all fragments have the shape of the most
    shifted one.
    """

    def __init__(self, kernel: Triple) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the fragments."""
        shape = self.output_shape(triple(image.shape[2:]))
        for axis, edge in enumerate(self.kernel, start=2):
            if edge == 2:
                length = image.shape[axis] - 1
                image = torch.maximum(image.narrow(axis, 0, length), image.narrow(axis, 1, length))
        pieces = [image[self._every(shift, shape)] for shift in itertools.product(*map(range, self.kernel))]
        return torch.stack(pieces, dim=1).flatten(0, 1)

    def output_shape(self, shape: Triple) -> Triple:
        """Return the shape (z, y, x) of each fragment of an image of ``shape``."""
        return triple((extent - edge + 1) // edge for extent, edge in zip(shape, self.kernel, strict=True))

    def _every(self, shift: tuple[int, ...], shape: Triple) -> tuple[slice, ...]:
        edges = [slice(s, s + n * edge, edge) for s, n, edge in zip(shift, shape, self.kernel, strict=True)]
        return (slice(None), slice(None), *edges)


@dataclass(frozen=True, eq=False)
class DenseNetwork:
    """The layers of a patch network for a lattice of distance ``step``; everything z, y, x in voxels.

    ``stride`` is the distance of one fragment's outputs, ``grid`` that of the interleaved outputs, ``patch`` the shape
    that one output sees.
    """

    layers: tuple[nn.Module, ...]
    patch: Triple
    step: Triple
    stride: Triple
    grid: Triple

    @classmethod
    def of(cls, network: PatchClassifier, stride_voxel: int) -> DenseNetwork:
        """Return the dense twin of ``network`` (which is left as it is, and is taken to be in evaluation mode)."""
        depth = 1 if network.dimensions == 2 else stride_voxel
        step = (depth, stride_voxel, stride_voxel)
        stride = (1 if network.dimensions == 2 else network.stride, network.stride, network.stride)
        grid = triple(map(math.gcd, step, stride))
        features, head = _pooled(_fused([*network.features]), grid[-1]), _fused([*network.head])
        if grid == stride:
            cast(nn.Conv3d, head[0]).stride = triple(s // g for s, g in zip(step, grid, strict=True))
            stride = grid = step
        return cls((*features, *head), network.patch_shape, step, stride, grid)

    def logits(self, block: torch.Tensor, points: Triple) -> torch.Tensor:
        """Return logits (classes, *points) of a block (c, *input_shape(points)) that starts as the first patch does."""
        maps = block[None]
        for layer in self.layers:
            maps = layer(maps)
        whole = self._interleave(maps)
        every = (slice(None, n * (s // g), s // g) for n, s, g in zip(points, self.step, self.grid, strict=True))
        return whole[(slice(None), *every)]

    def input_shape(self, points: Triple) -> Triple:
        """Return how many voxels must be seen to answer at so many lattice points."""
        return triple(
            self._outputs(n, axis) * self.stride[axis] - self.grid[axis] + self.patch[axis]
            for axis, n in enumerate(points)
        )

    def bytes(self, points: Triple) -> float:
        """Return an upper estimate of the memory that a forward pass for so many lattice points takes."""
        shape, fragments, channels, most = self.input_shape(points), 1, 0, 0.0
        for layer in self.layers:
            before = channels * fragments * math.prod(shape)
            if isinstance(layer, DirectConvolution):
                before = layer.in_channels * fragments * math.prod(shape)
                shape, channels = layer.output_shape(shape), layer.out_channels
                before += layer.held * fragments * math.prod(shape)
            elif isinstance(layer, FragmentPool):
                shape, fragments = layer.output_shape(shape), fragments * math.prod(layer.kernel)
            elif isinstance(layer, nn.MaxPool3d):
                shape = triple(n // k for n, k in zip(shape, _kernel(layer), strict=True))
            most = max(most, before + channels * fragments * math.prod(shape))
        return most * BYTES * COPIES

    def _outputs(self, points: int, axis: int) -> int:
        """Return how many outputs each fragment must give along an axis."""
        interleaved = (points - 1) * (self.step[axis] // self.grid[axis]) + 1
        return -(-interleaved // (self.stride[axis] // self.grid[axis]))

    def _interleave(self, maps: torch.Tensor) -> torch.Tensor:
        """Return fragments (f, classes, z, y, x) as one map (classes, z', y', x')."""
        pools = [layer.kernel for layer in self.layers if isinstance(layer, FragmentPool)]
        classes, extents = maps.shape[1], maps.shape[2:]
        folded = maps.reshape(*itertools.chain.from_iterable(pools), *maps.shape[1:])
        last = 3 * len(pools)
        order = [last]
        for axis in range(3):
            order += [last + 1 + axis, *(3 * level + axis for level in reversed(range(len(pools))))]
        shifts = [math.prod(kernel[axis] for kernel in pools) for axis in range(3)]
        return folded.permute(order).reshape(classes, *(n * s for n, s in zip(extents, shifts, strict=True)))


def _fused(layers: list[nn.Module]) -> list[nn.Module]:
    """Return copies of the layers, batch normalisation folded into the convolutions, dropout left out."""
    fused: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm3d):
            fused[-1] = fuse_conv_bn_eval(fused[-1], layer)  # type: ignore[type-var]
        elif isinstance(layer, nn.Conv3d):
            fused.append(_direct(layer))
        elif not isinstance(layer, nn.Dropout):
            fused.append(copy.deepcopy(layer).eval())
    return fused


def _direct(layer: nn.Conv3d) -> DirectConvolution:
    copied = DirectConvolution(layer.in_channels, layer.out_channels, triple(layer.kernel_size))
    copied.load_state_dict(layer.state_dict())
    return copied.to(layer.weight.device).eval()


def _pooled(layers: list[nn.Module], grid: int) -> list[nn.Module]:
    """Replace the poolings that would lose lattice points of distance ``grid``."""
    spacing = 1
    for number, layer in enumerate(layers):
        if isinstance(layer, nn.MaxPool3d):
            spacing *= 2
            layers[number] = layer if grid % spacing == 0 else FragmentPool(_kernel(layer))
    return layers


def _kernel(layer: nn.MaxPool3d) -> Triple:
    edges = layer.kernel_size
    return (edges, edges, edges) if isinstance(edges, int) else triple(edges)
