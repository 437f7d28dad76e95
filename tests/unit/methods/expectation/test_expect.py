"""What is expected of a case, slice by slice, and where it shows more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from hakken.core.volume import Geometry
from hakken.methods.expectation import Inference
from hakken.methods.expectation.expect import expected_of
from hakken.methods.expectation.network import UNIT, Expectation, ExpectationUNet
from hakken.networks.structure import Structure
from hakken.training.method import Facts

PARAMETERS = Structure(poolings=1, convolutions=1, base_features=4, dropout=0.2, batch_norm=False)
GRID = Geometry((5, 10, 12), (6.0, 6.0, 6.0))
FACTS = Facts(channels=("PET", "CT"), inputs=("CT",), targets=("PET",), axes=2, seed=4)
SETTINGS = Inference(samples=3)


def half_of_it(sigma: float) -> ExpectationUNet:
    """A network that expects UNIT times what it sees, with a fixed deviation."""
    network = ExpectationUNet(1, structure=Structure(poolings=0, convolutions=1, base_features=4, dropout=0.0))

    class Copy(nn.Module):
        widths = (4,)
        structure = network.structure

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raw = torch.full_like(images, float(np.log(np.expm1((sigma - 0.0025) / UNIT))))
            return torch.cat([images, raw], 1)

    network.weight = nn.Parameter(torch.zeros(1))
    network.unet = Copy()  # type: ignore[assignment]
    return network.eval()


def test_z_is_the_distance_from_the_mean_in_deviations_inside_the_mask() -> None:
    random = np.random.default_rng(0)
    image = random.uniform(0, 1, (2, *GRID.shape_zyx)).astype(np.float16)
    mask = (random.uniform(size=GRID.shape_zyx) > 0.3).astype(np.uint8)
    found = expected_of(half_of_it(0.1), image, mask, FACTS, SETTINGS)
    assert found.mean == pytest.approx(UNIT * image[1].astype(float), abs=1e-5)  # PET stands first, CT second
    assert found.sigma == pytest.approx(0.1, abs=1e-5)
    expected = np.where(mask > 0, (image[0].astype(float) - UNIT * image[1].astype(float)) / 0.1, 0)
    assert found.z == pytest.approx(expected, abs=1e-3)


def test_the_memory_decides_how_many_slices_go_together_and_not_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = ExpectationUNet(1, structure=replace(PARAMETERS, dropout=0.0)).eval()
    image = np.random.default_rng(1).uniform(0, 1, (2, 9, 64, 64)).astype(np.float16)
    mask = np.ones((9, 64, 64), np.uint8)
    whole = expected_of(network, image, mask, FACTS, SETTINGS)
    together: list[int] = []
    expect = ExpectationUNet.expect

    def watched(self: ExpectationUNet, images: torch.Tensor, samples: int, seed: int) -> Expectation:
        together.append(len(images))
        return expect(self, images, samples, seed)

    monkeypatch.setattr(ExpectationUNet, "expect", watched)
    monkeypatch.setattr(ExpectationUNet, "bytes_per_voxel", 64 * 2**20 / (4 * 64 * 64))  # four slices in 64 MiB
    parts = expected_of(network, image, mask, FACTS, Inference(samples=3, memory_mb=64))
    assert together == [4, 4, 1]
    assert parts.z == pytest.approx(whole.z, abs=1e-4)


def test_the_same_seed_gives_the_same_candidates() -> None:
    torch.manual_seed(0)
    network = ExpectationUNet(1, structure=PARAMETERS).eval()
    image = np.random.default_rng(1).uniform(0, 1, (2, *GRID.shape_zyx)).astype(np.float16)
    mask = np.ones(GRID.shape_zyx, np.uint8)
    first, again = (expected_of(network, image, mask, FACTS, SETTINGS) for _ in range(2))
    other = expected_of(network, image, mask, replace(FACTS, seed=5), SETTINGS)
    assert np.array_equal(first.z, again.z)
    assert not np.array_equal(first.mean, other.mean)


def test_three_axes_see_the_whole_image() -> None:
    network = ExpectationUNet(1, 1, 3, PARAMETERS).eval()
    image = np.random.default_rng(1).uniform(0, 1, (2, *GRID.shape_zyx)).astype(np.float16)
    found = expected_of(network, image, np.ones(GRID.shape_zyx), FACTS, SETTINGS)
    assert found.mean.shape == GRID.shape_zyx


def test_what_is_not_finite_is_an_error() -> None:
    image = np.full((2, *GRID.shape_zyx), np.nan, np.float16)
    with pytest.raises(FloatingPointError, match="what the network expects is not finite"):
        expected_of(half_of_it(0.1), image, np.ones(GRID.shape_zyx), FACTS, SETTINGS)
