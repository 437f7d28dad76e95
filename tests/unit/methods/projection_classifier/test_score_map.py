from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hakken.inference.dense import MIB, score_map
from hakken.inference.maps import ScoreMap, at_lattice
from hakken.methods.projection_classifier import score_map as module
from hakken.methods.projection_classifier.network import DIRECTIONS, ProjectionClassifier, project
from hakken.methods.projection_classifier.score_map import Cubes, projected, projection_score_map, tables_of

from ...inference.helpers import lively_network, patch_by_patch

PATCH = 8


def lively(channels: int = 2, classes: int = 2, **values: Any) -> ProjectionClassifier:
    """A network in evaluation mode whose normalisations are not the identity."""
    classifier = lively_network(2, 9 * channels, classes, **{"patch_size": PATCH, "convolutions": 2, **values})
    network = ProjectionClassifier(channels, classifier.structure, classes)
    network.classifier.load_state_dict(classifier.state_dict())
    return network.eval()


def volume(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cut_then_project(image: torch.Tensor, voxels: NDArray[np.int64], edge: int) -> torch.Tensor:
    """The projections of the cubes around voxels (n, 3), each cut out of the image with zeros beyond it."""
    padded = torch.nn.functional.pad(image, [edge] * 6)
    starts = voxels - edge // 2 + edge
    return project(torch.stack([padded[:, z : z + edge, y : y + edge, x : x + edge] for z, y, x in starts]))


def peak(work: Any) -> int:
    """The most bytes that PyTorch holds at once while ``work`` runs, of what it allocates in it."""
    with torch.profiler.profile(profile_memory=True) as profile:
        work()
    sizes = [event.nbytes() for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]  # type: ignore[union-attr]
    return max(itertools.accumulate(sizes))


@given(
    cubes=st.builds(Cubes, st.integers(1, 11), st.integers(1, 4), st.integers(1, 2)),
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    density=st.sampled_from([0.05, 0.5, 1.0]),
    limit=st.sampled_from([1.0, 3e4, 1e6, 1e9]),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_projections_are_those_of_the_cubes(
    cubes: Cubes, shape: tuple[int, int, int], density: float, limit: float, seed: int
) -> None:
    edge, stride, channels = cubes.edge, cubes.stride_voxel, cubes.channels
    image = volume(channels, *shape, seed=seed)
    origin = (0, (shape[1] - 1) % stride, (shape[2] - 1) % stride // 2)
    inside = at_lattice(np.random.default_rng(seed).random(shape) < density, origin, cubes.step)
    seen = np.zeros(inside.shape, int)
    for points, images in projected(image, cubes, origin, inside, limit=limit):
        assert images.shape == (len(points), 9 * channels, edge, edge)
        assert torch.equal(images, cut_then_project(image, points * stride + origin, edge))
        np.add.at(seen, tuple(points.T), 1)
    np.testing.assert_array_equal(seen, inside)


def test_a_table_by_hand() -> None:
    # One row of three lattice points on a block (1, 2, 2, 4) of 0 ... 15, edge 2: voxel (z, y, x) is 8 z + 4 y + x.
    # Along z the maxima are those at z = 1: 8 + 4 y + x, and the three images are its columns (0, 1), (1, 2), (2, 3).
    block = torch.arange(16.0).reshape(1, 2, 2, 4)
    tables = tables_of(block, Cubes(2, 1, 1), (1, 1, 3))
    assert len(tables) == len(DIRECTIONS)
    assert tables[0].values.tolist() == [[[[8, 9, 10, 11], [12, 13, 14, 15]]]]
    images = torch.empty(2, 1, 2, 2)
    tables[0].cut(torch.tensor([[0, 0, 0], [0, 0, 2]]), images)
    assert images[:, 0].tolist() == [[[8, 9], [12, 13]], [[10, 11], [14, 15]]]
    # z-x of the last cube: x + z of the cube is 1 or 2; y = 0: max(3, 8 + 2) = 10 and 8 + 3 = 11; y = 1: 14 and 15.
    tables[DIRECTIONS.index("z-x")].cut(torch.tensor([[0, 0, 2], [0, 0, 0]]), images)
    assert images[:, 0].tolist() == [[[10, 11], [14, 15]], [[8, 9], [12, 13]]]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(
    "values",
    [
        {"patch_size": 8, "poolings": 1},
        {"patch_size": 10, "poolings": 2},
        {"patch_size": 7, "poolings": 0, "batch_norm": False},
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_equal_to_patch_by_patch(values: dict[str, int], stride: int, channels: int) -> None:
    network = lively(channels, **values)
    image = volume(channels, 5, 9, 6)
    found = projection_score_map(network, image, stride_voxel=stride, memory_mb=1000)
    expected = patch_by_patch(network, image, found)  # type: ignore[arg-type]
    assert found.array.dtype == np.float32
    assert expected.std() > 1e-4
    np.testing.assert_allclose(found.array, expected, atol=1e-5)


def test_more_classes_are_one_lesion_score() -> None:
    network, image = lively(1, classes=3, dense_layers=0), volume(1, 4, 5, 6)
    found = projection_score_map(network, image, stride_voxel=2, memory_mb=1000)
    np.testing.assert_allclose(found.array, patch_by_patch(network, image, found), atol=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize("stride", [1, 2, 4, 5])
def test_the_lattice_is_that_of_the_dense_score_map(stride: int) -> None:
    image = volume(2, 9, 10, 11)
    found = projection_score_map(lively(), image, stride_voxel=stride, memory_mb=1000)
    dense = score_map(lively_network(patch_size=PATCH, convolutions=2), image, stride_voxel=stride, memory_mb=1000)
    assert (found.origin, found.step, found.array.shape) == (dense.origin, dense.step, dense.array.shape)


def test_outside_the_mask_nothing_is_evaluated_and_inside_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network, image = lively(), volume(2, 12, 13, 14)
    mask = (np.random.default_rng(0).random((12, 13, 14)) < 0.1).astype(np.uint8)
    free = projection_score_map(network, image, stride_voxel=2, memory_mb=1000)
    inside = at_lattice(mask, free.origin, free.step)
    evaluated: list[int] = []
    original = module.projected

    def watched(*arguments: Any, **options: Any) -> Any:
        for points, images in original(*arguments, **options):
            evaluated.append(len(points))
            yield points, images

    monkeypatch.setattr(module, "projected", watched)
    masked = projection_score_map(network, image, stride_voxel=2, memory_mb=1000, mask=mask)
    assert sum(evaluated) == inside.sum() > 0
    np.testing.assert_array_equal(masked.array[~inside], 0)
    np.testing.assert_allclose(masked.array[inside], free.array[inside], atol=1e-6)
    evaluated.clear()
    empty = projection_score_map(network, image, stride_voxel=2, memory_mb=1000, mask=np.zeros_like(mask))
    assert not empty.array.any()
    assert evaluated == []


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("memory_mb", [1.0, 4.0])
def test_the_memory_stays_below_the_cap_and_the_map_is_the_same(memory_mb: float, stride: int) -> None:
    network, image = lively(), volume(2, 20, 26, 24)
    maps: list[ScoreMap] = []

    def capped() -> None:
        maps.append(projection_score_map(network, image, stride_voxel=stride, memory_mb=memory_mb))

    assert 0.1 * memory_mb * MIB < peak(capped) < memory_mb * MIB
    whole = projection_score_map(network, image, stride_voxel=stride, memory_mb=1000)
    np.testing.assert_allclose(maps[0].array, whole.array, atol=1e-6)


@pytest.mark.parametrize("edge", [7, 16])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_estimate_covers_the_tables(edge: int, stride: int) -> None:
    cubes, points = Cubes(edge, stride, 2), (12, 20, 16)
    block = volume(2, *cubes.input_shape(points))
    assert 0.5 * cubes.bytes(points) < peak(lambda: tables_of(block, cubes, points)) < cubes.bytes(points)


def test_a_cap_below_one_point_still_gives_the_map() -> None:
    network, image = lively(), volume(2, 3, 3, 3)
    found = projection_score_map(network, image, stride_voxel=1, memory_mb=1e-9)
    np.testing.assert_allclose(found.array, patch_by_patch(network, image, found), atol=1e-5)  # type: ignore[arg-type]


def test_many_passes_over_one_block_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network, image = lively(), volume(2, 7, 8, 9)
    whole = projection_score_map(network, image, stride_voxel=1, memory_mb=1000)
    monkeypatch.setattr(module, "MOST_POINTS", 5)
    parts = projection_score_map(network, image, stride_voxel=1, memory_mb=1000)
    np.testing.assert_allclose(parts.array, whole.array, atol=1e-6)


def test_an_image_of_another_number_type_is_read_as_float32() -> None:
    network, image = lively(), volume(2, 6, 6, 6).half()
    found = projection_score_map(network, image, stride_voxel=2, memory_mb=1000)
    again = projection_score_map(network, image.float(), stride_voxel=2, memory_mb=1000)
    np.testing.assert_array_equal(found.array, again.array)


def test_low_precision_is_near_to_full_precision_and_not_the_same() -> None:
    network, image = lively(), volume(2, 8, 8, 8)
    full = projection_score_map(network, image, stride_voxel=2, memory_mb=1000).array
    low = projection_score_map(network, image, stride_voxel=2, memory_mb=1000, precision=torch.bfloat16).array
    assert low.dtype == np.float32
    assert 0 < np.abs(low - full).max() < 0.05


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_map() -> None:
    network, image = lively(), volume(2, 12, 14, 13)
    expected = projection_score_map(network, image, stride_voxel=2, memory_mb=1000)
    found = projection_score_map(network.cuda(), image, stride_voxel=2, memory_mb=1000)
    np.testing.assert_allclose(found.array, expected.array, atol=1e-5)


def test_the_network_is_left_as_it_is() -> None:
    network = lively()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    projection_score_map(network, volume(2, 6, 6, 6), stride_voxel=1, memory_mb=1000)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert math.isfinite(network(volume(1, 2, PATCH, PATCH, PATCH)).sum().item())


def test_an_image_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="channels") as error:
        projection_score_map(lively(), volume(1, 6, 6, 6), stride_voxel=1, memory_mb=1000)
    assert str(error.value) == "image with 1 channels: this network takes 2"
