"""Classes of whole images: one patch of each, one row of probabilities, no lesion table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import PreparedCase, save_prepared
from hakken.methods.imagenet_classifier.learn import Learner
from hakken.outcomes import classes
from hakken.patches.shards import PatchStore
from hakken.runs.learner import learner_of
from hakken.runs.predictions import part_of
from hakken.stages.patches import patches
from hakken.study.reading import parse_study
from hakken.training.method import Data
from hakken.training.players import Model

from .helpers import CONTENT, Brightness

STUDY: dict[str, Any] = CONTENT | {
    "cohort": {"table": "cases.csv", "truth": "label", "classes": ["none", "pneumonia"]},
    "preparation": {"matrix": [16, 16], "mask": "none"},
    "patches": {"axes": 2, "size_voxel": 16, "margin_voxel": 2},
    "parameters": {"network": "efficientnet_lite0", "input_size": 32, "patch_size": 16, "batch_size": 4},
}


def image_of(folder: Path, name: str, label: str | None, depth: int = 1) -> PreparedCase:
    """An image of 16 x 16 pixels, bright where it shows pneumonia, with a border that tells its middle."""
    geometry = Geometry((depth, 16, 16), unit="px")
    case = PreparedCase(name, name, ("r", "g", "b"), geometry, geometry, {}, name, False, label=label)
    image = np.full((3, *geometry.shape_zyx), 0.8 if label else 0.2, np.float32)
    image[..., 0, :], image[..., -1, :] = 0.3, 0.7
    return save_prepared(folder, case, image, np.ones(geometry.shape_zyx, bool))


def test_each_image_gives_one_patch_which_is_the_image(tmp_path: Path) -> None:
    for name, label in (("a", None), ("b", "pneumonia"), ("c", "pneumonia")):
        image_of(tmp_path / "train-0", name, label)
    patches(study=STUDY, prepared=[tmp_path / "train-0"], output=tmp_path / "out")
    store = PatchStore.open(tmp_path / "out")
    assert store.contents.kinds == {"easy": 0, "hard": 0, "positive": 3}
    assert store.classes.tolist() == ["none", "pneumonia", "pneumonia"]
    whole = np.load(tmp_path / "train-0" / "b.npy")[:, 0]
    np.testing.assert_array_equal(store.read(np.array([1]), 16)[0], whole)
    learner = learner_of(parse_study(STUDY))
    assert isinstance(learner, Learner)
    (player,) = learner.players({"network": Brightness()}, Data(patches=tmp_path / "out"), 1, torch.device("cpu"))
    batch = next(player.source.iterate(0, workers=0, stride=1))
    assert sorted(batch.targets.tolist()) == [0, 0, 1, 1], "each class as often"


def test_the_probabilities_of_an_image_are_one_row(tmp_path: Path) -> None:
    cases = [image_of(tmp_path, "a", None), image_of(tmp_path, "b", "pneumonia")]
    study = parse_study(STUDY)
    learner = learner_of(study)
    assert isinstance(learner, Learner)
    found = {
        case.case_id: learner.predict(Model({"network": Brightness()}), case, ("classes",))["classes"] for case in cases
    }
    assert {name: one.shape for name, one in found.items()} == {"a": (1, 2), "b": (1, 2)}
    assert classes.objective(found, part_of(study, "classes", cases)) == 1.0


def test_a_volume_has_no_class_as_a_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image_of(tmp_path / "train-0", "a", "pneumonia", depth=3)
    with pytest.raises(SystemExit):
        patches(study=STUDY, prepared=[tmp_path / "train-0"], output=tmp_path / "out")
    assert "case a: is a volume, and a class by `label` is told from flat images; give the" in capsys.readouterr().err


def test_a_label_needs_a_matrix() -> None:
    with pytest.raises(HakkenError) as error:
        parse_study(STUDY | {"preparation": {}}, "s.yaml")
    assert str(error.value) == (
        "s.yaml: the method `imagenet_classifier` does not fit preparation.matrix: give columns and rows, so that "
        "every image is seen whole"
    )


def test_the_mean_classifier_knows_labels_too(tmp_path: Path) -> None:
    study = parse_study(
        {key: STUDY[key] for key in ("name", "seed", "cohort", "channels", "reference")} | {"method": "mean_classifier"}
    )
    cases = [image_of(tmp_path, f"{label}{n}", label) for label in (None, "pneumonia") for n in range(3)]
    learner: Any = learner_of(study)
    model = learner.fit(Data(train=tuple(cases)), 1)
    found = {case.case_id: learner.predict(model, case, ("classes",))["classes"] for case in cases}
    assert classes.objective(found, part_of(study, "classes", cases)) == 1.0
    odd = image_of(tmp_path, "odd", "effusion")
    with pytest.raises(HakkenError, match=r"case odd: has the label `effusion`; cohort.classes names none, pneumonia"):
        learner.fit(Data(train=(*cases, odd)), 1)
