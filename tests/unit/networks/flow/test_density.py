"""Grey levels, their noise, and bits per dimension."""

from __future__ import annotations

import math

import pytest
import torch

from hakken.networks.flow.density import bits_per_dimension, dequantised, quantised
from hakken.networks.flow.glow import Glow

from .helpers import optimiser_of


@pytest.mark.parametrize("bits", [1, 5, 8])
def test_every_level_comes_back_from_its_share_of_the_window(bits: int) -> None:
    """Prepared images are float16: k of 2**n - 1 shares is level k, k of 255 shares is k without its tail."""
    levels, fine = torch.arange(2.0**bits), torch.arange(256)
    assert torch.equal(quantised((levels / (2**bits - 1)).half().float(), bits), levels)
    assert torch.equal(quantised((fine / 255).half().float(), bits), (fine >> (8 - bits)).float())


def test_levels_lie_evenly_about_nought() -> None:
    levels = torch.arange(4.0)
    assert dequantised(levels, 2, 0.5).tolist() == [-0.375, -0.125, 0.125, 0.375]
    assert dequantised(levels, 2, 0.0)[0] == -0.5
    noise = torch.rand(4)
    assert torch.equal(((dequantised(levels, 2, noise) + 0.5) * 4).floor(), levels)


def test_bits_may_differ_between_samples() -> None:
    bits = torch.tensor([1, 3]).view(2, 1, 1, 1)
    levels = quantised(torch.full((2, 1, 2, 2), 0.99), bits)
    assert levels[:, 0, 0, 0].tolist() == [1, 7]
    assert dequantised(levels, bits, 0.5)[:, 0, 0, 0].tolist() == [0.25, 0.4375]


def test_bits_count_the_values_of_this_image() -> None:
    """A density of 1 on the cube has n bits whatever the image; e**-D has 1 / ln 2 more."""
    for shape in ((1, 8, 8), (3, 8, 8), (1, 4, 6, 2)):
        values = math.prod(shape)
        found = bits_per_dimension(torch.tensor([0.0, -values]), values, 4)
        assert found.tolist() == pytest.approx([4, 4 + 1 / math.log(2)])


@pytest.mark.parametrize("bits", [1, 3])
def test_random_levels_have_never_fewer_bits_than_they_hold(bits: int) -> None:
    """All 2**n levels equally often: no model needs less than n bits, and a loss below is an error of sign or noise."""
    torch.manual_seed(bits)
    flow = Glow(1, 2, levels=1, depth=2, width=8)
    optimiser = optimiser_of(flow, 0.01)
    losses = []
    for step in range(100):
        levels = torch.randint(0, 2**bits, (32, 1, 8, 8)).float()
        x = dequantised(levels, bits, torch.rand(levels.shape))
        if step == 0:
            flow.initialise(x)
        loss = bits_per_dimension(flow(x), 64, bits).mean()
        optimiser.clear()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert min(losses) >= bits
    assert losses[-1] < bits + 0.3
