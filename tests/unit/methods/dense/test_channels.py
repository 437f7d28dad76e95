"""A dense network that sees some of the channels alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import PreparedCase, save_prepared
from hakken.methods.dense import Inference, Parameters
from hakken.methods.dense.learn import LESIONS, Learner
from hakken.study.reading import parse_study
from hakken.training.method import Facts
from hakken.training.patch_player import NETWORK
from hakken.training.sources import Samples

FACTS = Facts(channels=("a", "b", "c"), inputs=("a", "b", "c"))
SMALL = {"levels": 2, "base_features": 4, "supervised": 1, "batch_size": 1, "patch_size": 16}


def learner(**changed: object) -> Learner:
    return Learner(Parameters(**SMALL | changed), Inference(window_voxel=16), FACTS)  # type: ignore[arg-type]


def case_of(folder: Path, image: np.ndarray) -> PreparedCase:  # type: ignore[type-arg]
    grid = Geometry(image.shape[1:])
    case = PreparedCase("one", "one", FACTS.channels, grid, grid, {}, "one", False)
    return save_prepared(folder, case, image, np.ones(image.shape[1:]))


def test_a_channel_that_is_not_seen_changes_nothing(tmp_path: Path) -> None:
    image = np.random.default_rng(1).normal(size=(3, 16, 16, 16))
    method = learner(channels=("c", "a"))
    network = method.networks()[NETWORK]
    found = method.probabilities(network, case_of(tmp_path / "first", image))[LESIONS]
    for number, same in ((1, True), (0, False), (2, False)):
        changed = image.copy()
        changed[number] += np.random.default_rng(2).normal(size=(16, 16, 16))
        other = method.probabilities(network, case_of(tmp_path / str(number), changed))[LESIONS]
        assert np.array_equal(found, other) == same


def test_the_loss_sees_the_same_channels_as_the_use() -> None:
    method = learner(channels=("b",))
    networks = method.networks()
    images, targets = torch.randn(1, 3, 16, 16, 16), torch.zeros(1, 2, 16, 16, 16)
    images.requires_grad_()
    method.loss(
        "network", networks, Samples({"images": images, "targets": targets}), torch.Generator()
    ).value.backward()
    assert images.grad is not None
    assert images.grad[:, 1].any()
    assert not images.grad[:, [0, 2]].any()


def test_all_channels_are_seen_by_default() -> None:
    weights = [sum(w.numel() for w in learner(channels=c).networks()[NETWORK].parameters()) for c in ((), ("a",))]
    assert weights[0] > weights[1]


def test_a_channel_that_the_study_lacks_is_named() -> None:
    content = {
        "name": "seen",
        "seed": 1,
        "method": "dense",
        "cohort": {"table": "cases.csv"},
        "channels": {"T1": {"modality": "mr"}, "FLAIR": {"modality": "mr", "optional": True}},
        "reference": "T1",
        "parameters": {"channels": ["T2"]},
    }
    with pytest.raises(HakkenError) as caught:
        parse_study(content)
    assert "parameters.channels: `T2` is no channel that a network may see; there are T1, FLAIR" in str(caught.value)
    assert "leaves no room for channels that a case may lack" in str(caught.value)
