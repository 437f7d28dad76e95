"""The task of expectation: its loss over the body, its candidates, and what a training maximises."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.inference.candidates import Candidates
from hakken.methods.expectation.network import Expectation, ExpectationUNet
from hakken.patches.loader import Batch
from hakken.study import Study
from hakken.tasks.choose import task_of
from hakken.methods.expectation.learn import ExpectationLoss, ExpectationTask

from .helpers import prepare_case, study

TARGET = {"modality": "pet", "normalise": "window", "range": [0, 20], "target": True}


def expectation(**changes: Any) -> Study:
    """The miniature study with slices of channel A from which B is predicted; ``changes`` replace whole sections."""
    content: dict[str, Any] = {
        "task": "anomaly",
        "channels": {"A": {"modality": "ct", "normalise": "window", "range": [-1000, 1000]}, "B": TARGET},
        "training": {"network": "expectation_unet"},
        "patches": {"axes": 2},
        "inference": {"threshold": 3.0, "samples": 2},
        "evaluation": {"objective": "froc", "maximum_fp": 2},
        "figures": ["froc"],
    }
    return study(**(content | changes))


class _Fixed(torch.nn.Module):
    """Expects 0.5 with a deviation of 0.25, everywhere."""

    def forward(self, images: torch.Tensor) -> Expectation:
        return Expectation(torch.full_like(images, 0.5), torch.full_like(images, 0.25))


def test_the_loss_is_the_mean_over_the_body() -> None:
    images, targets = torch.zeros(1, 1, 2, 2), torch.zeros(1, dtype=torch.int64)
    maps = torch.tensor([[[[0.5, 1.0], [0.0, 0.0]]]])  # two voxels of the body, z of 0 and 2
    loss = ExpectationLoss()(_Fixed(), Batch(images, targets, np.arange(1), maps))
    assert loss.item() == pytest.approx(math.log(0.25) + 1 + 0.5 * math.log(2 * math.pi), rel=1e-5)


def test_patches_without_a_target_are_refused() -> None:
    batch = Batch(torch.zeros(1, 1, 2, 2), torch.zeros(1, dtype=torch.int64), np.arange(1))
    with pytest.raises(HakkenError, match="the patches hold no target channel; give one channel of the study `target"):
        ExpectationLoss()(_Fixed(), batch)


def test_the_network_names_the_task() -> None:
    task = task_of(expectation(), 2, expectation().parameters, ())
    assert isinstance(task, ExpectationTask)
    assert task.negative_ratio == math.inf
    assert isinstance(task.network(), ExpectationUNet)
    assert task.network().unet.channels == 1


def test_the_objective_is_the_partial_auc_unless_the_cases_count(tmp_path: Path) -> None:
    places = {"a": [(8.0, 9.0, 10.0)], "b": [(14.0, 18.0, 16.0)], "c": [], "d": []}
    cases = [prepare_case(tmp_path, name, found) for name, found in places.items()]
    hit = np.array([cases[0].lesions[0].centre])
    found = {
        "a": Candidates(hit, np.array([5.0]), np.ones(1), np.array([[8.0, 9.0, 10.0]])),
        "b": Candidates(hit + 90, np.array([4.0]), np.ones(1), np.zeros((1, 3))),
        "c": Candidates(hit, np.array([4.5]), np.ones(1), np.zeros((1, 3))),
        "d": Candidates(np.zeros((0, 3)), np.zeros(0), np.zeros(0), np.zeros((0, 3))),
    }
    # One of two lesions is found before any false positive; the curve stays there.
    assert task_of(expectation(), 2, expectation().parameters, cases).objective(found) == pytest.approx(0.5)
    plain = expectation().model_copy(update={"evaluation": study().evaluation})
    # Of abnormal and normal cases 5 > 4.5, 5 > none, 4 < 4.5, 4 > none.
    assert task_of(plain, 2, plain.parameters, cases).objective(found) == pytest.approx(0.75)


def test_candidates_are_components_of_z_with_the_lesion_they_lie_in(tmp_path: Path) -> None:
    cases = [prepare_case(tmp_path, "a", [(8.0, 9.0, 10.0)])]
    task = task_of(expectation(), 2, expectation().parameters, cases)
    torch.manual_seed(0)
    network = task.network().eval()
    found = task.predict(network, cases[0])
    assert found.score.tolist() == sorted(found.score.tolist(), reverse=True)
    assert found.score.min() >= 3
    table = task.table({"a": found}).splitlines()
    assert len(table) == len(found) + 1
    assert table[1].startswith("a,1,")
    assert table[1].endswith(",1")  # the brightest lies in the ball


@pytest.mark.parametrize(
    ("channels", "network", "words"),
    [
        ({"A": TARGET, "B": TARGET}, "expectation_unet", "every channel is a `target`"),
        ({"A": {"modality": "ct"}, "B": {"modality": "ct"}}, "expectation_unet", "0 channels are a `target`"),
        ({"A": {"modality": "ct"}, "B": TARGET}, "conv_autoencoder", "channel `B` is a `target`, and training.network"),
    ],
)
def test_the_network_and_the_target_belong_together(channels: dict[str, Any], network: str, words: str) -> None:
    with pytest.raises(HakkenError) as error:
        study(task="anomaly", channels=channels, training={"network": network}, patches={"axes": 2})
    assert words in str(error.value)


def test_a_probability_is_below_one_and_figures_have_their_network() -> None:
    with pytest.raises(HakkenError, match="threshold 3 is no probability; give a number below 1"):
        study(inference={"threshold": 3.0})
    with pytest.raises(HakkenError, match="the figure `calibration` needs training"):
        study(figures=["froc", "calibration"])
    with pytest.raises(HakkenError, match="the figure `roc` needs `evaluation"):
        expectation(figures=["roc"])
