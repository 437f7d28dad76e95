from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.inference.detect import pixels_of
from hakken.methods.projection_classifier.learn import Learner
from hakken.methods.projection_classifier.network import ProjectionClassifier
from hakken.runs.learner import learner_of

from ..helpers import prepare_case, study


def test_a_case_is_scored_as_its_cubes_are(tmp_path: Path) -> None:
    settings = study(method="projection_classifier", parameters={"patch_size": 8}, inference={"stride_voxel": 4})
    learner, case = learner_of(settings), prepare_case(tmp_path, "a", [(8, 9, 10)])
    assert isinstance(learner, Learner)
    torch.manual_seed(1)
    network = learner.networks()["network"].eval()
    assert isinstance(network, ProjectionClassifier)
    found = learner.scores(network, case)
    z, y, x = (int(value) for value in found.to_voxel(np.array([[2, 3, 4]]))[0])
    cube = pixels_of(case)[None, :, z - 4 : z + 4, y - 4 : y + 4, x - 4 : x + 4].float()
    expected = 1 - torch.softmax(network(cube).flatten(1), 1)[0, 0].item()
    assert found.array[2, 3, 4] == pytest.approx(expected, abs=1e-5)
