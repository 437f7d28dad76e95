"""The U-Net whose depth and width are chosen at every pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from hakken.core.errors import InvalidArchitecture
from hakken.networks.structure import Structure
from hakken.networks.unet import GROUP, UNet, level_widths, sub_network

SMALL = Structure(poolings=3, convolutions=2, base_features=8, growth=1.5, dropout=0, patch_size=16)
SIZES = [(levels, features) for levels in (1, 2, 3, 4) for features in (1.0, 0.6, 0.25)]


def images(dimensions: int, edge: int = 16, channels: int = 3, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, channels, *[edge] * dimensions, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(("levels", "features"), SIZES)
@pytest.mark.parametrize("edge", [16, 13])
def test_the_output_is_as_large_as_the_image(dimensions: int, levels: int, features: float, edge: int) -> None:
    network = UNet(3, 2, dimensions, SMALL)
    assert network(images(dimensions, edge), levels, features).shape == (2, 2, *[edge] * dimensions)


def test_an_image_of_odd_and_unequal_edges() -> None:
    network = UNet(1, 1, 2, SMALL)
    assert network(torch.zeros(1, 1, 5, 9)).shape == (1, 1, 5, 9)
    assert UNet(1, 1, 3, SMALL)(torch.zeros(1, 1, 1, 9, 4)).shape == (1, 1, 1, 9, 4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_number_of_weights_is_that_of_the_layers(dimensions: int) -> None:
    # 3 channels; 8, 12 and 20 maps; kernels of k voxels; a layer holds weights, biases, scales and shifts.
    structure = replace(SMALL, poolings=2)
    k, doubling = 3**dimensions, 2**dimensions
    down = (3 * 8 + 8 * 8) * k + 2 * 3 * 8 + (8 * 12 + 12 * 12) * k + 2 * 3 * 12 + (12 * 20 + 20 * 20) * k + 2 * 3 * 20
    rise = (12 * 8 * doubling + 8) + (20 * 12 * doubling + 12)
    up = (16 * 8 + 8 * 8) * k + 2 * 3 * 8 + (24 * 12 + 12 * 12) * k + 2 * 3 * 12
    head = 8 * 2 + 2
    assert UNet(3, 2, dimensions, structure).parameter_count == down + rise + up + head


def test_five_levels_of_two_convolutions_are_the_published_layers() -> None:
    # Ronneberger et al. 2015: 64 to 1024 maps, 23 convolutional layers (18 of 3 x 3, 4 up, 1 of 1 x 1).
    structure = Structure(poolings=4, convolutions=2, base_features=64, growth=2, batch_norm=False)
    network = UNet(1, 2, 2, structure)
    assert network.widths == (64, 128, 256, 512, 1024)
    assert sum(weight.ndim == 4 for weight in network.parameters()) == 23
    assert round(network.parameter_count / 1e6, 1) == 31.0


def test_maps_come_in_whole_groups() -> None:
    assert level_widths(Structure(poolings=2, base_features=5, growth=1)) == (8, 8, 8)
    assert level_widths(Structure(poolings=1, base_features=10, growth=1.2)) == (12, 12)  # 10 * 1.2 = 12 exactly
    network = UNet(1, 1, 2, SMALL)
    assert network.active(features=0.01) == (GROUP,) * 4
    assert network.active(2, 0.5) == (4, 8)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize(("levels", "features"), SIZES)
def test_a_sub_network_equals_the_large_one_bit_for_bit(
    dimensions: int, normalised: bool, levels: int, features: float
) -> None:
    torch.manual_seed(0)
    network = UNet(3, 2, dimensions, replace(SMALL, batch_norm=normalised)).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
        small = sub_network(network, levels, features)
        for edge in (16, 13):
            assert torch.equal(small(images(dimensions, edge)), network(images(dimensions, edge), levels, features))
    assert (small.levels, small.widths) == (levels, network.active(levels, features))
    assert not small.training
    assert small.parameter_count < network.parameter_count or (levels, features) == (4, 1.0)


def test_a_sub_network_of_a_sub_network() -> None:
    network = UNet(3, 1, 2, SMALL).eval()
    half = sub_network(network, 3, 0.5)
    again = sub_network(half, 2, 0.5)
    assert torch.equal(again(images(2)), half(images(2), 2, 0.5))


def test_a_sub_network_holds_weights_of_its_own() -> None:
    network = UNet(3, 1, 2, SMALL).eval()
    small = sub_network(network, 2)
    before = small(images(2))
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    assert torch.equal(small(images(2)), before)


def test_an_image_s_result_does_not_depend_on_its_batch() -> None:
    network = UNet(3, 1, 2, SMALL).train()
    batch = images(2)
    torch.testing.assert_close(network(batch)[:1], network(batch[:1]), atol=1e-5, rtol=1e-5)


def test_a_volume_is_seen_slice_by_slice() -> None:
    network = UNet(3, 2, 2, SMALL).eval()
    volumes = images(3)
    whole = network(volumes)
    assert whole.shape == (2, 2, 16, 16, 16)
    assert torch.allclose(whole[:, :, 5], network(volumes[:, :, 5]), atol=1e-5)


def test_weights_beyond_the_chosen_size_are_left_alone() -> None:
    network = UNet(3, 1, 2, SMALL)
    network(images(2), levels=2, features=0.5).square().mean().backward()
    assert network.get_parameter("down.2.0.weight").grad is None
    first = network.get_parameter("down.1.0.weight").grad
    assert first is not None
    assert first[:8, :4].abs().max() > 0
    assert first[8:].abs().max() == 0
    assert first[:, 4:].abs().max() == 0


OWN = [(4, 1.0), (4, 0.5), (2, 1.0), (2, 0.5)]


def of_own_scalings() -> UNet:
    """A network whose sizes `OWN` have scales and shifts of their own, all different."""
    torch.manual_seed(0)
    network = UNet(3, 1, 2, SMALL, own=OWN).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "scalings" in name:
                weight.add_(0.3 * torch.randn_like(weight))
    return network


@pytest.mark.parametrize(("levels", "features"), OWN)
def test_a_step_at_one_size_moves_the_scales_and_shifts_of_no_other(levels: int, features: float) -> None:
    network = of_own_scalings()
    before = {size: network(images(2), *size) for size in OWN}
    network(images(2), levels, features).square().mean().backward()
    moved = {
        name.split(".scalings.")[1].split(".")[0]
        for name, weight in network.named_parameters()
        if "scalings" in name and weight.grad is not None
    }
    assert moved == {str(OWN.index((levels, features)))}
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "scalings" in name and weight.grad is not None:
                weight.add_(1.0)
    for size in OWN:
        assert torch.equal(network(images(2), *size), before[size]) == (size != (levels, features))


@pytest.mark.parametrize(("levels", "features"), [*OWN, (3, 1.0), (3, 0.25), (1, 0.25)])
def test_a_sub_network_takes_the_scales_and_shifts_of_its_size(levels: int, features: float) -> None:
    network = of_own_scalings()
    small = sub_network(network, levels, features)
    assert torch.equal(small(images(2)), network(images(2), levels, features))
    assert small.parameter_count < network.parameter_count


def test_a_size_without_its_own_scales_and_shifts_takes_those_of_the_next_larger() -> None:
    network = UNet(3, 1, 2, SMALL, own=OWN)
    # 8, 12, 20 and 28 maps; 3 levels of them lie within 4 levels, 3 of a quarter within 4 of the half
    assert [network.scaling(network.active(*size)) for size in [(3, 1.0), (3, 0.25), (1, 1.0), (1, 0.25)]] == [
        0,
        1,
        2,
        3,
    ]
    assert UNet(3, 1, 2, SMALL, own=[(4, 0.5)]).scaling((8, 12, 20, 28)) == 0


def test_without_normalisation_there_is_nothing_to_own() -> None:
    bare = replace(SMALL, batch_norm=False)
    assert UNet(3, 1, 2, bare, own=OWN).parameter_count == UNet(3, 1, 2, bare).parameter_count


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_gradient_reaches_every_weight(dimensions: int) -> None:
    torch.manual_seed(0)
    network = UNet(3, 1, dimensions, SMALL)
    batch = images(dimensions)
    (network(batch) - batch[:, :1]).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        if weight.ndim > 1:
            assert weight.grad.abs().max() > 1e-8, name


@pytest.mark.parametrize("dimensions", [2, 3])
def test_one_batch_is_learnt_by_heart_at_every_depth(dimensions: int) -> None:
    torch.manual_seed(0)
    network = UNet(1, 1, dimensions, replace(SMALL, poolings=2))
    batch = images(dimensions, edge=16 if dimensions == 2 else 8, channels=1)
    smooth = nn.functional.avg_pool2d if dimensions == 2 else nn.functional.avg_pool3d
    masks = smooth(batch, 3, 1, 1).gt(0.1).float()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for step in range(120):
        loss = nn.functional.binary_cross_entropy_with_logits(network(batch, levels=1 + step % 3), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for levels in (1, 2, 3):
        found = network(batch, levels).gt(0).float()
        assert (found * masks).sum() * 2 / (found.sum() + masks.sum()) > 0.9


@pytest.mark.parametrize(
    ("levels", "features", "message"),
    [
        (5, 1.0, "5 levels: this U-Net has 4; choose 1 to 4"),
        (0, 1.0, "0 levels: this U-Net has 4; choose 1 to 4"),
        (None, 0.0, "0 of the feature maps: choose a fraction above 0, at most 1"),
        (None, 1.5, "1.5 of the feature maps: choose a fraction above 0, at most 1"),
    ],
)
def test_a_size_that_is_none_is_refused(levels: int | None, features: float, message: str) -> None:
    network = UNet(3, 1, 2, SMALL)
    for attempt in (lambda: network(images(2), levels, features), lambda: sub_network(network, levels, features)):
        with pytest.raises(InvalidArchitecture) as error:
            attempt()
        assert str(error.value) == message


def test_widths_in_broken_groups_are_refused() -> None:
    with pytest.raises(InvalidArchitecture, match="give each level a positive multiple of 4"):
        UNet(1, 1, 2, SMALL, widths=(4, 6))
