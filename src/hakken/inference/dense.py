"""The score map of a whole volume by a network that was trained on patches. Axes are (z, y, x), units are voxels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import pad

from hakken.inference.fragments import DenseNetwork
from hakken.inference.maps import ScoreMap, Triple, at_lattice, triple
from hakken.networks.patch_cnn import PatchClassifier

MIB = 2**20


class Window(Protocol):
    """What is seen of an image to answer at lattice points; everything z, y, x in voxels."""

    @property
    def patch(self) -> Triple:
        """Shape that one point sees."""

    @property
    def step(self) -> Triple:
        """Distance of lattice points."""

    def input_shape(self, points: Triple) -> Triple:
        """Return how many voxels must be seen to answer at so many lattice points."""

    def bytes(self, points: Triple) -> float:
        """Return an upper estimate of the memory that so many lattice points take."""


@dataclass(frozen=True)
class Box:
    """Lattice points from ``low`` to below ``high``, z, y, x."""

    low: Triple
    high: Triple

    @property
    def shape(self) -> Triple:
        """Points along each axis."""
        return triple(high - low for low, high in zip(self.low, self.high, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        """The box as an index."""
        return tuple(slice(low, high) for low, high in zip(self.low, self.high, strict=True))

    def halves(self) -> tuple[Box, Box]:
        """Return two boxes, cut across the longest axis."""
        axis = int(np.argmax(self.shape))
        middle = (self.low[axis] + self.high[axis]) // 2
        high, low = list(self.high), list(self.low)
        high[axis] = low[axis] = middle
        return Box(self.low, triple(high)), Box(triple(low), self.high)


def score_map(
    network: PatchClassifier,
    image: torch.Tensor,
    *,
    stride_voxel: int,
    memory_mb: float,
    mask: NDArray[Any] | None = None,
    precision: torch.dtype = torch.float32,
) -> ScoreMap:
    """Return the probability of a lesion at every ``stride_voxel``-th voxel of ``image`` (c, z, y, x).

    A point's score is that of the patch which holds the point at index ``patch // 2``; beyond the image lie zeros.
    Equal to evaluating patch by patch within 1e-4. The image is cut into boxes so that a forward pass stays below
    ``memory_mb``; parts without a point inside ``mask`` (z, y, x) are skipped. A ``precision`` below float32 uses
    autocast.
    """
    dense = DenseNetwork.of(network, stride_voxel)
    shape = triple(image.shape[1:])
    origin = triple(((extent - 1) % step) // 2 for extent, step in zip(shape, dense.step, strict=True))
    inside = at_lattice(np.ones(shape, bool) if mask is None else mask, origin, dense.step)
    scores = np.zeros(inside.shape, np.float32)
    device = next(network.parameters()).device
    with torch.inference_mode(), exactly(device, precision):
        for box in boxes(Box((0, 0, 0), triple(inside.shape)), inside, dense, memory_mb * MIB):
            block = block_of(image, dense, origin, box).to(device, torch.float32)
            logits = dense.logits(block, box.shape).float()
            scores[box.slices] = (1 - torch.softmax(logits, 0)[0]).cpu().numpy()
    return ScoreMap(scores * inside, origin, dense.step)


def exactly(device: torch.device, precision: torch.dtype) -> AbstractContextManager[Any]:
    """Return the context in which a network computes at ``precision``; float32 without a GPU's shortcuts (TF32)."""
    if precision != torch.float32:
        return torch.autocast(device.type, precision)
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if device.type == "cuda" else nullcontext()


def boxes(box: Box, inside: NDArray[np.bool_], window: Window, limit: float) -> Iterator[Box]:
    """Yield tight boxes that cover all points ``inside`` (z, y, x), each below ``limit`` bytes where it can be cut."""
    tight = _tight(box, inside)
    if tight is None:
        return
    if max(tight.shape) > 1 and window.bytes(tight.shape) > limit:
        for half in tight.halves():
            yield from boxes(half, inside, window, limit)
    else:
        yield tight


def _tight(box: Box, inside: NDArray[np.bool_]) -> Box | None:
    """Return the smallest box around the points inside, None where there are none."""
    part = inside[box.slices]
    if not part.any():
        return None
    found = [np.flatnonzero(part.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    low = triple(start + places[0] for start, places in zip(box.low, found, strict=True))
    high = triple(start + places[-1] + 1 for start, places in zip(box.low, found, strict=True))
    return Box(low, high)


def block_of(image: torch.Tensor, window: Window, origin: Triple, box: Box) -> torch.Tensor:
    """Return the voxels (c, z, y, x) that must be seen for a box, zeros beyond the image."""
    margins: list[int] = []
    cut = [slice(None)]
    needed = window.input_shape(box.shape)
    for axis in range(3):
        start = origin[axis] + box.low[axis] * window.step[axis] - window.patch[axis] // 2
        stop, extent = start + needed[axis], image.shape[axis + 1]
        cut.append(slice(max(start, 0), min(stop, extent)))
        margins = [max(-start, 0), max(stop - extent, 0), *margins]
    return pad(image[tuple(cut)], margins)
