"""Masks of whole cases: in runs, through windows, and by a threshold on a colour."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

from hakken.core.errors import HakkenError
from hakken.imaging.prepared import PreparedCase, save_prepared
from hakken.baselines.colour_threshold import choose_threshold, features_of
from hakken.methods.unet.latency import latency_seconds
from hakken.outcomes.masks import mask_of, mask_table, runs_of
from hakken.methods.unet.segment import probabilities, segment_prepared, window_of
from hakken.networks.unet import Size, UNet
from hakken.networks.structure import Structure
from hakken.core.volume import Geometry

SMALL = Structure(poolings=2, convolutions=1, base_features=4, growth=1, dropout=0)


def case_of(
    folder: Path, name: str, image: np.ndarray, labels: np.ndarray, mask: np.ndarray | None = None
) -> PreparedCase:
    geometry = Geometry((int(labels.shape[0]), int(labels.shape[1]), int(labels.shape[2])))
    channels = ("red", "green", "blue")[: len(image)]
    case = PreparedCase(name, name, {}, channels, geometry, geometry, {}, name, has_truth=True)
    inside = np.ones(labels.shape, np.uint8) if mask is None else mask
    return save_prepared(folder, case, image, inside, labels)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(bool, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_runs_give_the_mask_back(mask: np.ndarray) -> None:
    runs = runs_of(mask)
    assert np.array_equal(mask_of(runs, mask.shape), mask)
    assert runs[:, 1].sum() == mask.sum()
    assert (runs[1:, 0] > runs[:-1].sum(1)).all()  # runs that touch are one


def test_a_run_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="a run of 3 voxels from 10 on does not fit into"):
        mask_of(np.array([[10, 3]]), (1, 3, 4))


def test_an_empty_mask_has_a_line_in_the_table() -> None:
    some = np.zeros((1, 2, 3), bool)
    some[0, 1, 1:] = True
    table = mask_table({"a": {Size(3): some, Size(2, 0.5): ~some & some}})
    assert table == "case_id,levels,features,start,length\na,3,1,4,2\na,2,0.5,0,0\n"


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
    found = segment_prepared(network, case, Inference(threshold=level), Size(2))
    assert np.array_equal(found, (chances >= level) & (inside > 0))
    assert 0 < found.sum() < inside.sum()


def test_the_best_threshold_of_all_is_found(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    cases = []
    for number in range(4):
        labels = np.zeros((1, 20, 20), np.int16)
        labels[0, 4 + number : 9 + number, 5:12] = 1
        total = random.uniform(0.5, 2, labels.shape)  # brightness tells nothing, the share of green everything
        green = np.where(labels > 0, 0.2, 0.5) + random.uniform(-0.05, 0.05, labels.shape)
        red = random.uniform(0.3, 0.7, labels.shape) * (1 - green)
        image = np.stack([red, green, 1 - green - red]) * total
        cases.append(case_of(tmp_path, f"c{number}", image, labels))
    rule = choose_threshold(cases)
    assert (rule.feature, rule.above) == ("share of green", False)
    assert rule.dice > 0.95
    assert 0.24 < rule.level < 0.46
    overlap = [2 * (rule.mask(case) & (case.labels() > 0)).sum() / (rule.mask(case).sum() + 35) for case in cases]
    assert np.mean(overlap) == pytest.approx(rule.dice)
    assert rule.words.startswith("share of green <= 0.")


def test_shares_are_those_of_the_intensities_as_they_were(tmp_path: Path) -> None:
    raw = np.random.default_rng(0).uniform(10, 200, (3, 1, 8, 8))
    labels = np.zeros((1, 8, 8), np.int16)
    case = case_of(tmp_path, "a", (raw - 100) / 40, labels)
    records = {name: {"zero": 100.0, "one": 140.0} for name in case.channels}
    shares = features_of(replace(case, normalisation=records))["share of blue"]
    assert np.abs(shares - raw[2] / raw.sum(0)).max() < 1e-3


def test_one_channel_has_one_feature(tmp_path: Path) -> None:
    case = case_of(tmp_path, "a", np.ones((1, 1, 4, 4)), np.zeros((1, 4, 4), np.int16))
    assert list(features_of(case)) == ["red"]
    with pytest.raises(HakkenError, match="no case has a lesion, so there is no threshold to choose"):
        choose_threshold([case])


def test_latency_is_a_time() -> None:
    network = UNet(1, 1, 2, SMALL).eval()
    assert 0 < latency_seconds(network, (1, 1, 8, 8), 3) < 5
