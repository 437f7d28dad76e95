from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from hakken.networks.patch_cnn import (
    InvalidArchitecture,
    PatchClassifier,
    feature_maps,
    pooling_positions,
    remaining_extent,
)
from hakken.networks.structure import Structure

SHAPES: list[dict[str, Any]] = [
    {"patch_size": 14},
    {"patch_size": 3, "convolutions": 1, "poolings": 0, "dense_layers": 0},
    {"patch_size": 15, "convolutions": 3, "poolings": 0, "kernel": 5, "batch_norm": False},
    {"patch_size": 21, "convolutions": 4, "poolings": 2, "growth": 1.5, "dense_layers": 2},
    {"patch_size": 24, "convolutions": 2, "poolings": 2, "kernel": 5},
]


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("values", SHAPES)
def test_a_patch_becomes_one_voxel_of_logits(values: dict[str, Any], dimensions: int) -> None:
    network = PatchClassifier(2, dimensions, Structure(base_features=4, **values), classes=3)
    depth = 1 if dimensions == 2 else values["patch_size"]
    assert network.patch_shape == (depth, values["patch_size"], values["patch_size"])
    assert network(torch.randn(2, 2, *network.patch_shape)).shape == (2, 3, 1, 1, 1)


def test_a_larger_image_becomes_a_map_at_the_stride() -> None:
    network = PatchClassifier(1, structure=Structure(patch_size=14, base_features=4))
    assert network.stride == 2
    assert network(torch.randn(2, 1, 14, 16, 24)).shape == (2, 2, 1, 2, 6)


def test_the_number_of_weights_is_that_of_the_layers() -> None:
    network = PatchClassifier(
        2, structure=Structure(patch_size=14, base_features=8, dense_units=32, convolutions=3, poolings=1)
    )
    convolutions = (2 * 27 + 1) * 8 + (8 * 27 + 1) * 8 + (8 * 27 + 1) * 16  # the third one comes after the pooling
    normalisations = 2 * (8 + 8 + 16)
    dense = (16 * 27 + 1) * 32 + (32 + 1) * 2  # 14 -> 12 -> 10 -> 5 -> 3 voxels are left: 27 inputs a feature map
    assert network.parameter_count == convolutions + normalisations + dense


@pytest.mark.parametrize("values", SHAPES)
def test_the_gradient_reaches_every_weight(values: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = PatchClassifier(2, structure=Structure(base_features=4, dropout=0, **values))
    logits = network(torch.randn(8, 2, *network.patch_shape)).flatten(1)
    cross_entropy(logits, torch.arange(8) % 2).backward()
    # A bias before a batch normalisation has no effect; its gradient is zero but for rounding.
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        if weight.ndim > 1:
            assert weight.grad.abs().max() > 1e-6, name


def test_one_batch_is_learnt_by_heart() -> None:
    torch.manual_seed(0)
    network = PatchClassifier(1, structure=Structure(patch_size=9, base_features=4, convolutions=2, dropout=0))
    images, targets = torch.randn(8, 1, 9, 9, 9), torch.arange(8) % 2
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(40):
        loss = cross_entropy(network(images).flatten(1), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.01


@pytest.mark.parametrize(
    ("layers", "pools", "after"),
    [(3, 0, ()), (3, 1, (2,)), (4, 1, (2,)), (2, 2, (1, 2)), (6, 2, (2, 4)), (5, 2, (2, 4))],
)
def test_poolings_are_spread_evenly(layers: int, pools: int, after: tuple[int, ...]) -> None:
    assert pooling_positions(Structure(convolutions=layers, poolings=pools)) == after


def test_feature_maps_grow_after_each_pooling() -> None:
    structure = Structure(convolutions=6, poolings=2, base_features=10, growth=1.5)
    assert feature_maps(structure) == (10, 10, 15, 15, 22, 22)


def test_a_patch_that_is_too_small_is_named_with_the_layers() -> None:
    structure = Structure(patch_size=12, convolutions=6, kernel=5, poolings=2)
    with pytest.raises(InvalidArchitecture) as error:
        PatchClassifier(1, structure=structure)
    assert str(error.value) == "patch 12 is too small for 6 convolutions of kernel 5 and 2 poolings"


def test_the_smallest_patch_that_fits_is_valid_and_one_less_is_not() -> None:
    # 8 -> 6 -> 3 -> 1: one voxel is left; with 7 the pooling leaves 2 and the last kernel needs 3.
    assert remaining_extent(Structure(patch_size=8, convolutions=2, poolings=1)) == 1
    with pytest.raises(InvalidArchitecture, match="patch 7 is too small"):
        remaining_extent(Structure(patch_size=7, convolutions=2, poolings=1))


def test_more_poolings_than_convolutions_are_refused() -> None:
    with pytest.raises(InvalidArchitecture, match="3 poolings do not fit between 2 convolutions"):
        pooling_positions(Structure(convolutions=2, poolings=3))
