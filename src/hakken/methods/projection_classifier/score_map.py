"""The score map of a whole volume by a network that sees cubes as projections, without cutting a cube.

Neighbouring cubes share most of their lines. The maximum along a line of n voxels is that of two runs of 2^k voxels,
2^k <= n < 2^(k + 1), one at each end; the maxima of all runs of 2^k follow from those of 2^(k - 1) (sparse table of
range maxima: Bender & Farach-Colton, The LCA problem revisited, LATIN 2000). So the maxima of all lines are laid out
once for a block of the image, in such an order that each projection of each cube is a piece of memory with equally
spaced rows, and pieces overlap. Directions and lines are those of the module `network`. Axes are (z, y, x),
units are voxels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hakken.inference.dense import MIB, Box, block_of, boxes, exactly
from hakken.inference.fragments import BYTES, DenseNetwork
from hakken.inference.maps import ScoreMap, Triple, at_lattice, triple
from hakken.methods.projection_classifier.network import DIRECTIONS, ProjectionClassifier

AXES = (0, 1, 2)
MOST_POINTS = 1024  # in one pass: more is no faster on a CPU, and fills a GPU


def projection_score_map(
    network: ProjectionClassifier,
    image: torch.Tensor,
    *,
    stride_voxel: int,
    memory_mb: float,
    mask: NDArray[Any] | None = None,
    precision: torch.dtype = torch.float32,
) -> ScoreMap:
    """Return the probability of a lesion at every ``stride_voxel``-th voxel of ``image`` (c, z, y, x).

    As `hakken.inference.dense.score_map`: a point's score is that of the cube which holds the point at index
    ``patch // 2``; beyond the image lie zeros. Equal to evaluating cube by cube within 1e-5. Tables and forward passes
    together stay below ``memory_mb``; only points inside ``mask`` (z, y, x) are evaluated. A ``precision`` below
    float32 uses autocast. ``network`` is left as it is, and is taken to be in evaluation mode. Raises ValueError when
    the channels do not fit.
    """
    if len(image) != network.channels:
        raise ValueError(f"image with {len(image)} channels: this network takes {network.channels}")
    cubes = Cubes(network.structure.patch_size, stride_voxel, network.channels)
    dense = DenseNetwork.of(network.classifier, network.classifier.stride)
    shape = triple(image.shape[1:])
    origin = triple(((extent - 1) % stride_voxel) // 2 for extent in shape)
    inside = at_lattice(np.ones(shape, bool) if mask is None else mask, origin, cubes.step)
    scores = np.zeros(inside.shape, np.float32)
    device = next(network.parameters()).device
    with torch.inference_mode(), exactly(device, precision):
        passes = projected(
            image, cubes, origin, inside, limit=memory_mb * MIB, forward=dense.bytes((1, 1, 1)), device=device
        )
        for points, images in passes:
            maps = images[:, :, None]
            for layer in dense.layers:
                maps = layer(maps)
            logits = maps.flatten(1).float()
            scores[tuple(points.T)] = (1 - torch.softmax(logits, 1)[:, 0]).cpu().numpy()
    return ScoreMap(scores, origin, cubes.step)


@dataclass(frozen=True)
class Cubes:
    """Cubes of ``edge`` voxels around lattice points ``stride_voxel`` apart, in an image of ``channels``."""

    edge: int
    stride_voxel: int
    channels: int

    @property
    def patch(self) -> Triple:
        """Shape that one point sees."""
        return (self.edge,) * 3

    @property
    def step(self) -> Triple:
        """Distance of lattice points."""
        return (self.stride_voxel,) * 3

    @property
    def image_bytes(self) -> int:
        """Memory of all projections of one cube."""
        return BYTES * self.channels * len(DIRECTIONS) * self.edge**2

    def input_shape(self, points: Triple) -> Triple:
        """Return how many voxels must be seen to answer at so many lattice points."""
        return triple((n - 1) * self.stride_voxel + self.edge for n in points)

    def bytes(self, points: Triple) -> float:
        """Return an upper estimate of the memory that the tables of so many lattice points take."""
        shape = self.input_shape(points)
        straight = sum(points[axis] * math.prod(shape) // shape[axis] for axis in AXES)
        diagonal = sum(2 * self.edge * math.prod(points) // points[axis] * shape[axis] for axis in AXES)
        runs = math.prod(shape) * (self.edge.bit_length() + 3)  # while one direction is laid out: runs, copies, looks
        return BYTES * self.channels * (straight + diagonal + runs)


def projected(
    image: torch.Tensor,
    cubes: Cubes,
    origin: Triple,
    inside: NDArray[np.bool_],
    *,
    limit: float,
    forward: float = 0.0,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[NDArray[np.int64], torch.Tensor]]:
    """Yield lattice points (n, 3) z, y, x and the projections (n, 9 c, p, p) of the cubes around them.

    The points are those ``inside`` (z, y, x); lattice point (0, 0, 0) is voxel ``origin`` of ``image`` (c, z, y, x). A
    block's tables, a pass's projections and ``forward`` bytes for each of its points stay below ``limit`` bytes where
    it can be cut. Projections are float32 on ``device`` and lose their values when the next are made.
    """
    each = cubes.image_bytes + forward
    most = max(min(int(limit / 2 / each), MOST_POINTS, int(inside.sum())), 1)
    images = torch.empty(most, cubes.channels * len(DIRECTIONS), cubes.edge, cubes.edge, device=device)
    for box in boxes(Box((0, 0, 0), triple(inside.shape)), inside, cubes, limit - most * each):
        tables = tables_of(block_of(image, cubes, origin, box).to(device, torch.float32), cubes, box.shape)
        points = np.argwhere(inside[box.slices])
        for start in range(0, len(points), most):
            chosen = points[start : start + most]
            batch, places = images[: len(chosen)], torch.from_numpy(chosen).to(device)
            for number, table in enumerate(tables):
                table.cut(places, batch[:, number :: len(DIRECTIONS)])
            yield chosen + box.low, batch


@dataclass(frozen=True, eq=False)
class Table:
    """One direction's projections of all cubes of a block, overlapping in ``values`` (c, ...), contiguous.

    The projection for lattice point (i, j, k) of the block begins at element ``first + (i, j, k) . steps`` of a
    channel; its rows are ``row`` elements apart, its columns 1.
    """

    values: torch.Tensor
    steps: Triple
    row: int
    first: int = 0

    def cut(self, points: torch.Tensor, images: torch.Tensor) -> None:
        """Write the projections at lattice points (n, 3) into ``images`` (n, c, p, p)."""
        edge = images.shape[-1]
        starts = (points * points.new_tensor(self.steps)).sum(1) + self.first
        for channel, values in enumerate(self.values):
            pieces = values.numel() - (edge - 1) * (self.row + 1)
            every = values.as_strided((pieces, edge, edge), (1, self.row, 1))
            torch.index_select(every, 0, starts, out=images[:, channel])


def tables_of(block: torch.Tensor, cubes: Cubes, points: Triple) -> tuple[Table, ...]:
    """Return the tables of a block (c, *input_shape(points)) for so many lattice points, in the order of DIRECTIONS."""
    straight = [_straight(block, axis, cubes, points) for axis in AXES]
    diagonal = [
        _diagonal(block, stays, cubes, points, falling=falling) for stays in (2, 1, 0) for falling in (False, True)
    ]
    return (*straight, *diagonal)


def _straight(block: torch.Tensor, axis: int, cubes: Cubes, points: Triple) -> Table:
    """Return the table of the direction along ``axis``: values (c, points along it, rows, columns)."""
    edge, stride = cubes.edge, cubes.stride_voxel
    runs = _runs(block, (axis + 1,), edge)[-1]
    rest = edge - (1 << (edge.bit_length() - 1))
    ends = [_looks(runs, (axis + 1,), (start,), (points[axis],), stride) for start in (0, rest)]
    values = torch.maximum(*ends).movedim(axis + 1, 1).contiguous()
    rows, columns = values.shape[2:]
    steps = [stride * columns, stride]
    steps.insert(axis, rows * columns)
    return Table(values, triple(steps), columns)


def _diagonal(block: torch.Tensor, stays: int, cubes: Cubes, points: Triple, *, falling: bool) -> Table:
    """Return the table of a diagonal of the two axes but ``stays``: values (c, a, b, all that stays, lines).

    The lines of a falling one (a-b) are those of a rising one (a+b) in the block with b reversed, columns reversed.
    """
    edge, stride = cubes.edge, cubes.stride_voxel
    a, b = (axis for axis in AXES if axis != stays)
    face = block.movedim(stays + 1, 3)
    runs = _runs((face.flip(2) if falling else face).contiguous(), (1, 2), edge)
    count = (points[a], points[b])
    values = block.new_empty(len(block), *count, face.shape[3], edge)
    for column, offset in enumerate(range(-(edge // 2), edge - edge // 2)):
        length = edge - abs(offset)
        level = length.bit_length() - 1
        starts = (max(0, -offset), max(0, offset))
        rest = length - (1 << level)
        ends = [_looks(runs[level], (1, 2), tuple(s + more for s in starts), count, stride) for more in (0, rest)]
        line = edge - 1 - column if falling else column
        torch.maximum(*ends, out=values[..., line])
    by_b = face.shape[3] * edge
    steps = {a: points[b] * by_b, b: -by_b if falling else by_b, stays: stride * edge}
    return Table(values, triple(steps[axis] for axis in AXES), edge, (points[b] - 1) * by_b if falling else 0)


def _runs(block: torch.Tensor, axes: tuple[int, ...], longest: int) -> list[torch.Tensor]:
    """Return the maxima of runs of 1, 2, 4, ... voxels, up to ``longest``, that step by one along all ``axes``."""
    runs = [block]
    while (1 << len(runs)) <= longest:
        length = 1 << (len(runs) - 1)
        head = tail = runs[-1]
        for axis in axes:
            kept = head.shape[axis] - length
            head, tail = head.narrow(axis, 0, kept), tail.narrow(axis, length, kept)
        runs.append(torch.maximum(head, tail))
    return runs


def _looks(
    runs: torch.Tensor, axes: tuple[int, ...], starts: tuple[int, ...], counts: tuple[int, ...], stride: int
) -> torch.Tensor:
    """Return every ``stride``-th of ``runs`` from ``starts`` along ``axes``, so many as ``counts``."""
    places = [slice(None)] * runs.ndim
    for axis, start, count in zip(axes, starts, counts, strict=True):
        places[axis] = slice(start, start + (count - 1) * stride + 1, stride)
    return runs[tuple(places)]
