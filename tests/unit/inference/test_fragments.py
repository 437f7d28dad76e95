from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import max_pool3d

from hakken.inference.fragments import DenseNetwork, FragmentPool

from .helpers import lively_network


def test_fragments_are_the_shifted_poolings() -> None:
    image = torch.randn(1, 2, 5, 6, 7)
    fragments = FragmentPool((2, 2, 2))(image)
    assert fragments.shape == (8, 2, 2, 2, 3)
    shifts = [(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)]
    for fragment, (z, y, x) in zip(fragments, shifts, strict=True):
        pooled = max_pool3d(image[:, :, z:, y:, x:], 2)[0, :, :2, :2, :3]
        torch.testing.assert_close(fragment, pooled, rtol=0, atol=0)


def test_a_flat_pooling_has_four_fragments() -> None:
    assert FragmentPool((1, 2, 2))(torch.randn(3, 1, 1, 7, 9)).shape == (12, 1, 1, 3, 4)


def test_poolings_are_fragmented_only_where_points_would_be_lost() -> None:
    network = lively_network(patch_size=22, convolutions=3, poolings=2)
    kinds = {
        stride: [isinstance(layer, FragmentPool) for layer in DenseNetwork.of(network, stride).layers if _pools(layer)]
        for stride in (1, 2, 3, 4, 8)
    }
    assert kinds == {1: [True, True], 2: [False, True], 3: [True, True], 4: [False, False], 8: [False, False]}


def test_a_coarse_lattice_strides_in_the_head_and_needs_just_its_voxels() -> None:
    dense = DenseNetwork.of(lively_network(patch_size=10, convolutions=2, poolings=1), 6)
    assert dense.input_shape((1, 1, 1)) == (10, 10, 10)
    assert dense.input_shape((4, 1, 2)) == (28, 10, 16)
    assert dense.logits(torch.randn(2, 28, 10, 16), (4, 1, 2)).shape == (2, 4, 1, 2)


def test_the_network_itself_is_left_as_it_is() -> None:
    network = lively_network(patch_size=10, convolutions=2, poolings=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    DenseNetwork.of(network, 4).logits(torch.randn(2, 14, 14, 14), (2, 2, 2))
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert network(torch.zeros(1, 2, 14, 14, 14)).shape[2:] == (3, 3, 3)


def _pools(layer: torch.nn.Module) -> bool:
    return isinstance(layer, FragmentPool | torch.nn.MaxPool3d)
