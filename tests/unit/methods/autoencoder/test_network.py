from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hakken.core.errors import InvalidArchitecture
from hakken.methods.autoencoder import Parameters
from hakken.methods.autoencoder.learn import Learner
from hakken.methods.autoencoder.network import ConvAutoencoder, code_size, level_edges
from hakken.networks.structure import Structure

PUBLISHED: dict[str, Any] = {"convolutions": 3, "poolings": 3}
SHAPES: list[dict[str, Any]] = [
    {"patch_size": 12, **PUBLISHED},
    {"patch_size": 13, "convolutions": 2, "poolings": 1, "kernel": 5, "batch_norm": False},
    {"patch_size": 5, **PUBLISHED},
    {"patch_size": 15, "convolutions": 4, "poolings": 2, "growth": 1.5},
    {"patch_size": 6, "convolutions": 2, "poolings": 1, "kernel": 1},
]


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("values", SHAPES)
def test_a_reconstruction_has_the_shape_of_its_patch(values: dict[str, Any], dimensions: int) -> None:
    network = ConvAutoencoder(2, dimensions, Structure(base_features=4, **values))
    depth = 1 if dimensions == 2 else values["patch_size"]
    assert network.patch_shape == (depth, values["patch_size"], values["patch_size"])
    assert network(torch.randn(2, 2, *network.patch_shape)).shape == (2, 2, *network.patch_shape)


@settings(max_examples=40, deadline=None)
@given(
    patch=st.integers(3, 17),
    levels=st.integers(1, 4),
    layers=st.integers(2, 4),
    kernel=st.sampled_from([1, 3, 5]),
)
def test_every_patch_that_is_not_refused_is_reconstructed(patch: int, levels: int, layers: int, kernel: int) -> None:
    structure = Structure(
        patch_size=patch, poolings=levels, convolutions=layers, kernel=kernel, base_features=2, growth=1, dense_units=3
    )
    if patch <= 2 ** (levels - 1):  # halved ``levels`` - 1 times, one voxel is left
        with pytest.raises(InvalidArchitecture):
            level_edges(structure)
    else:
        network = ConvAutoencoder(1, 2, structure).eval()
        assert network(torch.zeros(1, 1, *network.patch_shape)).shape[2:] == network.patch_shape


def test_three_levels_of_three_are_the_published_layers() -> None:
    network = ConvAutoencoder(1, structure=Structure(patch_size=16, **PUBLISHED))
    kinds = [type(layer) for layer in network.modules()]
    assert kinds.count(nn.Conv3d) == 11
    assert kinds.count(nn.ConvTranspose3d) == 6


def test_the_number_of_weights_is_that_of_the_layers() -> None:
    structure = Structure(patch_size=12, base_features=4, growth=2, dense_units=5, **PUBLISHED)
    network = ConvAutoencoder(2, structure=structure)
    encoder = (2 * 27 + 1) * 4 + 2 * (4 * 27 + 1) * 4  # two channels come in, 4 maps at the first level
    encoder += (4 * 27 + 1) * 8 + 2 * (8 * 27 + 1) * 8
    encoder += (8 * 27 + 1) * 16 + 2 * (16 * 27 + 1) * 16
    code = (16 + 1) * 5
    decoder = (5 * 27 + 1) * 16 + (16 * 27 + 1) * 16
    decoder += (16 * 27 + 1) * 8 + (8 * 27 + 1) * 8
    decoder += (8 * 27 + 1) * 4 + (4 * 27 + 1) * 4
    normalisations = 2 * (3 * (4 + 8 + 16) + 5 + 2 * (16 + 8 + 4))
    assert network.parameter_count == encoder + code + decoder + normalisations + (4 * 27 + 1) * 2


def test_the_code_is_smaller_than_the_patch() -> None:
    # 12 -> 6 -> 3 -> 2: 8 voxels of 16 maps stand for 1728 voxels.
    structure = Structure(patch_size=12, dense_units=16, **PUBLISHED)
    assert level_edges(structure) == (12, 6, 3, 2)
    assert code_size(structure) == 128
    assert code_size(structure, 2) == 64
    network = ConvAutoencoder(1, structure=structure)
    assert network.code(network.encoder(torch.zeros(1, 1, 12, 12, 12))).numel() == 128


@pytest.mark.parametrize("values", SHAPES)
def test_the_gradient_reaches_every_weight(values: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = ConvAutoencoder(2, structure=Structure(base_features=4, dropout=0, **values))
    patches = torch.randn(8, 2, *network.patch_shape)
    (network(patches) - patches).square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        if weight.ndim > 1:
            assert weight.grad.abs().max() > 1e-8, name


def test_one_batch_is_learnt_by_heart() -> None:
    torch.manual_seed(0)
    structure = Structure(patch_size=8, base_features=8, dropout=0, convolutions=2, poolings=1, dense_units=16)
    network = ConvAutoencoder(1, structure=structure)
    x, y, z = torch.meshgrid(*[torch.arange(8) / 8] * 3, indexing="ij")
    patches = torch.stack([torch.sin(n + 3 * x + n * y - 2 * z) for n in range(4)])[:, None]
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(120):
        loss = (network(patches) - patches).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.03 * patches.var()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"patch_size": 4, **PUBLISHED}, "patch 4 is too small for 3 poolings"),
        ({"poolings": 0}, "an autoencoder needs at least one pooling: without one it can copy its input"),
        ({"convolutions": 1}, "1 convolution a level leaves the decoder none: use at least 2"),
    ],
)
def test_what_describes_no_autoencoder_is_refused(values: dict[str, Any], message: str) -> None:
    for attempt in (
        lambda: ConvAutoencoder(1, structure=Structure(**values)),
        lambda: Learner.require(Parameters(**values)),
    ):
        with pytest.raises(InvalidArchitecture) as error:
            attempt()
        assert str(error.value) == message


def test_a_structure_that_no_classifier_could_have_may_be_an_autoencoder() -> None:
    Learner.require(Parameters(patch_size=5, kernel=5, **PUBLISHED))
