"""Learning what to expect: the loss over the body, the components of z, and what a study must name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import PreparedCase, save_prepared
from hakken.methods.expectation.learn import Learner
from hakken.methods.expectation.network import UNIT, Expectation, ExpectationUNet
from hakken.patches.loader import Batch
from hakken.runs.layout_pool import made_up_patches
from hakken.runs.learner import learner_of
from hakken.study import Study
from hakken.training.method import Data
from hakken.training.players import Model

from ..helpers import prepare_case, study

CT = {"modality": "ct", "normalise": "window", "range": [-1000, 1000]}
TARGET = {"modality": "pet", "normalise": "window", "range": [0, 20], "target": True}


def expectation(**changes: Any) -> Study:
    """The miniature study with slices of channel A from which B is predicted; ``changes`` replace whole sections."""
    content: dict[str, Any] = {
        "method": "expectation",
        "channels": {"A": CT, "B": TARGET},
        "patches": {"axes": 2},
        "inference": {"threshold": 3.0, "samples": 2},
        "figures": ["froc"],
    }
    return study(**(content | changes))


def learner(**changes: Any) -> Learner:
    found = learner_of(expectation(**changes))
    assert isinstance(found, Learner)
    return found


class Fixed(nn.Module):
    """Expects 0.5 with a deviation of 0.25, everywhere."""

    def forward(self, images: torch.Tensor) -> Expectation:
        return Expectation(torch.full_like(images, 0.5), torch.full_like(images, 0.25))


class Nothing(ExpectationUNet):
    """Expects 0 with a deviation of 0.1, everywhere."""

    def expect(self, images: torch.Tensor, samples: int = 1, seed: int = 0) -> Expectation:
        return Expectation(torch.zeros_like(images), torch.full_like(images, 0.1))


def loss_of(maps: torch.Tensor | None) -> float:
    batch = Batch(torch.zeros(1, 1, 2, 2), torch.zeros(1, dtype=torch.int64), np.arange(1), maps)
    return learner().loss("network", {"network": Fixed()}, batch, torch.Generator()).value.item()


def test_the_loss_is_the_mean_over_the_body() -> None:
    maps = torch.tensor([[[[0.5, 1.0], [0.0, 0.0]]]])  # two voxels of the body, z of 0 and 2
    assert loss_of(maps) == pytest.approx(math.log(0.25) + 1 + 0.5 * math.log(2 * math.pi), rel=1e-5)


def test_the_study_names_the_beta_of_the_loss() -> None:
    maps = torch.tensor([[[[0.5, 1.0], [0.0, 0.0]]]])
    batch = Batch(torch.zeros(1, 1, 2, 2), torch.zeros(1, dtype=torch.int64), np.arange(1), maps)
    parameters = {"patch_size": 9, "poolings": 1, "base_features": 4, "convolutions": 2, "beta": 0.5}
    loss = learner(parameters=parameters).loss("network", {"network": Fixed()}, batch, torch.Generator()).value.item()
    assert loss == pytest.approx(0.25 / UNIT * loss_of(maps), rel=1e-5)


def test_the_study_names_further_windows_of_what_is_seen_first() -> None:
    parameters = {"patch_size": 9, "poolings": 1, "base_features": 4, "convolutions": 2}
    network = learner(parameters=parameters | {"windows": [[0.425, 0.625]]}).networks()["network"]
    assert isinstance(network, ExpectationUNet)
    assert (network.windows, network.unet.channels) == (((0.425, 0.625),), 2)
    with pytest.raises(HakkenError, match=r"\[0\.7, 0\.6\] is no window; give \[low, high\] with 0 <= low < high <= 1"):
        learner(parameters=parameters | {"windows": [[0.7, 0.6]]})
    with pytest.raises(HakkenError) as caught:
        learner(parameters=parameters | {"windows": [[0.6, 0.7]]}, channels={"A": {"modality": "ct"}, "B": TARGET})
    assert (
        "parameters.windows: are shares of the window of the channel A, which has none with `normalise: zscore`; use "
        "`window` or `percentile` there, or leave them out"
    ) in str(caught.value)


def test_patches_without_a_target_are_refused() -> None:
    with pytest.raises(HakkenError, match="the patches hold no target channel; give one channel of the study `target"):
        loss_of(None)


def test_its_network_sees_the_channels_that_are_no_target_and_patches_without_lesions(tmp_path: Path) -> None:
    network = learner().networks()["network"]
    assert isinstance(network, ExpectationUNet)
    assert (network.unet.channels, network.targets, network.dimensions) == (1, 1, 2)
    made_up_patches(expectation(), tmp_path)
    (player,) = learner().players({"network": network}, Data(patches=tmp_path), 1, torch.device("cpu"))
    batch = next(player.source.iterate(0, workers=0, stride=1))
    assert (batch.images.shape[1:], batch.maps.shape[1:]) == ((1, 9, 9), (1, 9, 9))
    assert not batch.targets.any()


def test_a_hot_spot_is_found_where_it_is_hottest(tmp_path: Path) -> None:
    grid = Geometry((5, 10, 12), (6.0, 6.0, 6.0))
    image, mask = np.zeros((2, *grid.shape_zyx)), np.ones(grid.shape_zyx, np.uint8)
    image[1, 2, 4:6, 5] = 0.4, 0.5
    image[1, 4, 9, 0] = 0.9  # outside the mask
    mask[4] = 0
    case = PreparedCase("a", "a", ("A", "B"), grid, grid, {}, "a", has_truth=False)
    case = save_prepared(tmp_path, case, image, mask, None)
    found = learner().predict(Model({"network": Nothing(1)}), case, ("candidates",))
    assert found["candidates"].score.tolist() == pytest.approx([5.0], abs=0.01)
    assert found["candidates"].voxel.tolist() == [[2, 5, 5]]
    assert found["candidates"].size.tolist() == [2 * 216]
    assert found["case_scores"] == found["candidates"].score[0]
    assert found["expectations"].shape == (2, *grid.shape_zyx)
    tolerant = learner(inference={"threshold": 3.0, "samples": 2, "tolerance": 0.1})
    less = tolerant.predict(Model({"network": Nothing(1)}), case, ("candidates",))
    assert less["candidates"].score.tolist() == pytest.approx([5 / math.sqrt(2)], abs=0.01)
    assert less["candidates"].size.tolist() == [216], "of the second voxel 4 / sqrt(2) is left"
    assert np.array_equal(less["expectations"], found["expectations"]), "calibration is that of z"
    higher = learner(inference={"threshold": 5.5, "samples": 2})
    again = higher.predict(Model({"network": Nothing(1)}), case, ("candidates",))
    assert (len(again["candidates"]), again["case_scores"]) == (0, 0)


def test_the_brightest_candidate_of_an_untrained_network_lies_in_the_ball(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "a", [(8.0, 9.0, 10.0)])
    torch.manual_seed(0)
    found = learner().predict(Model(learner().networks()).eval(), case, ("candidates",))["candidates"]
    assert (np.diff(found.score) <= 0).all()
    assert found.score.min() >= 3
    assert found.labels(case.labels())[0] == 1


@pytest.mark.parametrize(
    ("channels", "method", "words"),
    [
        ({"A": TARGET, "B": TARGET}, "expectation", "every channel is a `target`; the method needs one to see"),
        ({"A": CT, "B": CT}, "expectation", "0 channels are a `target`; the method `expectation` predicts exactly one"),
        ({"A": CT, "B": TARGET}, "autoencoder", "channel `B` is a `target`; the method `autoencoder` predicts no"),
        (
            {"A": CT, "B": TARGET, "C": TARGET},
            "expectation",
            "2 channels are a `target`; the method `expectation` predicts exactly one channel from the others",
        ),
    ],
)
def test_the_method_and_the_target_belong_together(channels: dict[str, Any], method: str, words: str) -> None:
    with pytest.raises(HakkenError) as error:
        study(method=method, channels=channels, patches={"axes": 2})
    assert words in str(error.value)
