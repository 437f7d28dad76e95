"""Classification: lesions to probabilities, tables and balanced accuracy; classes that take turns in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared
from hakken.networks.imagenet.efficientnet_lite import EfficientNetLite0
from hakken.patches.crop_store import CropStore
from hakken.methods.imagenet_classifier.crops import SLICES, lesion_crops, slices_of
from hakken.patches.loader import Batch
from hakken.report.classes import COLUMNS as READ
from hakken.report.classes import read_classified
from hakken.study import Study
from hakken.study.reading import parse_study
from hakken.tasks.choose import task_of
from hakken.methods.imagenet_classifier.learn import COLUMNS, ClassificationTask
from hakken.core.volume import Geometry

CLASSES = ("dark", "bright")
CONTENT: dict[str, Any] = {
    "name": "crops",
    "seed": 1,
    "task": "classification",
    "cohort": {"table": "cases.csv", "truth": "lesion_table", "classes": list(CLASSES)},
    "channels": {name: {"modality": "ct", "normalise": "window", "range": [0, 1]} for name in ("r", "g", "b")},
    "reference": "b",
    "patches": {"axes": 2, "size_voxel": 16},
    "parameters": {"patch_size": 12, "batch_size": 4},
    "training": {"network": "efficientnet_lite0", "input_size": 32},
}


def case_of(folder: Path, number: int, lesion_class: str, *, diameter: float = 8.0) -> PreparedCase:
    """A prepared case of 12 x 24 x 24 voxels of 2 mm with a lesion in its middle."""
    geometry = Geometry((12, 24, 24), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    x, y, z = geometry.to_world([(6, 12, 10)])[0].tolist()
    case = PreparedCase(
        case_id=f"c{number}",
        patient=f"p{number}",
        columns={},
        channels=("r", "g", "b"),
        geometry=geometry,
        source_geometry=geometry,
        normalisation={},
        pixel_digest="",
        has_truth=True,
        lesions=(Lesion(1, x, y, z, diameter, 100.0, lesion_class=lesion_class),),
    )
    image = np.full((3, 12, 24, 24), 0.2 if lesion_class == "dark" else 0.8, np.float32)
    labels = np.zeros((12, 24, 24), np.int16)
    labels[5:8, 11:14, 9:12] = 1
    return save_prepared(folder, case, image, np.ones((12, 24, 24), bool), labels)


@pytest.fixture
def cases(tmp_path: Path) -> list[PreparedCase]:
    return [case_of(tmp_path, number, CLASSES[number % 2]) for number in range(4)]


@pytest.fixture
def study() -> Study:
    return parse_study(CONTENT)


class Brightness(nn.Module):
    """Calls a crop by its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        mean = (crops.mean((1, 2, 3)) - 0.5) * 10 * self.weight
        return torch.stack([-mean, mean], 1)


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


def test_from_cases_to_probabilities_table_and_objective(
    cases: list[PreparedCase], study: Study, tmp_path: Path
) -> None:
    task = task_of(study, 2, study.parameters, cases)
    assert isinstance(task, ClassificationTask)
    network = Brightness()
    found = {case.case_id: task.predict(network, case) for case in cases}
    assert found["c0"].values.shape == (1, 2)
    assert found["c1"].values.sum() == pytest.approx(1)
    assert task.objective(found) == 1
    path = tmp_path / "table.csv"
    path.write_text(task.table(found))
    assert path.read_text().splitlines()[0].split(",") == [*COLUMNS, *CLASSES]
    assert COLUMNS == READ
    classified = read_classified(path, CLASSES)
    assert classified.truth.tolist() == [0, 1, 0, 1]
    assert classified.called.tolist() == [0, 1, 0, 1]
    network.weight.data.fill_(-1)
    assert task.objective({case.case_id: task.predict(network, case) for case in cases}) == 0


def test_a_network_that_gives_no_numbers_is_a_failed_training(cases: list[PreparedCase], study: Study) -> None:
    network = Brightness()
    network.weight.data.fill_(torch.nan)
    with pytest.raises(FloatingPointError):
        task_of(study, 2, study.parameters, cases).predict(network, cases[0])


def test_a_class_that_the_study_does_not_have_is_named(tmp_path: Path, study: Study) -> None:
    case = case_of(tmp_path, 7, "grey")
    with pytest.raises(HakkenError) as error:
        task_of(study, 2, study.parameters, [case]).predict(Brightness(), case)
    expected = "case c7, lesion 1: has the class `grey`; cohort.classes of the study names dark, bright"
    assert str(error.value) == expected


def test_loss_and_network(study: Study) -> None:
    torch.manual_seed(0)
    task = task_of(study, 2, study.parameters, [])
    network = task.network()
    batch = Batch(torch.rand(4, 3, 12, 12), torch.tensor([0, 1, 0, 1]), np.arange(4))
    loss = task.loss(network, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(np.log(2), abs=0.5)
    assert all(weight.grad is not None for weight in network.parameters())
    assert task.negative_ratio == 0
    assert tuple(task.classes) == CLASSES


def test_weights_come_from_the_study(study: Study, tmp_path: Path) -> None:
    torch.manual_seed(5)
    published = EfficientNetLite0(1000).state_dict()
    path = tmp_path / "lite.pth"
    torch.save(published, path)
    weights = {"efficientnet_lite0": {"path": str(path), "sha256": sha256_file(path)}}
    changed = parse_study(CONTENT | {"training": CONTENT["training"] | {"weights": weights}})
    network = task_of(changed, 2, changed.parameters, []).network()
    assert torch.equal(network.backbone._conv_stem.weight, published["_conv_stem.weight"])


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
    assert str(error.value).startswith(f"s.yaml: task `classification` does not fit {remedy}")


def test_crops_of_a_cohort_in_one_file(cases: list[PreparedCase], tmp_path: Path) -> None:
    lesions = [(case, case.lesions[0]) for case in cases]
    store = CropStore.cut(lesions, CLASSES, {f"p{number}": number % 2 for number in range(4)}, 10)
    store.save(tmp_path / "crops.npz")
    again = CropStore.load(tmp_path / "crops.npz")
    assert again.crops.shape == (12, 3, 10, 10)
    assert again.lesion.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert again.truth.tolist() == [0, 1, 0, 1]
    assert again.fold.tolist() == [0, 1, 0, 1]
    assert again.means[:, 0].tolist() == pytest.approx([0.2, 0.8, 0.2, 0.8], abs=1e-3)
    with pytest.raises(HakkenError, match="no crops that can be read"):
        CropStore.load(tmp_path / "nothing.npz")
