"""Regions by place and brightness, blobs within a region, and the class of the nearest enhancement curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.baselines import atlas_regions, blobs_in_region
from hakken.baselines._atlas import labelled
from hakken.baselines._curves import ball, curve, curves_of, nearest
from hakken.core.volume import Geometry
from hakken.imaging.lesions import measure_lesions
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared
from hakken.study import Study
from hakken.study.reading import parse_study

SHAPE = (16, 24, 24)
GRID = Geometry(SHAPE, (2.0, 2.0, 2.0))
CLASSES = ("bright", "late")
CURVES = {"bright": (2.0, 2.0), "late": (0.0, 2.0)}


def study_of(**changed: Any) -> Study:
    content = {
        "name": "organs",
        "seed": 1,
        "method": "dense",
        "cohort": {"table": "cases.csv", "regions": ["body", "organ"], "classes": list(CLASSES)},
        "channels": {"early": {"modality": "mr"}, "late": {"modality": "mr"}},
        "reference": "early",
        "preparation": {"spacing_mm": [2, 2, 2], "mask": "none"},
        "parameters": {"regions": True, "classes": True},
        "outcomes": {"candidates": {}, "regions": {}},
        "inference": {"within": "organ"},
    }
    return parse_study(content | changed)


def case_of(folder: Path, number: int, shift: int = 0) -> PreparedCase:
    """Return a case: a bright organ on the left, two balls of either class in it, one bright ball that is outside."""
    random = np.random.default_rng(number)
    z, y, x = np.indices(SHAPE)
    regions = np.where(x < 13 + shift, 2, 1).astype(np.uint8)
    image = np.stack([1.0 * (regions == 2)] * 2) + random.normal(0, 0.05, (2, *SHAPE))
    labels = np.zeros(SHAPE, np.int16)
    for place, (lesion, name) in enumerate(((1, "bright"), (2, "late"))):
        inside = (z - 8) ** 2 + (y - 6 - 12 * place) ** 2 + (x - 6) ** 2 <= 6
        labels[inside] = lesion
        image[:, inside] += np.array(CURVES[name])[:, None]
    image[:, (z - 8) ** 2 + (y - 12) ** 2 + (x - 20) ** 2 <= 6] += 4
    lesions = tuple(
        Lesion(**{**lesion.as_dict(), "lesion_class": CLASSES[lesion.lesion - 1]})
        for lesion in measure_lesions(labels, GRID)
    )
    name = f"case{number}"
    case = PreparedCase(name, name, ("early", "late"), GRID, GRID, {}, name, True, lesions=lesions, has_regions=True)
    return save_prepared(folder, case, image, np.ones(SHAPE), labels, regions=regions)


@pytest.fixture
def cases(tmp_path: Path) -> list[PreparedCase]:
    return [case_of(tmp_path, number, shift=number % 3 - 1) for number in range(6)]


def test_a_curve_is_the_finding_less_the_organ_around() -> None:
    image = np.zeros((2, 5, 9, 9))
    finding, organ = np.zeros((5, 9, 9), bool), np.zeros((5, 9, 9), bool)
    finding[2, 4, 4:6] = True
    organ[:, :, :8] = True
    image[0, 2, 4, 4:6] = (3, 5)
    image[1][organ] = 7
    image[1, 2, 4, 4:6] = 10
    image[:, :, :, 8] = 99  # beyond the organ
    assert curve(image, finding, organ, (1.0, 1.0, 1.0)).tolist() == [4, 3]
    far = np.zeros_like(organ)
    far[0, 0, 0] = True  # more than 10 mm away: compared with all that there is
    image[0, 0, 0, 0] = 1
    assert curve(image, finding, far, (5.0, 5.0, 5.0)).tolist() == [3, 3]
    assert curve(image, finding, np.zeros_like(organ), (1.0, 1.0, 1.0)).tolist() == [4, 10]


def test_a_ball_has_a_voxel_at_least() -> None:
    assert np.argwhere(ball(np.array([1.4, 2.0, 3.0]), 0.1, (4, 5, 6), (2.0, 2.0, 2.0))).tolist() == [[1, 2, 3]]
    assert int(ball(np.array([2.0, 2.0, 2.0]), 2.0, (5, 5, 5), (2.0, 2.0, 2.0)).sum()) == 7


def test_the_nearest_curves_are_asked() -> None:
    curves, names = np.array([[0.0, 0], [1, 0], [5, 5], [6, 5], [5, 6]]), ["a", "a", "b", "b", "a"]
    assert nearest(curves, names, np.array([5.0, 5.0]), 3) == {"a": pytest.approx(1 / 3), "b": pytest.approx(2 / 3)}
    assert nearest(curves, names, np.array([0.4, 0.0]), 1) == {"a": 1, "b": 0}


def test_only_the_largest_piece_of_a_region_counts() -> None:
    scores = np.zeros((3, 1, 1, 7))
    scores[1], scores[2, 0, 0] = 1, (2, 2, 2, 0, 0, 0, 2)
    mask = np.ones((1, 1, 7))
    mask[..., 1] = 0
    zeros = np.zeros_like(scores)
    assert labelled(scores, zeros, 1.0, np.ones((1, 1, 7))).ravel().tolist() == [2, 2, 2, 1, 1, 1, 1]
    assert labelled(scores, zeros, 1.0, mask).ravel().tolist() == [2, 0, 1, 1, 1, 1, 1], "the first of equals"


def test_place_and_brightness_find_an_organ_whose_border_moves(cases: list[PreparedCase]) -> None:
    study = study_of()
    values = atlas_regions.fit(cases[3:], study, cases[:3])
    assert values["weight"] > 0
    found = atlas_regions.find(values, cases[4])
    truth = cases[4].regions()
    assert (found != truth).mean() < 0.03
    blind = {**values, "weight": 0.0}
    assert (atlas_regions.find(blind, cases[3]) != cases[3].regions()).mean() > (
        atlas_regions.find(values, cases[3]) != cases[3].regions()
    ).mean()


def test_blobs_lie_in_the_organ_and_have_the_class_of_their_curve(cases: list[PreparedCase]) -> None:
    study = study_of()
    values = blobs_in_region.fit(cases[3:], study, cases[:3])
    said = blobs_in_region.predict(values, cases[4], study)
    marks = said["candidates"]
    assert cases[4].regions()[tuple(marks.voxel.astype(int).T)].min() == 2
    called: dict[int, str] = {}
    for lesion, name in zip(marks.labels(cases[4].labels()).tolist(), marks.classes, strict=True):
        called.setdefault(lesion, name)  # the highest first
    assert (called[1], called[2]) == ("bright", "late")
    assert marks.labels(cases[4].labels())[0] > 0
    assert said["case_scores"] == marks.score[0]
    assert blobs_in_region.words(values, study).startswith("Laplacian of a Gaussian, bright on ")
    assert "in the organ, class of the nearest" in blobs_in_region.words(values, study)
    everywhere = study_of(inference={})
    assert blobs_in_region.words(values, everywhere) == blobs_in_region.words(values, study), "the last region"


def test_an_oracle_takes_the_true_organ(cases: list[PreparedCase]) -> None:
    study = study_of(inference={"within": "organ", "oracle": True})
    values = blobs_in_region.fit(cases[3:], study, cases[:3])
    elsewhere = {**values, "atlas": {**values["atlas"], "weight": 0.0}}
    marks = blobs_in_region.predict(elsewhere, cases[3], study)["candidates"]
    assert cases[3].regions()[tuple(marks.voxel.astype(int).T)].min() == 2


def test_curves_are_those_of_lesions_that_count(cases: list[PreparedCase]) -> None:
    found = list(curves_of(cases[0], cases[0].regions() == 2))
    assert [name for _, name in found] == ["bright", "late"]
    assert np.array([seen for seen, _ in found]) == pytest.approx(np.array([CURVES[name] for name in CLASSES]), abs=0.1)
