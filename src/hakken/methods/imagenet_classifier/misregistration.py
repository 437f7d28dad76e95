"""Deliberate misregistration: all channels of a crop but one are moved, each its own way, about the crop's centre.

Yamada et al. (IJCARS 2019;14:1281) moved the phases of a composite against each other by shifts of pixels, rotations
and skews of several amounts. Which way a phase goes is drawn by case: an angle phi in radians.

Notation: a moved channel shows at offset o = (x, y) from the centre what the channel has at A o + t, in voxels. With
s = 1 for the first of the moved channels, -1 for the second, and so on in turn, and the amount a,

    shift     A = 1,                          t = -s a (cos phi, sin phi)
    rotation  A = turn by -s sign(cos phi) a, t = 0                          a in degrees
    skew      A = 1 + s sign(cos phi) tan(a) e, e = (0, 1; 0, 0) where sin phi >= 0, else (0, 0; 1, 0); t = 0
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch.nn import functional

Kind = Literal["shift", "rotation", "skew"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def misregister(crops: torch.Tensor, kind: Kind, amount: float, phi: torch.Tensor, still: int) -> torch.Tensor:
    """Return ``crops`` (n, c, q, q) with all channels but number ``still`` moved by ``amount``, bilinearly.

    ``phi`` (n,) says which way, in radians. Shifts are in voxels, rotations and skews in degrees. What comes from
    beyond the border is the border's value. An amount of 0 gives the crops themselves.

    >>> crop = torch.tensor([[[[1.0, 2.0, 3.0]] * 3] * 2])
    >>> misregister(crop, "shift", 1, torch.zeros(1), still=1)[0, 0, 0]
    tensor([1., 1., 2.])
    """
    if amount == 0:
        return crops
    moved = crops.clone()
    others = [channel for channel in range(crops.shape[1]) if channel != still]
    for number, channel in enumerate(others):
        maps = offsets(kind, amount, phi, 1 if number % 2 == 0 else -1)
        moved[:, channel] = _sampled(crops[:, channel : channel + 1], maps)[:, 0]
    return moved


def offsets(kind: Kind, amount: float, phi: torch.Tensor, side: int) -> torch.Tensor:
    """Return (A, t) (n, 2, 3) for offsets x, y in voxels; ``side`` is s."""
    maps = torch.zeros(len(phi), 2, 3, dtype=phi.dtype)
    maps[:, 0, 0] = maps[:, 1, 1] = 1
    sign = torch.where(torch.cos(phi) >= 0, 1.0, -1.0).to(phi.dtype)
    if kind == "shift":
        maps[:, :, 2] = -side * amount * torch.stack([torch.cos(phi), torch.sin(phi)], 1)
    elif kind == "rotation":
        angle = -side * sign * math.radians(amount)
        maps[:, 0, 0] = maps[:, 1, 1] = torch.cos(angle)
        maps[:, 0, 1], maps[:, 1, 0] = -torch.sin(angle), torch.sin(angle)
    else:
        slope = side * sign * math.tan(math.radians(amount))
        flat = torch.sin(phi) >= 0
        maps[:, 0, 1], maps[:, 1, 0] = torch.where(flat, slope, 0.0), torch.where(flat, 0.0, slope)
    return maps


def _sampled(images: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
    """Return images (n, 1, q, q) read at ``maps`` (n, 2, 3) of the offsets from the centre, (q - 1) / 2 in x and y."""
    edge = images.shape[-1]
    line = torch.arange(edge, dtype=maps.dtype) - (edge - 1) / 2
    x, y = line.expand(edge, edge), line[:, None].expand(edge, edge)
    read = torch.einsum("nij,jyx->nyxi", maps, torch.stack([x, y, torch.ones_like(x)]))
    grid = (read / ((edge - 1) / 2)).to(images)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=True)
