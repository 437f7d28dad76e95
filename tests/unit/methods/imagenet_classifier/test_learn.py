"""Classification of lesions: crops, probabilities, weights that a training starts from, and what a study must name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError, InvalidArchitecture
from hakken.core.files import sha256_file
from hakken.imaging.prepared import PreparedCase
from hakken.methods.imagenet_classifier import Parameters
from hakken.methods.imagenet_classifier.crops import SLICES, lesion_crops, slices_of
from hakken.methods.imagenet_classifier.learn import Learner
from hakken.networks.imagenet.efficientnet_lite import EfficientNetLite0
from hakken.patches.loader import Batch
from hakken.runs.layout_pool import made_up_patches
from hakken.runs.learner import learner_of
from hakken.study.reading import parse_study
from hakken.training.method import Data
from hakken.training.players import Model

from .helpers import CLASSES, CONTENT, Brightness, case_of

CPU = torch.device("cpu")


def learner(**parameters: Any) -> Learner:
    found = learner_of(parse_study(CONTENT | {"parameters": CONTENT["parameters"] | parameters}))
    assert isinstance(found, Learner)
    return found


def probabilities(case: PreparedCase, network: Brightness | None = None, **parameters: Any) -> np.ndarray:
    model = Model({"network": network or Brightness()})
    found: np.ndarray = learner(**parameters).predict(model, case, ("classes",))["classes"]
    return found


def test_slices_go_through_the_core_of_the_lesion(tmp_path: Path) -> None:
    for diameter, expected in ((8.0, (5, 6, 7)), (1.0, (6,)), (100.0, (0, 3, 6, 8, 11))):
        case = case_of(tmp_path, 0, "dark", diameter=diameter)
        centre, slices = slices_of(case.lesions[0], case)
        assert centre == (12, 10)
        assert slices == expected
        assert len(slices) <= SLICES
        crops = lesion_crops(case, case.lesions[0], 8)
        assert crops.shape == (len(expected), 3, 8, 8)
        assert crops.min() > 0.1


@pytest.mark.parametrize("name", CLASSES)
def test_the_probabilities_of_a_lesion_are_the_mean_over_its_slices(name: str, tmp_path: Path) -> None:
    # All pixels are 0.2 or 0.8, so the logits are 3 and -3 whatever the slice: 1 / (1 + exp(-6)).
    sure = 1 / (1 + np.exp(-6))
    expected = [sure, 1 - sure] if name == "dark" else [1 - sure, sure]
    assert probabilities(case_of(tmp_path, 0, name)) == pytest.approx(np.array([expected]), abs=2e-3)


def test_a_network_that_gives_no_numbers_is_a_failed_training(tmp_path: Path) -> None:
    network = Brightness()
    network.weight.data.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="the network's probabilities are not finite"):
        probabilities(case_of(tmp_path, 0, "dark"), network)


def test_a_class_that_the_study_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(HakkenError) as error:
        probabilities(case_of(tmp_path, 7, "grey"))
    expected = "case c7, lesion 1: has the class `grey`; cohort.classes of the study names dark, bright"
    assert str(error.value) == expected


def test_the_loss_of_an_untrained_network_is_that_of_a_guess_and_reaches_every_weight() -> None:
    torch.manual_seed(0)
    method = learner()
    networks = method.networks()
    batch = Batch(torch.rand(4, 3, 12, 12), torch.tensor([0, 1, 0, 1]), np.arange(4))
    loss = method.loss("network", networks, batch, torch.Generator()).value
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(np.log(2), abs=0.5)
    assert all(weight.grad is not None for weight in networks["network"].parameters())


def test_each_class_comes_equally_often_and_nothing_else(tmp_path: Path) -> None:
    made_up_patches(parse_study(CONTENT), tmp_path)
    method = learner()
    (player,) = method.players({"network": Brightness()}, Data(patches=tmp_path), 1, CPU)
    targets = [next(player.source.iterate(step, workers=0, stride=1)).targets.tolist() for step in range(3)]
    assert [sorted(found) for found in targets] == [[0, 0, 1, 1]] * 3


def test_weights_come_from_the_study_and_a_kept_model_needs_no_file(tmp_path: Path) -> None:
    torch.manual_seed(5)
    published = EfficientNetLite0(1000).state_dict()
    path = tmp_path / "lite.pth"
    torch.save(published, path)
    method = learner(weights={"efficientnet_lite0": {"path": str(path), "sha256": sha256_file(path)}})
    network = method.networks()["network"]
    assert torch.equal(network.get_parameter("backbone._conv_stem.weight"), published["_conv_stem.weight"])
    path.unlink()
    method.restore({}, ("network",)).networks["network"].load_state_dict(network.state_dict())
    assert learner(network="alexnet", input_size=64, weights={"vgg16": {"path": "none", "sha256": "0" * 64}}).networks()


def test_misregistration_moves_the_crops_of_a_case_always_the_same_way(tmp_path: Path) -> None:
    moved = {"misregistration": {"kind": "shift", "amount": 3}}
    image = torch.rand(2, 3, 17, 17)
    still = learner()._moved(image, ["c1", "c2"])
    assert still is image
    one, again = (learner(**moved)._moved(image, ["c1", "c2"]) for _ in range(2))
    assert torch.equal(one, again)
    assert torch.equal(one[:, 2], image[:, 2]), "the reference stays"
    assert not torch.equal(one[:, 0], image[:, 0])
    other = learner(**moved)._moved(image, ["c1", "c3"])
    assert torch.equal(other[0], one[0])
    assert not torch.equal(other[1], one[1])
    # What comes in from beyond the crop is image: the case is the same everywhere, so nothing changes.
    case = case_of(tmp_path, 0, "bright")
    assert probabilities(case, **moved) == pytest.approx(probabilities(case), abs=1e-6)


def test_too_small_images_are_no_architecture() -> None:
    with pytest.raises(InvalidArchitecture, match="inception_v3 needs images of 75 pixels or more"):
        Learner.require(Parameters(network="inception_v3", input_size=74))


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"cohort": CONTENT["cohort"] | {"classes": ["one"]}}, "cohort.classes: name two classes or more"),
        ({"cohort": CONTENT["cohort"] | {"truth": "lesion_mask"}}, "cohort.truth: use `lesion_table`"),
        ({"patches": {}}, "patches.axes: use 2"),
        ({"channels": {"b": {"modality": "ct"}}}, "channels: give three for red, green and blue, not 1"),
    ],
)
def test_what_a_classifier_needs(change: dict[str, Any], remedy: str) -> None:
    with pytest.raises(HakkenError) as error:
        parse_study(CONTENT | change, "s.yaml")
    assert str(error.value).startswith(f"s.yaml: the method `imagenet_classifier` does not fit {remedy}")
