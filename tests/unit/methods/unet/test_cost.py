"""What a forward pass costs, worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hakken.methods.unet.cost import multiply_adds, peak_bytes
from hakken.networks.structure import Structure
from hakken.networks.unet import UNet, sub_network


def test_multiply_adds_of_a_u_net_of_two_levels() -> None:
    network = UNet(3, 1, 2, Structure(poolings=1, convolutions=2, base_features=4, growth=2, kernel=3))
    top = 8 * 8 * 9 * (3 * 4 + 4 * 4)  # 3 to 4 to 4 maps on 8 x 8
    low = 4 * 4 * 9 * (4 * 8 + 8 * 8)  # 4 to 8 to 8 maps on 4 x 4
    rise = 4 * 4 * 4 * (8 * 4)  # each of 4 x 4 pixels becomes 2 x 2, 8 maps become 4
    up = 8 * 8 * 9 * (8 * 4 + 4 * 4)  # 4 + 4 joined to 4 to 4
    head = 8 * 8 * 4
    assert multiply_adds(network, (1, 3, 8, 8)) == top + low + rise + up + head == 59_904
    assert multiply_adds(network, (5, 3, 8, 8)) == 5 * 59_904
    assert multiply_adds(sub_network(network, 1), (1, 3, 8, 8)) == top + head


def test_multiply_adds_in_three_axes() -> None:
    network = UNet(1, 2, 3, Structure(poolings=1, convolutions=1, base_features=4, growth=1))
    whole, half = 4**3, 2**3
    expected = 27 * (whole * 4 + half * 16 + whole * 32) + half * 8 * 16 + whole * 4 * 2
    assert multiply_adds(network, (1, 1, 4, 4, 4)) == expected


def test_the_most_that_is_held_at_once() -> None:
    wide = nn.Sequential(nn.Conv2d(1, 10, 1, bias=False), nn.Conv2d(10, 2, 1, bias=False), nn.ReLU())
    weights, image = 4 * (10 + 20), 4 * 25
    # The widest moment is the second convolution: its input of ten maps and its output of two; the image stays.
    assert peak_bytes(wide, (1, 1, 5, 5)) == weights + image + 4 * 25 * (10 + 2)


def test_views_are_held_once() -> None:
    class Views(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image[:, :, :3].transpose(2, 3)

    assert peak_bytes(Views(), (1, 2, 5, 5)) == 4 * 50


def test_a_smaller_network_costs_less_and_the_large_one_is_left_as_it_is() -> None:
    network = UNet(3, 1, 2, Structure(poolings=4, convolutions=2, base_features=8))
    sizes = [(5, 1.0), (4, 1.0), (3, 1.0), (3, 0.5)]
    small = [sub_network(network, *size) for size in sizes]
    costs = [(multiply_adds(one, (1, 3, 64, 64)), peak_bytes(one, (1, 3, 64, 64))) for one in small]
    assert costs == sorted(costs, reverse=True)
    assert next(network.parameters()).device.type == "cpu"
    assert network.training


@pytest.mark.parametrize("size", [(5, 1.0), (3, 0.5)])
def test_a_size_of_the_large_network_costs_what_its_sub_network_costs(size: tuple[int, float]) -> None:
    network = UNet(3, 1, 2, Structure(poolings=4, convolutions=2, base_features=8))

    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.network(image, *size)
            return found

    assert multiply_adds(Fixed(), (1, 3, 40, 40)) == multiply_adds(sub_network(network, *size), (1, 3, 40, 40))
