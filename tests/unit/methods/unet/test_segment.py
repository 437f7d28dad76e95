"""Masks of whole cases: through windows, at a threshold, in the case's mask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.methods.unet import Inference
from hakken.methods.unet.latency import latency_seconds
from hakken.methods.unet.segment import mask_of, probabilities, window_of
from hakken.methods.unet.sizes import Size
from hakken.networks.structure import Structure
from hakken.networks.unet import UNet

from ...baselines.helpers import case_of

SMALL = Structure(poolings=2, convolutions=1, base_features=4, growth=1, dropout=0)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_windows_give_what_the_whole_image_gives(dimensions: int) -> None:
    """A network that sees one voxel at a time: windows and their blending change nothing."""
    torch.manual_seed(1)
    network = UNet(2, 1, dimensions, replace(SMALL, kernel=1, batch_norm=False)).eval()
    image = torch.randn(2, 3 if dimensions == 2 else 40, 70, 90)
    whole = probabilities(network, image, Size(1), 1e6)
    parts = probabilities(network, image, Size(1), 0.3)
    assert window_of(network, tuple(image.shape[1:]), Size(1), 0.3) != tuple(image.shape[1:])
    assert whole.shape == image.shape[1:]
    assert np.abs(whole - parts).max() < 1e-5


def test_a_window_is_halved_until_it_fits_and_never_below_the_least() -> None:
    flat, solid = UNet(1, 1, 2, SMALL), UNet(1, 1, 3, SMALL)
    assert window_of(flat, (10, 200, 300), Size(3), 1e6) == (10, 200, 300)
    assert window_of(flat, (10, 200, 300), Size(3), 20) == (3, 200, 300)  # slices go first
    assert window_of(flat, (10, 200, 300), Size(3), 1e-3) == (1, 32, 32)
    assert window_of(solid, (20, 64, 64), Size(3), 1e-3) == (20, 32, 32)


def test_a_mask_lies_in_the_case_s_mask_and_at_or_above_the_threshold(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = UNet(1, 1, 2, SMALL).eval()
    inside = np.zeros((1, 12, 16), np.uint8)
    inside[:, 2:9, 3:14] = 1
    image = np.random.default_rng(0).normal(size=(1, 1, 12, 16))
    case = case_of(tmp_path, "a", image, np.zeros((1, 12, 16), np.int16), inside)
    chances = probabilities(network, torch.from_numpy(np.array(case.image())), Size(2), 100)
    level = float(np.median(chances[inside > 0]))
    found = mask_of(chances, case, Inference(threshold=level))
    assert np.array_equal(found, (chances >= level) & (inside > 0))
    assert 0 < found.sum() < inside.sum()


def test_latency_is_a_time() -> None:
    network = UNet(1, 1, 2, SMALL).eval()
    assert 0 < latency_seconds(network, (1, 1, 8, 8), 3) < 60
