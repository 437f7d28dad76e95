"""Segmentation: its loss, what is drawn for a step, and its objective."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hakken.core.errors import HakkenError
from hakken.networks.unet import Size
from hakken.patches.loader import Batch
from hakken.study import Study, Training
from hakken.tasks.choose import task_of
from hakken.methods.unet.learn import SegmentationLoss, SegmentationTask, soft_dice_loss

from .helpers import prepare_case, study

SIZES = (Size(3), Size(3, 0.5), Size(2), Size(2, 0.5))


def segmentation(**changes: Any) -> Study:
    return study(
        task="segmentation",
        training={"network": "unet", "sizes": {"levels": [1, 2]}},
        parameters={"patch_size": 8, "poolings": 1, "convolutions": 1, "dropout": 0, "batch_size": 8},
        inference={"threshold": 0.5},
        **changes,
    )


class Recorder(nn.Module):
    """Gives the same logits at every size and remembers which sizes it ran at."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))
        self.seen: list[Size] = []

    def forward(self, images: torch.Tensor, levels: int, features: float) -> torch.Tensor:
        self.seen.append(Size(levels, features))
        return images[:, :1] * 0 + self.value


def batch() -> Batch:
    maps = torch.zeros(2, 1, 4, 4)
    maps[0, 0, :2] = 1
    return Batch(torch.zeros(2, 3, 4, 4), torch.tensor([1, 0]), np.arange(2), maps)


def test_the_loss_of_even_odds() -> None:
    # 8 of 32 voxels are true; all probabilities are 1/2: cross-entropy log 2, Dice (2 * 4 + 1) / (16 + 8 + 1).
    loss = SegmentationLoss(Training(), (Size(2),))(Recorder(), batch())
    assert loss.item() == pytest.approx(math.log(2) + 1 - 9 / 25)


def test_the_dice_loss_of_empty_masks_is_defined() -> None:
    nothing = torch.zeros(1, 1, 4)
    assert soft_dice_loss(nothing, nothing).item() == 0
    assert soft_dice_loss(torch.ones(1, 1, 4), torch.ones(1, 1, 4)).item() == 0
    assert soft_dice_loss(torch.ones(1, 1, 4), nothing).item() == pytest.approx(1 - 1 / 5)


def test_focal_weighs_what_is_uncertain() -> None:
    loss = SegmentationLoss(Training(loss="focal", focal_gamma=2), (Size(2),)).of_logits(
        torch.zeros(1, 1, 4), torch.ones(1, 1, 4)
    )
    assert loss.item() == pytest.approx(math.log(2) / 4 + 1 - 5 / 7)


def test_each_step_runs_at_one_size_drawn_by_its_seed() -> None:
    loss, network = SegmentationLoss(Training(), SIZES), Recorder()
    for step in range(80):
        torch.manual_seed(step)
        loss(network, batch())
    first, network.seen = network.seen, []
    for step in range(80):
        torch.manual_seed(step)
        loss(network, batch())
    assert network.seen == first
    assert set(first) == set(SIZES)
    assert all(10 <= first.count(size) <= 32 for size in SIZES)


def test_distillation_runs_the_largest_the_smallest_and_one_between() -> None:
    training = Training.model_validate({"sizes": {"levels": [2, 3], "features": [0.5, 1], "distillation": True}})
    network, middles = Recorder(0.3), set()
    for step in range(20):
        network.seen = []
        torch.manual_seed(step)
        SegmentationLoss(training, SIZES)(network, batch())
        assert (network.seen[0], network.seen[-1], len(network.seen)) == (SIZES[0], SIZES[-1], 3)
        middles.add(network.seen[1])
    assert middles == set(SIZES[1:3])


def test_the_smaller_sizes_learn_from_the_largest_and_not_from_the_truth() -> None:
    training = Training.model_validate({"sizes": {"levels": [2, 3], "distillation": True}})

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.large, self.small = (nn.Parameter(torch.tensor(value)) for value in (3.0, -1.0))

        def forward(self, images: torch.Tensor, levels: int, features: float) -> torch.Tensor:
            return images[:, :1] * 0 + (self.large if levels == 3 else self.small)

    network = Two()
    empty = Batch(torch.zeros(1, 1, 4, 4), torch.tensor([0]), np.arange(1), torch.zeros(1, 1, 4, 4))
    SegmentationLoss(training, (Size(3), Size(2)))(network, empty).backward()
    assert network.large.grad is not None
    assert network.small.grad is not None
    assert network.large.grad > 0  # the truth is empty
    assert network.small.grad < 0  # the largest says 0.95, and teaches that


def test_a_study_names_its_task_and_sizes() -> None:
    task = task_of(segmentation(), 3, segmentation().parameters, ())
    assert isinstance(task, SegmentationTask)
    assert task.sizes == (Size(2), Size(1))
    assert task.negative_ratio == segmentation().parameters.negative_ratio
    assert task.classes == ()


def test_the_objective_is_the_mean_dice_over_cases_and_sizes(tmp_path: Path) -> None:
    cases = [prepare_case(tmp_path, "a", [(8.0, 9.0, 10.0)]), prepare_case(tmp_path, "b", [])]
    truth, nothing = cases[0].labels() > 0, np.zeros(cases[0].geometry.shape_zyx, bool)
    task = SegmentationTask(segmentation(), 3, segmentation().parameters, cases)
    found = {"a": {Size(2): truth, Size(1): nothing}, "b": {Size(2): nothing, Size(1): ~nothing}}
    # 1 and 0 in a; none and 0 in b: nothing found where there is nothing has no Dice.
    assert task.objective(found) == pytest.approx(1 / 3)
    lonely = SegmentationTask(segmentation(), 3, segmentation().parameters, cases[1:])
    with pytest.raises(HakkenError, match="no validation case has a lesion or a mask"):
        lonely.objective({"b": {Size(2): nothing}})


def test_the_network_s_masks_and_their_table(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "a", [(8.0, 9.0, 10.0)])
    task = SegmentationTask(segmentation(), 3, segmentation().parameters, [case])
    torch.manual_seed(0)
    found = {"a": task.predict(task.network().eval(), case)}
    assert list(found["a"]) == [Size(2), Size(1)]
    assert all(mask.shape == case.geometry.shape_zyx for mask in found["a"].values())
    assert task.table(found).splitlines()[0] == "case_id,levels,features,start,length"
