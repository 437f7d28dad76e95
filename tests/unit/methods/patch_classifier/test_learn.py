from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.core.errors import InvalidArchitecture
from hakken.methods.patch_classifier import Parameters
from hakken.methods.patch_classifier.learn import Learner
from hakken.methods.patch_classifier.loss import balanced_loss
from hakken.outcomes import Part
from hakken.outcomes.candidates import objective
from hakken.patches.loader import Batch
from hakken.runs.learner import learner_of
from hakken.training.players import Model

from ..helpers import prepare_case, study


def test_cross_entropy_weighs_lesions_and_negatives_alike() -> None:
    # 3 negatives a positive: weights 2/3 and 2; -log p is log 2 for equal logits and log(1 + 1/3) for p = 3/4.
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [0.0, 0.0], [0.0, 0.0]])
    targets = torch.tensor([0, 0, 0, 1])
    expected = (2 / 3 * (2 * math.log(2) + math.log(4 / 3)) + 2 * math.log(2)) / 4
    assert balanced_loss(logits, targets, 3.0).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("negatives", [1, 3, 7])
def test_an_indifferent_network_loses_log_two_at_any_ratio(negatives: int) -> None:
    targets = torch.tensor([1] + [0] * negatives)
    loss = balanced_loss(torch.zeros(1 + negatives, 2), targets, negatives)
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)


def test_the_focal_loss_fades_where_the_network_is_sure() -> None:
    # p = 3/4 for the truth: (1 - 3/4)^2 * -log(3/4), both weights 1 at a ratio of 1.
    logits = torch.tensor([[math.log(3), 0.0], [0.0, math.log(3)]])
    expected = (1 / 4) ** 2 * math.log(4 / 3)
    assert balanced_loss(logits, torch.tensor([0, 1]), 1.0, gamma=2.0).item() == pytest.approx(expected, rel=1e-5)


class Fixed(torch.nn.Module):
    """Gives the same logits for every patch, and remembers the shape of what it saw."""

    def __init__(self, logits: tuple[float, float]) -> None:
        super().__init__()
        self.logits, self.seen = torch.tensor(logits), [torch.Size()]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images.shape)
        return self.logits.expand(len(images), 2).reshape(-1, 2, 1, 1, 1)


@pytest.mark.parametrize(("loss", "gamma"), [("cross_entropy", None), ("focal", 3.0)])
def test_the_study_says_which_loss_and_flat_patches_become_volumes_of_one_slice(loss: str, gamma: float | None) -> None:
    chosen = {"loss": loss} | ({"focal_gamma": gamma} if gamma else {})
    learner, network = learner_of(study(parameters=chosen)), Fixed((0.0, 1.0))
    assert isinstance(learner, Learner)
    targets = torch.tensor([0, 1, 0, 0])
    batch = Batch(torch.zeros(4, 2, 9, 9), targets, np.arange(4))
    found = learner.loss("network", {"network": network}, batch, torch.Generator()).value
    assert network.seen[-1] == torch.Size([4, 2, 1, 9, 9])
    torch.testing.assert_close(found, balanced_loss(network.logits.expand(4, 2), targets, 3.0, gamma))


def test_a_patch_that_is_too_small_is_no_architecture() -> None:
    Learner.require(Parameters(patch_size=14))
    with pytest.raises(InvalidArchitecture, match="patch 3 is too small for 3 convolutions"):
        Learner.require(Parameters(patch_size=3))


def test_a_network_that_sees_brightness_scores_high(tmp_path: Path) -> None:
    """A network set by hand to the mean of channel A: its candidates are the balls."""
    simple = {"patch_size": 3, "convolutions": 1, "poolings": 0, "base_features": 1, "batch_norm": False}
    settings = study(parameters=simple | {"dense_units": 2})
    places = {"a": [(8.0, 9.0, 10.0), (14.0, 18.0, 16.0)], "b": [(11.0, 13.0, 12.0)]}
    cases = [prepare_case(tmp_path, name, found) for name, found in places.items()]
    learner = learner_of(settings)
    assert isinstance(learner, Learner)
    networks = learner.networks()
    with torch.no_grad():
        first, hidden, last = (networks["network"].get_submodule(name) for name in ("features.0", "head.1", "head.4"))
        first.weight.zero_()  # type: ignore[operator]
        first.weight[0, 0] = 1 / 27  # type: ignore[index]
        hidden.weight[:, 0, 0, 0, 0] = torch.tensor([1.0, 0.0])  # type: ignore[index]
        last.weight[:, :, 0, 0, 0] = torch.tensor([[-4.0, 0.0], [4.0, 0.0]])  # type: ignore[index]
        last.bias[:] = torch.tensor([6.0, -6.0])  # type: ignore[index]
    model = Model(networks).eval()
    found = {case.case_id: learner.predict(model, case, ("candidates",))["candidates"] for case in cases}
    part = Part(settings, cases, settings.outcomes["candidates"])
    assert objective(found, part) > 0.95
