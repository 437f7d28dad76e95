"""Sliding window with Gaussian blending, for networks whose output is as large as their input. Axes are (z, y, x)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from hakken.inference.dense import exactly
from hakken.inference.maps import Triple, triple

CENTRE = 1 / 8  # SD of the blending weights as a fraction of the window's edge
LEAST = 1e-3  # weight of a window's corner relative to its centre, so that no voxel is left without weight


def sliding_window(
    network: Callable[[torch.Tensor], torch.Tensor],
    image: torch.Tensor,
    window: Triple,
    overlap: float = 0.5,
    batch: int = 4,
    *,
    inside: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the output (classes, z, y, x) of ``network`` on ``image`` (c, z, y, x), blended from windows.

    ``network`` maps (b, c, *window) to (b, classes, *window) and runs on ``batch`` windows at a time, on the device of
    ``image``; windows share at least ``overlap`` of their edge. An image smaller than the window is evaluated whole,
    padded with zeros. Besides one batch only the result and one map of weights are held. Windows in which nothing of
    ``inside`` (z, y, x) lies are left out; what no window sees is 0.
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
        every = _places_inside(extents, window, overlap, inside)
        for places in (every[start : start + batch] for start in range(0, len(every), batch)):
            output = network(torch.stack([padded[(slice(None), *place)] for place in places]).float()).float()
            blended = torch.zeros((output.shape[1], *extents), device=image.device) if blended is None else blended
            for place, part in zip(places, output, strict=True):
                blended[(slice(None), *place)] += part * blend
                total[place] += blend
    assert blended is not None  # there is always a window
    seen = blended / torch.where(total > 0, total, 1)
    return seen[(slice(None), *(slice(extent) for extent in shape))]


def whole_map(
    network: Callable[[torch.Tensor], torch.Tensor],
    image: NDArray[Any],
    mask: NDArray[Any],
    *,
    window: Triple,
    overlap: float,
    batch: int,
    flips: bool,
    device: torch.device,
) -> NDArray[np.float32]:
    """Return the output (classes, z, y, x) of ``network`` on ``image`` (c, z, y, x) within ``mask``, 0 outside of it.

    Only the box of the mask is looked at, with half a window around it where the image has it; a window that is larger
    than that is as large as it. With ``flips`` the result is the mean over the image and its mirror images along each
    axis of the window.
    """
    box = _box(mask, window)
    if box is None:
        return np.zeros((1, *mask.shape), np.float32)
    part = torch.from_numpy(np.array(image[(slice(None), *box)])).to(device)
    inside = torch.from_numpy(np.array(mask[box]) > 0).to(device)
    fitting = triple(min(edge, extent) for edge, extent in zip(window, part.shape[1:], strict=True))
    axes = [axis for axis, edge in enumerate(window, start=1) if edge > 1]
    turned: list[tuple[int, ...]] = [(), *((axis,) for axis in axes)] if flips else [()]
    total: torch.Tensor | None = None
    with exactly(device, torch.float32):
        for axis in turned:
            seen = sliding_window(
                network, part.flip(axis), fitting, overlap, batch, inside=inside.flip([a - 1 for a in axis])
            )
            back = seen.flip(axis)
            total = back if total is None else total + back
    assert total is not None
    found = np.zeros((len(total), *mask.shape), np.float32)
    found[(slice(None), *box)] = (total / len(turned) * inside).cpu().numpy()
    return found


def voxels_seen(mask: NDArray[Any], window: Triple, overlap: float) -> int:
    """Return how many voxels `whole_map` sees without flips, those that several windows share as often.

    >>> mask = np.zeros((1, 20, 20), np.uint8)
    >>> mask[0, 4:6, 4:6] = 1
    >>> voxels_seen(mask, (1, 8, 8), 0.5)  # the box of the mask with half a window around it is 10 x 10: four windows
    256
    """
    box = _box(mask, window)
    if box is None:
        return 0
    inside = torch.from_numpy(np.array(mask[box]) > 0)
    fitting = triple(min(edge, extent) for edge, extent in zip(window, inside.shape, strict=True))
    return len(_places_inside(triple(inside.shape), fitting, overlap, inside)) * math.prod(fitting)


def _box(mask: NDArray[Any], window: Triple) -> tuple[slice, ...] | None:
    """Return the box of a mask with half a window around it, within the image; None where the mask is empty."""
    boxes = ndimage.find_objects((mask > 0).astype(np.uint8))
    if not boxes:
        return None
    return tuple(
        slice(max(span.start - edge // 2, 0), min(span.stop + edge // 2, extent))
        for span, edge, extent in zip(boxes[0], window, mask.shape, strict=True)
    )


def _places_inside(
    shape: Triple, window: Triple, overlap: float, inside: torch.Tensor | None
) -> list[tuple[slice, ...]]:
    """Return the windows that hold something of ``inside``; all where that is not told, or where none does."""
    every = window_places(shape, window, overlap)
    held = [place for place in every if inside is None or bool(inside[place].any())]
    return held or every[:1]


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
