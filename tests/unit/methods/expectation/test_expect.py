"""What is expected of a case, slice by slice, and where it shows more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from hakken.core.volume import Geometry
from hakken.methods.expectation import Inference
from hakken.methods.expectation.expect import excess_of, expected_of, framed
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


def test_what_is_smaller_than_a_patch_is_seen_in_an_empty_frame_as_large_as_one() -> None:
    """Maps are normalised over all that is seen: without the frame the same body would be expected to differ."""
    torch.manual_seed(0)
    structure = replace(PARAMETERS, dropout=0.0, batch_norm=True, patch_size=24)
    network = ExpectationUNet(1, structure=structure).eval()
    image = np.random.default_rng(1).uniform(0, 1, (2, *GRID.shape_zyx)).astype(np.float16)  # slices of 10 x 12
    framing = Inference(samples=3, frame=True)
    found = expected_of(network, image, np.ones(GRID.shape_zyx), FACTS, framing)
    patches = np.zeros((5, 1, 24, 24), np.float32)
    patches[:, 0, 7:17, 6:18] = image[1]
    with torch.inference_mode():
        of_patches = network(torch.from_numpy(patches)).mean[:, 0, 7:17, 6:18].numpy()
        alone = network(torch.from_numpy(image[1][:, None].astype(np.float32))).mean[:, 0].numpy()
    assert found.mean == pytest.approx(of_patches, abs=1e-6)
    assert np.abs(alone - of_patches).max() > 0.01
    without = expected_of(network, image, np.ones(GRID.shape_zyx), FACTS, SETTINGS)
    larger = expected_of(
        _with(network, replace(structure, patch_size=8)), image, np.ones(GRID.shape_zyx), FACTS, framing
    )
    for one in (without, larger):  # what is larger than a patch has no frame
        assert one.mean == pytest.approx(alone, abs=1e-6)


def _with(network: ExpectationUNet, structure: Structure) -> ExpectationUNet:
    """Return a network of the same weights that has learnt from patches of another size."""
    other = ExpectationUNet(1, structure=structure).eval()
    other.load_state_dict(network.state_dict())
    return other


def test_the_frame_of_three_axes_is_a_cube_and_leaves_longer_axes() -> None:
    framed_image, own = framed(torch.ones(2, 3, 20, 6), 3, 8)
    assert framed_image.shape == (2, 8, 20, 8)
    assert [(part.start, part.stop) for part in own] == [(2, 5), (0, 20), (1, 7)]
    assert framed_image[(slice(None), *own)].min() == 1
    assert framed_image.sum() == 2 * 3 * 20 * 6


def test_a_tolerance_takes_away_what_is_small_in_uptake_and_leaves_what_is_large() -> None:
    """Both lie 4 deviations above; of 0.01 beside a tolerance of 0.04 little is left, of 0.3 nearly all."""
    z, sigma = np.full(2, 4, np.float32), np.array([0.01, 0.3], np.float32)
    assert excess_of(z, sigma, 0.0).tolist() == [4, 4]
    assert excess_of(z, sigma, 0.04).tolist() == pytest.approx([4 / np.sqrt(17), 4 / np.sqrt(1 + (4 / 30) ** 2)])


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
