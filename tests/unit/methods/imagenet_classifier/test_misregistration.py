"""Crops that are moved on purpose: exact where voxels move by whole steps, undone by the opposite amount elsewhere."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.methods.imagenet_classifier.misregistration import KINDS, misregister, offsets

EDGE = 21


def smooth(channels: int = 3, edge: int = EDGE) -> torch.Tensor:
    """Two crops of gentle waves, so that interpolation hardly changes them."""
    line = torch.linspace(0, 2 * math.pi, edge)
    waves = [torch.sin(line * (k + 1) / 2)[:, None] * torch.cos(line / 2 + k)[None] for k in range(channels)]
    return torch.stack([torch.stack(waves), torch.stack(waves).flip(-1)]).double()


@pytest.mark.parametrize(("phi", "way"), [(0.0, (0, 1)), (math.pi / 2, (1, 0)), (math.pi, (0, -1))])
def test_a_whole_number_of_voxels_is_exact(phi: float, way: tuple[int, int]) -> None:
    crops = torch.randn(1, 3, EDGE, EDGE, generator=torch.Generator().manual_seed(0)).double()
    moved = misregister(crops, "shift", 3, torch.tensor([phi], dtype=torch.float64), still=2)
    inner = slice(4, -4)
    for channel, side in ((0, 1), (1, -1)):
        expected = torch.roll(crops[0, channel], (3 * side * way[0], 3 * side * way[1]), (0, 1))
        assert torch.allclose(moved[0, channel, inner, inner], expected[inner, inner], atol=1e-9)
    assert torch.equal(moved[0, 2], crops[0, 2])


def test_a_quarter_turn_is_exact() -> None:
    crops = torch.randn(1, 3, EDGE, EDGE, generator=torch.Generator().manual_seed(1)).double()
    moved = misregister(crops, "rotation", 90, torch.zeros(1, dtype=torch.float64), still=2)
    assert torch.allclose(moved[0, 0], torch.rot90(crops[0, 0], -1), atol=1e-9)
    assert torch.allclose(moved[0, 1], torch.rot90(crops[0, 1], 1), atol=1e-9)


@given(st.sampled_from(KINDS), st.floats(0.5, 6), st.floats(0, 6.28))
@settings(max_examples=40, deadline=None)
def test_the_opposite_movement_undoes_it(kind: str, amount: float, way: float) -> None:
    crops, phi = smooth(), torch.full((2,), way, dtype=torch.float64)
    there = misregister(crops, kind, amount, phi, still=2)  # type: ignore[arg-type]
    back = misregister(there, kind, -amount, phi, still=2)  # type: ignore[arg-type]
    inner = slice(7, -7)
    assert (back[..., inner, inner] - crops[..., inner, inner]).abs().max() < 0.05
    assert torch.equal(back[:, 2], crops[:, 2])


@pytest.mark.parametrize("kind", KINDS)
def test_maps_are_those_of_the_notation(kind: str) -> None:
    phi = torch.tensor([0.3, 2.0, 4.0])
    first, second = (offsets(kind, 10, phi, side) for side in (1, -1))  # type: ignore[arg-type]
    determinant = torch.linalg.det(first[:, :, :2])
    assert determinant.tolist() == pytest.approx([1, 1, 1], abs=1e-6)
    if kind == "shift":
        assert torch.allclose(first[:, :, 2], -second[:, :, 2])
        assert first[:, :, 2].norm(dim=1).tolist() == pytest.approx([10] * 3, rel=1e-6)
    else:
        inverse = torch.linalg.inv(first[:, :, :2])
        assert torch.allclose(inverse, second[:, :, :2], atol=1e-5)


def test_an_amount_of_nothing_changes_nothing() -> None:
    crops = smooth()
    assert misregister(crops, "skew", 0, torch.zeros(2), still=0) is crops


def test_each_channel_but_the_still_one_moves() -> None:
    crops = smooth()
    for still in range(3):
        moved = misregister(crops, "shift", 2, torch.ones(2, dtype=torch.float64), still)
        changed = [not torch.equal(moved[:, channel], crops[:, channel]) for channel in range(3)]
        assert changed == [channel != still for channel in range(3)]
