"""What a step of training costs a flow: bytes that are kept for the backward pass, and time."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from hakken.methods.glow import Parameters
from hakken.networks.flow.backward import Backward
from hakken.networks.flow.glow import Glow

MODES: tuple[Backward, ...] = get_args(Backward)


@dataclass(frozen=True)
class Step:
    """A step of a flow of so many ``axes`` and ``depth`` steps on each level, gone back through by ``backward``.

    On mini-batches of ``shape`` (b, c, ...). ``kept_bytes`` lie in memory between the two passes, weights not counted;
    ``peak_bytes`` is the most that a GPU held, None on a CPU; ``seconds`` is the median.
    """

    axes: int
    depth: int
    backward: Backward
    shape: tuple[int, ...]
    kept_bytes: int
    peak_bytes: int | None
    seconds: float


def kept_bytes(run: Callable[[], Tensor]) -> int:
    """Return the bytes that are kept for the backward pass of what ``run`` computes, each memory counted once.

    What is there anyway, weights and the images that gradients are wanted of, is not counted.

    >>> x = torch.zeros(3, requires_grad=True)
    >>> kept_bytes(lambda: (2 * x).exp().sum())
    12
    """
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        if not (tensor.is_leaf and tensor.requires_grad):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = run()
        found = sum(kept.values())
    del loss
    return found


def measured(
    chosen: Parameters, channels: int, depths: Sequence[int], *, batch: int, repeats: int, device: torch.device
) -> Iterator[Step]:
    """Yield a row for each number of axes, depth and way back, all else being as in ``chosen``.

    Windows of the other number of axes have about as many voxels.
    """
    for axes in (2, 3):
        shape = (batch, channels, *[edge_of(chosen, axes)] * axes)
        images = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device) - 0.5
        for depth in depths:
            for mode in MODES:
                torch.manual_seed(0)
                flow = Glow(channels, axes, levels=chosen.levels, depth=depth, width=chosen.width, backward=mode)
                kept, peak, seconds = _measured(flow.to(device), images, repeats)
                yield Step(axes, depth, mode, shape, kept, peak, seconds)


def edge_of(chosen: Parameters, axes: int) -> int:
    """Return the edge of windows of ``axes`` axes with about as many voxels as those of the parameters.

    >>> edge_of(Parameters(patch_size=64, axes=2, levels=3), 3), edge_of(Parameters(patch_size=16, axes=3), 2)
    (16, 64)
    """
    multiple: int = 2**chosen.levels
    exact: float = chosen.patch_size ** (chosen.axes / axes)
    return max(math.floor(exact / multiple + 0.5), 1) * multiple


def _measured(flow: Glow, images: Tensor, repeats: int) -> tuple[int, int | None, float]:
    """Return the bytes kept, the most that a GPU held, and the median time of a step in seconds."""
    on_gpu = images.device.type == "cuda"
    flow.initialise(images)
    _once(flow, images)  # the first pass of `invert` looks at its inverse, the first of a GPU loads what it needs
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(images.device)
    seconds = [_once(flow, images) for _ in range(repeats)]
    peak = torch.cuda.max_memory_allocated(images.device) if on_gpu else None
    return kept_bytes(lambda: flow(images)), peak, statistics.median(seconds)


def _once(flow: nn.Module, images: Tensor) -> float:
    """Return how long it takes to go through a flow and back, in seconds; on a CPU the time that it computes."""
    clock = time.perf_counter if images.device.type == "cuda" else time.process_time
    flow.zero_grad()
    _wait(images.device)
    start = clock()
    (-flow(images).mean()).backward()
    _wait(images.device)
    return clock() - start


def _wait(device: torch.device) -> None:
    """Let a GPU finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
