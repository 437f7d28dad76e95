from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.inference.candidates import Candidates
from hakken.patches.loader import Batch
from hakken.study import Study
from hakken.methods.autoencoder.learn import AnomalyTask, ReconstructionLoss
from hakken.tasks.choose import task_of
from hakken.methods.patch_classifier.learn import DetectionTask

from .helpers import prepare_case, study


def anomaly() -> Study:
    return study(
        task="anomaly",
        training={"network": "conv_autoencoder"},
        parameters={"patch_size": 8, "poolings": 2, "convolutions": 2, "dropout": 0},
        inference={"stride_voxel": 3},
    )


def marks(scores: list[float]) -> Candidates:
    points = np.zeros((len(scores), 3))
    return Candidates(points, np.array(scores), np.ones(len(scores)), points)


def test_the_loss_is_the_mean_squared_error() -> None:
    # The network gives 0: (1 + 4 + 9 + 4) / 4.
    images = torch.tensor([1.0, 2.0, 3.0, -2.0]).reshape(4, 1, 1, 1, 1)
    batch = Batch(images, torch.zeros(4, dtype=torch.int64), np.arange(4))
    assert ReconstructionLoss()(_Zero(), batch).item() == pytest.approx(18 / 4)


def test_flat_patches_become_volumes_of_one_slice() -> None:
    network = _Zero()
    loss = ReconstructionLoss()(network, Batch(torch.ones(3, 2, 5, 5), torch.zeros(3, dtype=torch.int64), np.arange(3)))
    assert network.seen == [torch.Size([3, 2, 1, 5, 5])]
    assert loss.item() == 1


def test_a_study_names_its_task() -> None:
    assert isinstance(task_of(anomaly(), 3, anomaly().parameters, ()), AnomalyTask)
    assert isinstance(task_of(study(), 3, study().parameters, ()), DetectionTask)
    assert task_of(anomaly(), 3, anomaly().parameters, ()).negative_ratio == math.inf


def test_the_objective_is_the_auc_of_the_cases(tmp_path: Path) -> None:
    places = {"a": [(8.0, 9.0, 10.0)], "b": [(14.0, 18.0, 16.0)], "c": [], "d": []}
    cases = [prepare_case(tmp_path, name, found) for name, found in places.items()]
    task = AnomalyTask(anomaly(), 3, anomaly().parameters, cases)
    # 5 > 3, 5 > 0, 2 < 3, 2 > 0: three of four pairs. The highest candidate counts, not the first or the mean.
    assert task.objective({"a": marks([1, 5]), "b": marks([2]), "c": marks([3, 3, 3]), "d": marks([])}) == 0.75
    # A tie counts half: 3 = 3, 3 > 0, 2 < 3, 2 > 0.
    assert task.objective({"a": marks([3]), "b": marks([2]), "c": marks([3]), "d": marks([])}) == 2.5 / 4


def test_cases_of_one_kind_cannot_be_told_apart(tmp_path: Path) -> None:
    task = AnomalyTask(anomaly(), 3, anomaly().parameters, [prepare_case(tmp_path, "c", [])])
    with pytest.raises(HakkenError) as error:
        task.objective({"c": marks([1])})
    assert str(error.value) == ("the validation cases are all normal or all abnormal, so there is no AUC to maximise")


def test_the_score_of_a_case_is_the_highest_error_of_its_patches(tmp_path: Path) -> None:
    """A network that gives zeros: the error of a patch is its mean square, which a direct sum gives as well."""
    settings = anomaly()
    case = prepare_case(tmp_path, "a", [(8, 9, 10)])
    task = AnomalyTask(settings, 3, settings.parameters, [case])
    network = task.network().eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    found = task.predict(network, case)
    padded = np.pad(case.image().astype(np.float64), ((0, 0), *[(8, 8)] * 3))
    # The lattice is centred: (extent - 1) % 3 // 2 of 24, 26, 22 voxels.
    starts = [((extent - 1) % 3) // 2 for extent in case.mask().shape]
    highest = max(
        (padded[:, z + 4 : z + 12, y + 4 : y + 12, x + 4 : x + 12] ** 2).mean()
        for z in range(starts[0], case.mask().shape[0], 3)
        for y in range(starts[1], case.mask().shape[1], 3)
        for x in range(starts[2], case.mask().shape[2], 3)
    )
    assert found.score[0] == pytest.approx(highest, rel=1e-5)
    assert (np.diff(found.score) <= 0).all()
    # 3 voxels of 1.5 mm: the highest patch holds the ball's middle.
    assert np.abs(found.voxel[0] - (8, 9, 10)).max() <= 4
    assert task.validation[0].abnormal


class _Zero(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Size] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images.shape)
        return torch.zeros_like(images)
