"""Emergency head CT: repeatable, true to its truth, in Hounsfield units, and not told apart by its brightness."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from hakken.cohort.phantom import PhantomCase, phantom_cases
from hakken.imaging.masks import find_mask, without_rim
from hakken.phantoms import OneImage
from hakken.phantoms._laws import kind_at
from hakken.phantoms.head_ct.draw import draw_case
from hakken.phantoms.head_ct.pathologies import SHARES
from hakken.study import Study

pytestmark = pytest.mark.xdist_group("head ct")  # Its fixtures are made once, on one worker.

PHANTOM: dict[str, Any] = {
    "generator": "head_ct",
    "cases": {"train": 10, "validation": 12, "test": 38},
    "shape_mm": [90, 110, 80],
    "spacing_mm": 2.5,
}


@pytest.fixture(scope="module")
def study() -> Study:
    content = {
        "name": "heads",
        "seed": 3,
        "cohort": {"phantom": PHANTOM},
        "channels": {"CT": {"modality": "ct", "normalise": "window", "range": [0, 80]}},
        "reference": "CT",
    }
    return Study.model_validate(content)


@pytest.fixture(scope="module")
def drawings(study: Study) -> list[tuple[PhantomCase, OneImage]]:
    """Return the test cases."""
    return [(case, draw_case(case, study)) for case in phantom_cases(study) if case.part == "test"]


@pytest.fixture(scope="module")
def brains(drawings: list[tuple[PhantomCase, OneImage]]) -> list[NDArray[np.bool_]]:
    """What lies deep in each head and is no bone: brain."""
    images = [drawing.image for _, drawing in drawings]
    deep = [without_rim(find_mask(image, "body", "ct"), image.spacing, 9.0) for image in images]
    return [inside & (image.array < 100) for inside, image in zip(deep, images, strict=True)]


def test_no_training_case_has_a_lesion_and_22_of_38_test_cases_have(study: Study) -> None:
    abnormal = Counter(case.part for case in phantom_cases(study) if case.lesions)
    # 42 % of 12 are 5 normal cases, of 38 they are 16
    assert abnormal == {"validation": 7, "test": 22}


def test_labels_match_the_truth(drawings: list[tuple[PhantomCase, OneImage]]) -> None:
    for case, drawing in drawings:
        labels, truths = drawing.lesions, drawing.truth["lesions"]
        assert labels.matches(drawing.image)
        assert bool(truths) == bool(case.lesions)
        assert sorted(np.unique(labels.array)) == list(range(len(truths) + 1))
        for truth in truths:
            voxels = np.argwhere(labels.array == truth["lesion"])
            assert labels.to_world(voxels).mean(0) == pytest.approx(truth["centre"], abs=1e-3)
            assert len(voxels) * labels.geometry.voxel_mm3 == pytest.approx(truth["volume_mm3"], abs=1e-3)


def test_densities_are_hounsfield_units(
    study: Study, drawings: list[tuple[PhantomCase, OneImage]], brains: list[NDArray[np.bool_]]
) -> None:
    for (_, drawing), inside in zip(drawings[:6], brains, strict=False):
        assert list(drawing.images(study)) == ["CT"]
        image = drawing.image.array
        assert image.dtype == np.int16
        assert image.min() >= -1024
        assert np.percentile(image, 1) == pytest.approx(-1000, abs=20)
        brain = image[inside & (drawing.lesions.array == 0)]
        # the mean of the middle half: a median of whole numbers is a whole number
        assert 28 < stats.trim_mean(brain, 0.25) < 40
        assert np.percentile(image, 99) > 500  # bone


def test_blood_is_brighter_and_an_infarct_darker_than_the_brain(
    drawings: list[tuple[PhantomCase, OneImage]], brains: list[NDArray[np.bool_]]
) -> None:
    inner: dict[str, list[float]] = {}
    for (_, drawing), mask in zip(drawings, brains, strict=True):
        brain = np.median(drawing.image.array[mask])
        for truth in drawing.truth["lesions"]:
            values = drawing.image.array[drawing.lesions.array == truth["lesion"]]
            inner.setdefault(truth["kind"], []).append(float(np.median(values) - brain))
    assert set(inner) == set(SHARES)
    assert min(inner["parenchymal haemorrhage"]) > 10
    assert max(inner["infarct"]) < -3


def test_neither_mean_nor_maximum_of_a_head_separates_the_classes(
    drawings: list[tuple[PhantomCase, OneImage]], brains: list[NDArray[np.bool_]]
) -> None:
    abnormal = np.array([case.lesions > 0 for case, _ in drawings])
    inside = [drawing.image.array[mask] for (_, drawing), mask in zip(drawings, brains, strict=True)]
    for measure in (np.mean, np.max):
        values = np.array([measure(np.clip(values, 0, None)) for values in inside], float)
        assert 0.25 < roc_auc_score(abnormal, values) < 0.75


def test_kinds_have_their_shares() -> None:
    levels = (np.arange(500) + 0.5) / 500
    counts = Counter(kind_at(level, SHARES) for level in levels)
    assert sum(SHARES.values()) == pytest.approx(1)
    for kind, share in SHARES.items():
        assert counts[kind] / 500 == pytest.approx(share, abs=0.01)
