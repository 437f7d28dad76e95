from __future__ import annotations

import numpy as np
import pytest
import torch

from hakken.inference import dense as module
from hakken.inference.dense import MIB, Box, boxes, score_map
from hakken.inference.fragments import DenseNetwork

from .helpers import lively_network, patch_by_patch


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("poolings", [0, 1, 2])
def test_equal_to_patch_by_patch(poolings: int, stride: int) -> None:
    network = lively_network(patch_size=18, convolutions=3, poolings=poolings)
    image = torch.randn(2, 7, 10, 9, generator=torch.Generator().manual_seed(0))
    found = score_map(network, image, stride_voxel=stride, memory_mb=1000)
    expected = patch_by_patch(network, image, found)
    assert expected.std() > 1e-4
    np.testing.assert_allclose(found.array, expected, atol=1e-5)


@pytest.mark.parametrize("values", [{"patch_size": 11, "dense_layers": 0}, {"patch_size": 12, "batch_norm": False}])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_equal_for_other_structures_and_one_slice(values: dict[str, int], dimensions: int) -> None:
    network = lively_network(dimensions, classes=3, convolutions=2, poolings=1, **values)
    shape = (1, 13, 11) if dimensions == 2 else (6, 7, 8)
    image = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    found = score_map(network, image, stride_voxel=3, memory_mb=1000)
    assert found.step == ((1, 3, 3) if dimensions == 2 else (3, 3, 3))
    np.testing.assert_allclose(found.array, patch_by_patch(network, image, found), atol=1e-5)


def test_the_points_lie_in_the_middle_of_the_image() -> None:
    found = score_map(
        lively_network(patch_size=9, convolutions=2), torch.zeros(2, 9, 10, 11), stride_voxel=4, memory_mb=9
    )
    assert (found.origin, found.array.shape) == ((0, 0, 1), (3, 3, 3))
    np.testing.assert_array_equal(found.to_voxel(np.array([[0, 1, 2.5]])), [[0, 4, 11]])


def test_a_small_cap_gives_the_same_map_in_smaller_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    network = lively_network(patch_size=10, convolutions=2, poolings=1)
    image = torch.randn(2, 20, 24, 22, generator=torch.Generator().manual_seed(0))
    largest: list[float] = []
    logits = DenseNetwork.logits

    def watched(self: DenseNetwork, block: torch.Tensor, points: tuple[int, int, int]) -> torch.Tensor:
        largest.append(self.bytes(points))
        return logits(self, block, points)

    monkeypatch.setattr(DenseNetwork, "logits", watched)
    whole = score_map(network, image, stride_voxel=1, memory_mb=1000)
    assert len(largest) == 1
    assert largest[0] > 0.5 * MIB
    largest.clear()
    parts = score_map(network, image, stride_voxel=1, memory_mb=0.5)
    assert len(largest) > 4
    assert max(largest) <= 0.5 * MIB
    np.testing.assert_allclose(parts.array, whole.array, atol=1e-6)


def test_the_estimate_covers_what_torch_allocates() -> None:
    network = lively_network(patch_size=12, convolutions=3, poolings=1, base_features=16)
    dense = DenseNetwork.of(network, 1)
    points = (12, 12, 12)
    block = torch.randn(2, *dense.input_shape(points))
    with torch.profiler.profile(profile_memory=True) as profile, torch.inference_mode():
        dense.logits(block, points)
    held = peak = 0
    for event in profile.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    assert 0.2 * dense.bytes(points) < peak < dense.bytes(points)


def test_outside_the_mask_scores_are_zero_and_inside_they_are_the_same() -> None:
    network = lively_network(patch_size=10, convolutions=2)
    image = torch.randn(2, 16, 18, 20, generator=torch.Generator().manual_seed(0))
    mask = np.zeros((16, 18, 20), np.uint8)
    mask[3:9, 10:14, 2:12] = 1
    free = score_map(network, image, stride_voxel=2, memory_mb=1000)
    masked = score_map(network, image, stride_voxel=2, memory_mb=1000, mask=mask)
    inside = module.at_lattice(mask, free.origin, free.step)
    np.testing.assert_array_equal(masked.array[~inside], 0)
    np.testing.assert_allclose(masked.array[inside], free.array[inside], atol=1e-6)
    empty = score_map(network, image, stride_voxel=2, memory_mb=1000, mask=np.zeros_like(mask))
    assert not empty.array.any()


def test_boxes_cover_every_point_once_and_skip_empty_corners() -> None:
    inside = np.random.default_rng(0).random((9, 8, 12)) < 0.02
    inside[0, 0, 0] = inside[8, 7, 11] = True
    dense = DenseNetwork.of(lively_network(patch_size=10, convolutions=2), 2)
    covered = np.zeros(inside.shape, int)
    for box in boxes(Box((0, 0, 0), (9, 8, 12)), inside, dense, limit=2e5):
        covered[box.slices] += 1
    assert covered.max() == 1
    assert (covered[inside] == 1).all()
    assert (covered == 0).any()


def test_a_cap_below_one_point_still_gives_the_map() -> None:
    network = lively_network(patch_size=8, convolutions=2, poolings=0)
    image = torch.randn(2, 3, 3, 3)
    found = score_map(network, image, stride_voxel=1, memory_mb=1e-9)
    np.testing.assert_allclose(found.array, patch_by_patch(network, image, found), atol=1e-5)
