"""FDG PET/CT of the chest: repeatable, true to its truth, in HU and SUV, and CT explains the uptake only in part."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from hakken.anatomy.chest import Chest, draw_chest
from hakken.cohort.phantom import PhantomCase, phantom_cases, spread_levels
from hakken.imaging.masks import find_mask
from hakken.phantoms._laws import kind_at
from hakken.phantoms.chest_pet_ct.draw import PetCt, breathe, draw_case
from hakken.phantoms.chest_pet_ct.foci import SHARES, draw_foci
from hakken.phantoms.chest_pet_ct.uptake import draw_uptake
from hakken.study import Study

pytestmark = pytest.mark.xdist_group("chest pet ct")  # Its fixtures are made once, on one worker.

PHANTOM: dict[str, Any] = {
    "generator": "chest_pet_ct",
    "cases": {"train": 10, "validation": 12, "test": 68},
    "shape_mm": [210, 150, 100],
    "spacing_mm": 4.0,
}
CT = {"modality": "ct", "normalise": "window", "range": [-1000, 1000]}
PET = {"modality": "pet", "normalise": "window", "range": [0, 20]}


def a_study(reference: str = "PET", **phantom: Any) -> Study:
    content = {"name": "chests", "seed": 3, "cohort": {"phantom": PHANTOM | phantom}, "reference": reference}
    return Study.model_validate(content | {"channels": {"CT": CT, "PET": PET}})


@pytest.fixture(scope="module")
def study() -> Study:
    return a_study()


@pytest.fixture(scope="module")
def drawings(study: Study) -> list[tuple[PhantomCase, PetCt]]:
    """Return some of the test cases."""
    return [(case, draw_case(case, study)) for case in phantom_cases(study)[-24:]]


@pytest.fixture(scope="module")
def chest() -> Chest:
    return draw_chest((280, 200, 130), 4.0, 50, np.random.default_rng(1))


def test_training_is_normal_and_34_test_cases_have_45_foci_as_published(study: Study) -> None:
    cases = phantom_cases(study)
    assert {case.lesions for case in cases if case.part == "train"} == {0}
    counts = [case.lesions for case in cases if case.part == "test"]
    assert (sum(count > 0 for count in counts), sum(counts)) == (34, 45)


def test_channels_are_told_apart_by_their_modality_and_ct_is_the_finer(study: Study) -> None:
    drawn = draw_case(phantom_cases(study)[0], study)
    images = drawn.images(study)
    assert list(images) == ["CT", "PET"]
    assert images["CT"].array.dtype == np.int16
    assert images["PET"].array.dtype == np.float32
    assert np.array(images["PET"].spacing) == pytest.approx(2 * np.array(images["CT"].spacing))


@pytest.mark.parametrize("reference", ["CT", "PET"])
def test_labels_match_the_truth_on_the_reference(reference: str) -> None:
    study = a_study(reference)
    chosen = [case for case in phantom_cases(study) if case.lesions > 1][:3]
    for case in chosen:
        drawing = draw_case(case, study)
        labels, truths = drawing.lesions, drawing.truth["lesions"]
        assert labels.matches(drawing.images(study)[reference])
        assert sorted(np.unique(labels.array)) == list(range(len(truths) + 1))
        for truth in truths:
            voxels = np.argwhere(labels.array == truth["lesion"])
            assert labels.to_world(voxels).mean(0) == pytest.approx(truth["centre"], abs=1e-3)
            assert len(voxels) * labels.geometry.voxel_mm3 == pytest.approx(truth["volume_mm3"], abs=1e-3)


def test_a_focus_lies_at_the_same_place_on_both_grids_but_for_the_breath() -> None:
    fine = {"shape_mm": [280, 200, 130], "spacing_mm": 3.0}
    case = next(case for case in phantom_cases(a_study()) if case.lesions == 1)
    on_pet, on_ct = (draw_case(case, a_study(reference, **fine)).truth for reference in ("PET", "CT"))
    apart = np.linalg.norm(np.subtract(on_pet["lesions"][0]["centre"], on_ct["lesions"][0]["centre"]))
    assert apart < abs(on_pet["breath_mm"]) + 4


def test_units_are_hounsfield_and_suv(drawings: list[tuple[PhantomCase, PetCt]]) -> None:
    for case, drawing in drawings[:6]:
        ct, pet = drawing.ct.array, drawing.pet.array
        assert np.percentile(ct, 1) == pytest.approx(-1000, abs=40)
        assert 0.35 < (ct > -400).mean() < 0.95
        assert pet.min() >= 0
        assert 0.25 < np.median(pet[find_mask(drawing.pet, "body", "pet")]) < 1.2
        assert case.lesions == len(drawing.truth["lesions"])


def test_a_focus_takes_up_more_than_what_is_around_it(study: Study) -> None:
    drawings = [draw_case(case, study) for case in phantom_cases(study) if case.part == "test" and case.lesions]
    gains = [
        drawing.pet.array[drawing.lesions.array == truth["lesion"]].max() - np.median(drawing.pet.array)
        for drawing in drawings
        for truth in drawing.truth["lesions"]
    ]
    assert len(gains) == 45
    assert min(gains) > 0.2
    assert np.median(gains) > 1


def test_the_brightest_voxel_does_not_tell_who_is_ill(drawings: list[tuple[PhantomCase, PetCt]]) -> None:
    brightest = np.array([drawing.pet.array.max() for _, drawing in drawings])
    ill = np.array([case.lesions > 0 for case, _ in drawings])
    above = (brightest[ill][:, None] > brightest[~ill]).mean()
    assert 0.2 < above < 0.8


def test_uptake_varies_most_in_the_heart_and_least_in_the_lung_though_the_chest_is_the_same(chest: Chest) -> None:
    images = np.stack([draw_uptake(chest, np.random.default_rng(seed))[0] for seed in range(25)])
    deviation = images.std(0)
    heart, lung = chest.share("myocardium") > 0.9, chest.share("lung") > 0.9
    assert np.median(deviation[heart]) > 10 * np.median(deviation[lung])
    neck = (chest.share("fat") > 0.9) & (chest.frame.grid.axes()[2] > 0.8 * chest.frame.half[2])
    assert deviation[neck].max() > 0.6  # brown fat


def test_stout_patients_take_up_more() -> None:
    chests = [draw_chest((280, 200, 130), 8.0, 50, np.random.default_rng(seed)) for seed in range(24)]
    stout = np.array([chest.frame.stout for chest in chests])
    liver = [draw_uptake(chest, np.random.default_rng(100 + n))[1]["blood"] for n, chest in enumerate(chests)]
    assert np.corrcoef(stout, liver)[0, 1] > 0.3


def test_breathing_moves_the_abdomen_and_not_the_shoulders(chest: Chest) -> None:
    liver = chest.share("liver")
    z = chest.frame.grid.axes()[2].ravel()
    moved = breathe(liver, chest, 8.0)
    height = [(share.sum((1, 2)) * z).sum() / share.sum() for share in (liver, moved)]
    assert height[1] - height[0] > 0.5
    image = np.random.default_rng(0).standard_normal(liver.shape).astype(np.float32)
    top = z > 0.3 * chest.frame.half[2]
    assert np.array_equal(breathe(image, chest, 8.0)[top], image[top])
    assert breathe(image, chest, 0.0) == pytest.approx(image)


def test_shares_of_tissues_add_up_to_the_body(chest: Chest) -> None:
    names = {name.partition("/")[0] for name in chest.layers}
    assert chest.share(*names).max() == pytest.approx(1)
    parts = sum(chest.share(name) for name in names)
    assert np.allclose(parts, chest.share(*names), atol=1e-4)


def test_foci_do_not_touch_and_lie_in_their_tissue(chest: Chest) -> None:
    levels = spread_levels(32, np.random.default_rng(0))
    drawn = [draw_foci(chest, levels[n : n + 4], np.random.default_rng(n)) for n in range(0, 32, 4)]
    assert {focus.kind for foci in drawn for focus in foci} == set(SHARES)
    for foci in drawn[:4]:
        assert np.sum([focus.share > 0 for focus in foci], 0).max() == 1


def test_kinds_have_their_shares() -> None:
    levels = (np.arange(500) + 0.5) / 500
    counts = Counter(kind_at(level, SHARES) for level in levels)
    assert sum(SHARES.values()) == pytest.approx(1)
    for kind, share in SHARES.items():
        assert counts[kind] / 500 == pytest.approx(share, abs=0.01)
