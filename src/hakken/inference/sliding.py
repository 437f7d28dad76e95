"""Sliding window with Gaussian blending, for networks whose output is as large as their input. Axes are (z, y, x)."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch

from hakken.inference.maps import Triple, triple

CENTRE = 1 / 8  # SD of the blending weights as a fraction of the window's edge
LEAST = 1e-3  # weight of a window's corner relative to its centre, so that no voxel is left without weight


def sliding_window(
    network: Callable[[torch.Tensor], torch.Tensor],
    image: torch.Tensor,
    window: Triple,
    overlap: float = 0.5,
    batch: int = 4,
) -> torch.Tensor:
    """Return the output (classes, z, y, x) of ``network`` on ``image`` (c, z, y, x), blended from windows.

    ``network`` maps (b, c, *window) to (b, classes, *window) and runs on ``batch`` windows at a time, on the device of
    ``image``; windows share at least ``overlap`` of their edge. An image smaller than the window is evaluated whole,
    padded with zeros. Besides one batch only the result and one map of weights are held.
    """
    shape = triple(image.shape[1:])
    extents = triple(max(extent, edge) for extent, edge in zip(shape, window, strict=True))
    margins = [
        margin for extent, whole in zip(shape[::-1], extents[::-1], strict=True) for margin in (0, whole - extent)
    ]
    padded = torch.nn.functional.pad(image, margins)
    blend = gaussian_window(window).to(image.device)
    total = torch.zeros(extents, device=image.device)
    blended: torch.Tensor | None = None
    with torch.inference_mode():
        every = window_places(extents, window, overlap)
        for places in (every[start : start + batch] for start in range(0, len(every), batch)):
            output = network(torch.stack([padded[(slice(None), *place)] for place in places])).float()
            blended = torch.zeros((output.shape[1], *extents), device=image.device) if blended is None else blended
            for place, part in zip(places, output, strict=True):
                blended[(slice(None), *place)] += part * blend
                total[place] += blend
    assert blended is not None  # there is always a window
    return (blended / total)[(slice(None), *(slice(extent) for extent in shape))]


def window_places(shape: Triple, window: Triple, overlap: float) -> list[tuple[slice, ...]]:
    """Return the windows that cover ``shape``, evenly spread, neighbours sharing at least ``overlap`` of their edge."""
    starts = [_starts(extent, edge, overlap) for extent, edge in zip(shape, window, strict=True)]
    return [
        tuple(slice(start, start + edge) for start, edge in zip(corner, window, strict=True))
        for corner in itertools.product(*starts)
    ]


def gaussian_window(window: Triple) -> torch.Tensor:
    """Return blending weights (z, y, x): a Gaussian with SD of an eighth of the edge, 1 at the centre."""
    weights = torch.ones(())
    for edge in window:
        offsets = (torch.arange(edge) - (edge - 1) / 2) / (edge * CENTRE)
        weights = weights[..., None] * torch.exp(-(offsets**2) / 2)
    return (weights / weights.max()).clamp_min(LEAST)


def _starts(extent: int, edge: int, overlap: float) -> list[int]:
    """Return where windows start along one axis."""
    step = max(int(edge * (1 - overlap)), 1)
    count = -(-(extent - edge) // step) + 1
    return [round(number * (extent - edge) / max(count - 1, 1)) for number in range(count)]
