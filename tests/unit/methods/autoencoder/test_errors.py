from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from hakken.core.volume import Geometry
from hakken.inference.detect import candidates_of
from hakken.methods.autoencoder import Inference
from hakken.methods.autoencoder.errors import anomaly_map, error_volume, judged_voxels
from hakken.methods.autoencoder.network import ConvAutoencoder
from hakken.networks.structure import Structure


def lively(dimensions: int = 3, patch: int = 6) -> ConvAutoencoder:
    """Return a network in evaluation mode whose normalisations are not the identity, so that a slip would show."""
    torch.manual_seed(1)
    values = {"patch_size": patch, "convolutions": 2, "poolings": 2, "base_features": 3, "dense_units": 4}
    network = ConvAutoencoder(2, dimensions, Structure(**values))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm3d):
            for weight in (layer.running_mean, layer.weight, layer.bias):
                nn.init.normal_(weight)  # type: ignore[arg-type]
            nn.init.uniform_(layer.running_var, 0.5, 2)  # type: ignore[arg-type]
    return network.eval()


def one_patch(network: ConvAutoencoder, image: torch.Tensor, voxel: tuple[int, ...]) -> np.ndarray:
    """Return the squared error (z, y, x) of the patch that holds ``voxel`` at index patch // 2."""
    edges = network.patch_shape
    padded = pad(image, [margin for edge in reversed(edges) for margin in (edge, edge)])
    low = [place - edge // 2 + edge for place, edge in zip(voxel, edges, strict=True)]
    patch = padded[(slice(None), *(slice(a, a + edge) for a, edge in zip(low, edges, strict=True)))][None]
    with torch.inference_mode():
        return ((network(patch) - patch) ** 2).mean(1)[0].numpy()


def one_patch_of(mask: np.ndarray, voxel: tuple[int, ...], edges: tuple[int, ...]) -> np.ndarray:
    """Return the patch of a mask, False beyond the image."""
    padded = np.pad(mask, [(edge, edge) for edge in edges])
    low = [place - edge // 2 + edge for place, edge in zip(voxel, edges, strict=True)]
    return padded[tuple(slice(a, a + edge) for a, edge in zip(low, edges, strict=True))]


@pytest.mark.parametrize(("dimensions", "patch"), [(3, 6), (3, 7), (2, 6)])
@pytest.mark.parametrize("stride", [1, 3])
def test_the_map_is_that_of_single_patches(dimensions: int, patch: int, stride: int) -> None:
    network = lively(dimensions, patch)
    image = torch.randn(2, 5, 8, 10)
    found = anomaly_map(network, image, stride_voxel=stride, memory_mb=64)
    assert found.step == ((1 if dimensions == 2 else stride), stride, stride)
    for index in product(*map(range, found.array.shape)):
        voxel = tuple(int(value) for value in found.to_voxel(np.array([index]))[0])
        inside = one_patch_of(np.ones((5, 8, 10), bool), voxel, network.patch_shape)
        expected = one_patch(network, image, voxel)[inside].mean() if inside.mean() >= 0.5 else 0
        assert found.array[index] == pytest.approx(expected, rel=1e-4)
    assert (found.array > 0).any()


def test_the_lattice_is_in_the_middle_of_the_image_and_reaches_both_borders_alike() -> None:
    # 10 voxels, every 3rd: 0, 3, 6, 9. 8 voxels: 7 is no multiple of 3, one voxel is left over, points at 0, 3, 6.
    found = anomaly_map(lively(), torch.zeros(2, 9, 8, 10), stride_voxel=3, memory_mb=64)
    assert found.origin == (1, 0, 0)  # 9 voxels: two are left over, one on each side
    assert found.array.shape == (3, 3, 4)


def test_a_network_that_copies_its_patch_finds_nothing_and_one_that_gives_zero_finds_the_mean_square() -> None:
    class Zero(ConvAutoencoder):
        def forward(self, patches: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(patches)

    class Copy(ConvAutoencoder):
        def forward(self, patches: torch.Tensor) -> torch.Tensor:
            return patches.clone()

    structure = Structure(patch_size=4, convolutions=2)
    image = torch.full((1, 6, 6, 6), 2.0)
    zero, copy = Zero(1, 3, structure).eval(), Copy(1, 3, structure).eval()
    assert not anomaly_map(copy, image, stride_voxel=1, memory_mb=64).array.any()
    array = anomaly_map(zero, image, stride_voxel=1, memory_mb=64).array
    assert array[3, 3, 3] == 4  # the patch lies within the image: every voxel has an error of 2 * 2
    # The patch of the corner reaches from -2 to 1: an eighth lies in the image, which is too little to judge by. That
    # of a face's middle lies in it by half, and what lies beyond the image does not count.
    assert array[0, 0, 0] == 0
    assert array[0, 3, 3] == 4
    assert error_volume(zero, image, stride_voxel=1, memory_mb=64) == pytest.approx(4)


def test_points_outside_the_mask_are_neither_looked_at_nor_scored() -> None:
    class Counting(ConvAutoencoder):
        seen = 0

        def forward(self, patches: torch.Tensor) -> torch.Tensor:
            self.seen += len(patches)
            return super().forward(patches)

    network = Counting(1, 3, Structure(patch_size=4, convolutions=2)).eval()
    image, mask = torch.randn(1, 8, 8, 8), np.zeros((8, 8, 8), np.uint8)
    mask[2:6, 2:6, 2:6] = 1
    found = anomaly_map(network, image, stride_voxel=1, memory_mb=64, mask=mask)
    # A patch reaches from -2 to 1 about its point: of four voxels along an axis 4 - |point - 4| lie in the mask.
    along = np.array([4 - abs(point - 4) if 2 <= point < 6 else 0 for point in range(8)])
    share = along[:, None, None] * along[:, None] * along / 64
    assert ((found.array > 0) == (share >= 0.5)).all()
    assert network.seen == (share >= 0.5).sum() == 22
    for voxel in np.argwhere(share >= 0.5):
        counted = one_patch_of(mask > 0, tuple(voxel), network.patch_shape)
        expected = one_patch(network, image, tuple(voxel))[counted].mean()
        assert found.array[tuple(voxel)] == pytest.approx(expected, rel=1e-4)
    empty = anomaly_map(network, image, stride_voxel=1, memory_mb=64, mask=np.zeros((8, 8, 8)))
    assert not empty.array.any()


def test_never_more_patches_at_once_than_memory_holds() -> None:
    batches: list[int] = []

    class Watched(ConvAutoencoder):
        def forward(self, patches: torch.Tensor) -> torch.Tensor:
            batches.append(len(patches))
            return super().forward(patches)

    network = Watched(1, 3, Structure(patch_size=4, convolutions=2)).eval()
    image = torch.randn(1, 5, 5, 5)
    few = anomaly_map(network, image, stride_voxel=1, memory_mb=10.5 * network.bytes_per_patch / 2**20)
    assert max(batches) == 10
    # Of the five points of an axis the patches have 2, 3, 4, 4 and 3 of 4 voxels in the image: 98 have half of all.
    assert sum(batches) == sum(a * b * c >= 32 for a, b, c in product((2, 3, 4, 4, 3), repeat=3))
    batches.clear()
    one = anomaly_map(network, image, stride_voxel=1, memory_mb=0)
    assert max(batches) == 1
    np.testing.assert_allclose(few.array, one.array, rtol=1e-4)


@pytest.mark.parametrize("channels_and_kernel", [(8, 3), (2, 5)])
def test_a_patch_takes_no_more_memory_than_its_widest_layer(channels_and_kernel: tuple[int, int]) -> None:
    base, kernel = channels_and_kernel
    structure = Structure(patch_size=12, base_features=base, kernel=kernel, convolutions=3, poolings=2)
    network = ConvAutoencoder(1, 3, structure).eval()
    widest = 0

    def watch(layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal widest
        widest = max(widest, 4 * (inputs[0].numel() + output.numel()))

    for layer in network.modules():
        if isinstance(layer, nn.Conv3d | nn.ConvTranspose3d):
            layer.register_forward_hook(watch)
    network(torch.zeros(1, 1, 12, 12, 12))
    assert widest <= network.bytes_per_patch < 100 * widest


def test_a_voxel_s_error_is_the_mean_over_the_patches_that_cover_it() -> None:
    network, image = lively(), torch.randn(2, 7, 8, 9)
    mask = np.ones((7, 8, 9), bool)
    mask[:, :3] = False
    found = error_volume(network, image, stride_voxel=2, memory_mb=64, mask=mask)
    lattice = anomaly_map(network, image, stride_voxel=2, memory_mb=64, mask=mask)
    total, count = np.zeros((7, 8, 9)), np.zeros((7, 8, 9))
    for index in np.argwhere(lattice.array > 0):
        voxel = lattice.to_voxel(index[None])[0].astype(int)
        for offset, value in np.ndenumerate(one_patch(network, image, tuple(voxel))):
            at = tuple(voxel - 3 + offset)
            if all(0 <= place < extent for place, extent in zip(at, total.shape, strict=True)):
                total[at] += value
                count[at] += 1
    expected = np.where(mask, total / np.maximum(count, 1), 0)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
    assert found.dtype == np.float32


def test_the_highest_candidate_has_the_highest_error_of_the_mask() -> None:
    network, image = lively(), torch.randn(2, 12, 12, 12) * 0.05
    image[:, 6, 6, 6] += 9
    mask = np.ones((12, 12, 12), bool)
    settings = Inference(stride_voxel=2, suppression_mm=4)
    scores = anomaly_map(network, image, stride_voxel=2, memory_mb=64, mask=mask)
    geometry = Geometry((12, 12, 12), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    found = candidates_of(scores, geometry, settings, threshold=1e-6, at_points=True)
    assert found.score[0] == pytest.approx(float(scores.array.max()))


def test_how_much_of_a_patch_must_lie_inside() -> None:
    inside = np.zeros((1, 8, 8), bool)
    inside[0, 2:6, 2:6] = True
    whole = judged_voxels(inside, (1, 4, 4), 1.0)
    assert np.argwhere(whole).tolist() == [[0, 4, 4]]  # index 4 // 2 of the one patch that fits
    assert judged_voxels(inside, (1, 4, 4), 0.75).sum() == 5  # and the four that stick out by one row of 4 of 16
    assert (judged_voxels(inside, (1, 4, 4), 0) == inside).all()


def test_an_image_as_large_as_the_patch_is_judged_as_a_whole() -> None:
    network, image = lively(2, 8), torch.randn(2, 1, 8, 8)
    found = anomaly_map(network, image, stride_voxel=1, memory_mb=64, least_inside=1)
    assert np.argwhere(found.array).tolist() == [[0, 4, 4]]
    with torch.inference_mode():
        expected = ((network(image[None]) - image) ** 2).mean()
    assert found.array[0, 4, 4] == pytest.approx(float(expected), rel=1e-5)
