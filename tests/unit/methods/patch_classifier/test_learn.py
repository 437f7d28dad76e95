from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.inference.candidates import Candidates
from hakken.patches.loader import Batch
from hakken.study import Hyperparameters, Training
from hakken.methods.patch_classifier.learn import DetectionLoss, DetectionTask, lesions_of, marks_of

from .helpers import prepare_case, study


def marks(xyz: list[tuple[float, float, float]], scores: list[float]) -> Candidates:
    points = np.array(xyz, float).reshape(-1, 3)
    return Candidates(points, np.array(scores), np.ones(len(scores)), np.zeros((len(scores), 3)))


def test_cross_entropy_weighs_lesions_and_negatives_alike() -> None:
    # 3 negatives a positive: weights 2/3 and 2; -log p is log 2 for equal logits and log(1 + 1/3) for p = 3/4.
    loss = DetectionLoss(Training(), negative_ratio=3.0)
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [0.0, 0.0], [0.0, 0.0]])
    targets = torch.tensor([0, 0, 0, 1])
    expected = (2 / 3 * (2 * math.log(2) + math.log(4 / 3)) + 2 * math.log(2)) / 4
    assert loss.of_logits(logits, targets).item() == pytest.approx(expected, rel=1e-6)


def test_an_indifferent_network_loses_log_two_at_any_ratio() -> None:
    for negatives in (1, 3, 7):
        loss = DetectionLoss(Training(), negative_ratio=negatives)
        targets = torch.tensor([1] + [0] * negatives)
        assert loss.of_logits(torch.zeros(1 + negatives, 2), targets).item() == pytest.approx(math.log(2), rel=1e-6)


def test_the_focal_loss_fades_where_the_network_is_sure() -> None:
    # p = 3/4 for the truth: (1 - 3/4)^2 * -log(3/4), both weights 1 at a ratio of 1.
    loss = DetectionLoss(Training(loss="focal", focal_gamma=2.0), negative_ratio=1.0)
    logits = torch.tensor([[math.log(3), 0.0], [0.0, math.log(3)]])
    expected = (1 / 4) ** 2 * math.log(4 / 3)
    assert loss.of_logits(logits, torch.tensor([0, 1])).item() == pytest.approx(expected, rel=1e-5)


def test_flat_patches_become_volumes_of_one_slice() -> None:
    seen: list[torch.Size] = []

    class Network(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images.shape)
            return torch.zeros(len(images), 2, 1, 1, 1)

    batch = Batch(torch.zeros(4, 2, 9, 9), torch.tensor([0, 1, 0, 0]), np.arange(4))
    DetectionLoss(Training(), 3.0)(Network(), batch)
    assert seen == [torch.Size([4, 2, 1, 9, 9])]


def test_the_objective_is_the_partial_auc_over_all_cases(tmp_path: Path) -> None:
    settings = study(evaluation={"maximum_fp": 2})
    cases = [prepare_case(tmp_path, "a", [(8, 9, 10), (14, 18, 16)]), prepare_case(tmp_path, "b", [])]
    task = DetectionTask(settings, 3, settings.parameters, cases)
    hits = [lesion.centre for lesion in cases[0].lesions]
    away = (500.0, 500.0, 500.0)
    # One lesion before any false positive, one after 1 in 2 cases: points (0, 1/2), (1/2, 1/2), (1/2, 1).
    found = {"a": marks([hits[0], away, hits[1]], [0.9, 0.8, 0.7]), "b": marks([], [])}
    assert task.objective(found) == pytest.approx((0.5 * 0.5 + 1.5 * 1.0) / 2)
    assert task.objective({"a": marks(hits, [0.9, 0.8]), "b": marks([], [])}) == 1
    assert task.objective({"a": marks([], []), "b": marks([], [])}) == 0


def test_marks_carry_the_label_of_the_lesion_they_lie_in(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "a", [(8, 9, 10)])
    found = Candidates(np.zeros((2, 3)), np.ones(2), np.ones(2), np.array([(8.2, 9, 10), (1, 1, 1)]))
    assert np.asarray(marks_of([found], [case]).label).tolist() == [1, 0]
    lesions = lesions_of([case])
    np.testing.assert_allclose(lesions.xyz, [case.lesions[0].centre])
    assert lesions.label.tolist() == [1]


def test_a_network_that_sees_brightness_scores_high(tmp_path: Path) -> None:
    """A network set by hand to the mean of channel A: its candidates are the balls."""
    parameters = Hyperparameters(
        patch_size=3, convolutions=1, poolings=0, dense_layers=0, base_features=1, batch_norm=False
    )
    settings = study(parameters=parameters.model_dump(), patches={"size_voxel": 9})
    cases = [prepare_case(tmp_path, "a", [(8, 9, 10), (14, 18, 16)]), prepare_case(tmp_path, "b", [(11, 13, 12)])]
    task = DetectionTask(settings, 3, parameters, cases)
    network = task.network().eval()
    with torch.no_grad():
        first, last = network.features[0], network.head[1]
        first.weight.zero_()  # type: ignore[operator]
        first.weight[0, 0] = 1 / 27  # type: ignore[index]
        last.weight[:, 0, 0, 0, 0] = torch.tensor([-4.0, 4.0])  # type: ignore[index]
        last.bias[:] = torch.tensor([6.0, -6.0])  # type: ignore[index]
    assert task.objective({case.case_id: task.predict(network, case) for case in cases}) > 0.95
