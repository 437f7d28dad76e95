"""What is expected of a case, slice by slice, and where it shows more."""

from __future__ import annotations

from typing import Any

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from hakken.methods.expectation.expect import expected_of, find_foci
from hakken.methods.expectation.network import UNIT, ExpectationUNet
from hakken.networks.structure import Structure
from hakken.study import Study
from hakken.core.volume import Geometry

PARAMETERS = Structure(poolings=1, convolutions=1, base_features=4, dropout=0.2, batch_norm=False)
GRID = Geometry((5, 10, 12), (6.0, 6.0, 6.0))


def a_study(**inference: Any) -> Study:
    channel = {"modality": "pet", "normalise": "window", "range": [0, 20], "target": True}
    content = {
        "name": "pet",
        "seed": 4,
        "task": "anomaly",
        "cohort": {"table": "cases.csv"},
        "channels": {"PET": channel, "CT": {"modality": "ct", "normalise": "window", "range": [-1000, 1000]}},
        "reference": "PET",
        "training": {"network": "expectation_unet"},
        "inference": {"threshold": 3.0, "samples": 3} | inference,
    }
    return Study.model_validate(content)


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
    found = expected_of(half_of_it(0.1), image, mask, a_study())
    assert found.mean == pytest.approx(UNIT * image[1].astype(float), abs=1e-5)  # PET stands first, CT second
    assert found.sigma == pytest.approx(0.1, abs=1e-5)
    expected = np.where(mask > 0, (image[0].astype(float) - UNIT * image[1].astype(float)) / 0.1, 0)
    assert found.z == pytest.approx(expected, abs=1e-3)


def test_a_hot_spot_is_found_where_it_is_hottest() -> None:
    image = np.zeros((2, *GRID.shape_zyx), np.float16)
    image[0, 2, 4:6, 5] = 0.4, 0.5
    image[0, 4, 9, 0] = 0.9  # outside the mask
    mask = np.ones(GRID.shape_zyx, np.uint8)
    mask[4] = 0
    found = find_foci(half_of_it(0.1), image, mask, GRID, a_study())
    assert found.score.tolist() == pytest.approx([5.0], abs=0.01)
    assert found.voxel.tolist() == [[2, 5, 5]]
    assert found.volume_mm3.tolist() == [2 * 216]
    assert len(find_foci(half_of_it(0.1), image, mask, GRID, a_study(threshold=5.5))) == 0


def test_the_memory_decides_how_many_slices_go_together_and_not_the_result() -> None:
    torch.manual_seed(0)
    network = ExpectationUNet(1, structure=replace(PARAMETERS, dropout=0.0)).eval()
    image = np.random.default_rng(1).uniform(0, 1, (2, 9, 64, 64)).astype(np.float16)
    mask = np.ones((9, 64, 64), np.uint8)
    whole = expected_of(network, image, mask, a_study())
    study = a_study()
    few = study.model_copy(update={"inference": study.inference.model_copy(update={"memory_mb": 1})})
    parts = expected_of(network, image, mask, few)
    assert parts.z == pytest.approx(whole.z, abs=1e-4)


def test_the_same_seed_gives_the_same_candidates() -> None:
    torch.manual_seed(0)
    network = ExpectationUNet(1, structure=PARAMETERS).eval()
    image = np.random.default_rng(1).uniform(0, 1, (2, *GRID.shape_zyx)).astype(np.float16)
    mask = np.ones(GRID.shape_zyx, np.uint8)
    first, again = (expected_of(network, image, mask, a_study(), 7) for _ in range(2))
    other = expected_of(network, image, mask, a_study(), 8)
    assert np.array_equal(first.z, again.z)
    assert not np.array_equal(first.mean, other.mean)


def test_three_axes_see_the_whole_image() -> None:
    network = ExpectationUNet(1, 1, 3, PARAMETERS).eval()
    image = np.random.default_rng(1).uniform(0, 1, (2, *GRID.shape_zyx)).astype(np.float16)
    found = expected_of(network, image, np.ones(GRID.shape_zyx), a_study())
    assert found.mean.shape == GRID.shape_zyx


def test_what_is_not_finite_is_an_error() -> None:
    image = np.full((2, *GRID.shape_zyx), np.nan, np.float16)
    with pytest.raises(FloatingPointError, match="what the network expects is not finite"):
        expected_of(half_of_it(0.1), image, np.ones(GRID.shape_zyx), a_study())
