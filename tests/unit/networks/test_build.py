from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from hakken.inference.detect import detect, scores_of
from hakken.runs.model_file import load_model, save_model
from hakken.methods.autoencoder.network import ConvAutoencoder
from hakken.networks.build import build_classifier, build_network, count_weights
from hakken.methods.expectation.network import ExpectationUNet
from hakken.core.errors import InvalidArchitecture
from hakken.networks.patch_cnn import PatchClassifier
from hakken.methods.projection_classifier.network import ProjectionClassifier
from hakken.networks.unet import UNet
from hakken.study import Structure, Inference, NetworkName, Training
from hakken.study.grid import IMAGENET

from ..tasks.helpers import GEOMETRY, study

NAMES: tuple[NetworkName, ...] = ("patch_cnn", "projection_cnn")  # those that classify a patch
SMALL = Structure(patch_size=8, convolutions=2, poolings=1, base_features=4)
KINDS: dict[NetworkName, type[nn.Module]] = {
    "patch_cnn": PatchClassifier,
    "projection_cnn": ProjectionClassifier,
    "conv_autoencoder": ConvAutoencoder,
    "expectation_unet": ExpectationUNet,
    "unet": UNet,
}


def test_every_network_that_a_study_can_name_is_built() -> None:
    assert set(get_args(NetworkName)) == {*KINDS, *IMAGENET}
    assert {name: type(build_network(name, 2, 3, SMALL)) for name in KINDS} == KINDS
    for name in IMAGENET:
        with pytest.raises(InvalidArchitecture, match=f"{name} classifies crops"):
            build_network(name, 3, 2, SMALL)
    for name in NAMES:
        network = build_network(name, 2, 3, SMALL)
        assert network(torch.zeros(3, 2, 8, 8, 8)).flatten(1).shape == (3, 2)
        assert count_weights(network) == sum(weight.numel() for weight in network.parameters())


def test_a_classifier_sees_three_channels() -> None:
    training = Training(network="googlenet", input_size=32)
    assert build_classifier(training, 3, 5, SMALL)(torch.zeros(2, 3, 8, 8)).shape == (2, 5)
    with pytest.raises(InvalidArchitecture, match="googlenet sees 3 channels, the study has 2"):
        build_classifier(training, 2, 5, SMALL)


@pytest.mark.parametrize("name", NAMES)
def test_a_volume_is_scored_as_its_patches_are(name: NetworkName) -> None:
    torch.manual_seed(1)
    network = build_network(name, 1, 3, SMALL).eval()
    image = torch.randn(1, 20, 22, 24)
    found = scores_of(network, image, np.ones((20, 22, 24)), Inference(stride_voxel=2))
    z, y, x = (int(value) for value in found.to_voxel(np.array([[4, 5, 6]]))[0])
    patch = image[None, :, z - 4 : z + 4, y - 4 : y + 4, x - 4 : x + 4]
    expected = 1 - torch.softmax(network(patch).flatten(1), 1)[0, 0].item()
    assert found.array[4, 5, 6] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_file_knows_its_network(name: NetworkName, tmp_path: Path) -> None:
    base = study()
    settings = base.model_copy(update={"training": base.training.model_copy(update={"network": name})})
    network = build_network(name, 2, 3, SMALL)
    save_model(tmp_path / "model.pt", network.state_dict(), study=settings, structure=SMALL, dimensions=3, metadata={})
    detector = load_model(tmp_path / "model.pt")
    assert type(detector.network) is KINDS[name]
    image = np.random.default_rng(0).normal(size=(2, *GEOMETRY.shape_zyx)).astype(np.float32)
    mask, inference = np.ones(GEOMETRY.shape_zyx), Inference(threshold=0.01)
    ours, theirs = (detect(one, image, mask, GEOMETRY, inference) for one in (network.eval(), detector.network))
    assert len(ours) > 0
    np.testing.assert_array_equal(ours.score, theirs.score)


def test_a_network_that_no_study_names_has_no_score_map() -> None:
    with pytest.raises(TypeError, match="no score map for a Linear"):
        scores_of(nn.Linear(1, 1), torch.zeros(1, 4, 4, 4), np.ones((4, 4, 4)), Inference())
