"""Chests with nodules on CT and MR: true to their truth, the same patient on both, nodules on what they hang on."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from hakken.cohort.phantom import PhantomCase, phantom_cases, spread_levels
from hakken.core.volume import Geometry
from hakken.imaging.lesions import measure_lesions
from hakken.phantoms import Levels, OneImage
from hakken.phantoms._laws import kind_at
from hakken.phantoms.lung_nodule import Options
from hakken.phantoms.lung_nodule.contrast import MAGNETS, through_mr
from hakken.phantoms.lung_nodule.draw import draw_case
from hakken.phantoms.lung_nodule.lungs import Lungs, draw_lungs
from hakken.phantoms.lung_nodule.nodules import (
    ATTACHMENTS,
    draw_nodules,
    drawn_shape,
    size_at,
)
from hakken.phantoms.lung_nodule.trees import PLACES, draw_trees
from hakken.study import Study

pytestmark = pytest.mark.xdist_group("lung nodule")  # Its fixtures are made once, on one worker.

PHANTOM: dict[str, Any] = {
    "generator": "lung_nodule",
    "cases": {"train": 6, "validation": 6, "test": 24},
    "shape_mm": [200, 150, 120],
    "spacing_mm": 3.0,
}


def a_study(modality: str, **phantom: Any) -> Study:
    content = {"name": "chests", "seed": 3, "cohort": {"phantom": PHANTOM | phantom}, "reference": "A"}
    return Study.model_validate(content | {"channels": {"A": {"modality": modality}}})


@pytest.fixture(scope="module")
def drawings() -> dict[str, list[tuple[PhantomCase, OneImage]]]:
    """Return the same cases on CT and on MR."""
    found = {}
    for modality in ("ct", "mr"):
        study = a_study(modality)
        chosen = [case for case in phantom_cases(study) if case.lesions >= 2][:3]
        found[modality] = [(case, draw_case(case, study)) for case in chosen]
    return found


@pytest.fixture(scope="module")
def lungs() -> Lungs:
    options = Options.model_validate({"generator": "lung_nodule", "cases": PHANTOM["cases"]} | SMALL)
    return draw_lungs(options, 50, np.random.default_rng(1))


SMALL = {"shape_mm": [220, 160, 150], "spacing_mm": 2.0}


def test_a_small_test_set_holds_forty_nodules_of_all_sizes() -> None:
    cases = [case for case in phantom_cases(a_study("ct")) if case.part == "test"]
    assert (sum(case.lesions == 0 for case in cases), sum(case.lesions for case in cases)) == (5, 39)
    levels = [level for case in cases for level in case.levels]
    sizes = sorted(size_at(level.size) for level in levels)
    assert (sizes[0] < 3.5, sizes[-1] > 15) == (True, True)
    kinds = Counter(kind_at(level.kind, ATTACHMENTS) for level in levels)
    assert all(abs(kinds[name] / len(levels) - share) < 0.06 for name, share in ATTACHMENTS.items()), kinds


def test_the_same_patient_lies_on_ct_and_on_mr(drawings: dict[str, list[tuple[PhantomCase, OneImage]]]) -> None:
    for (case, ct), (other, mr) in zip(drawings["ct"], drawings["mr"], strict=True):
        assert case.case_id == other.case_id
        assert [one["centre"] for one in ct.truth["lesions"]] == [one["centre"] for one in mr.truth["lesions"]]
        assert mr.image.spacing[2] == MAGNETS[case.scanner].slice_mm


def test_labels_have_the_place_and_the_volume_of_the_nodules(
    drawings: dict[str, list[tuple[PhantomCase, OneImage]]],
) -> None:
    for case, drawn in [pair for pairs in drawings.values() for pair in pairs]:
        found = measure_lesions(drawn.lesions.array, drawn.lesions.geometry)
        assert [one.lesion for one in found] == list(range(1, case.lesions + 1))
        for measured, true in zip(found, drawn.truth["lesions"], strict=True):
            voxel = drawn.truth["voxel_mm3"]
            apart = np.linalg.norm(np.subtract(measured.centre, true["centre"]))
            assert apart < 0.35 * true["diameter_mm"] + max(drawn.image.spacing) / 2
            if true["class"] == "isolated":  # others are cut by what they hang on
                whole = np.pi / 6 * true["diameter_mm"] ** 3
                assert abs(measured.size - whole) < 0.15 * whole + 0.6 * voxel


def test_nodules_stand_out_from_the_lung_as_ct_and_mr_show_them(
    drawings: dict[str, list[tuple[PhantomCase, OneImage]]],
) -> None:
    for modality, dark in (("ct", -750.0), ("mr", 0.2)):
        for case, drawn in drawings[modality]:
            values = drawn.image.array / (1 if modality == "ct" else MAGNETS[case.scanner].gain)
            for true in drawn.truth["lesions"]:
                if true["texture"] == "solid" and true["diameter_mm"] > 8:
                    assert np.median(values[drawn.lesions.array == true["lesion"]]) > dark


def test_ct_is_in_hounsfield_units_and_the_lung_full_of_air(
    drawings: dict[str, list[tuple[PhantomCase, OneImage]]],
) -> None:
    for _, drawn in drawings["ct"]:
        values = drawn.image.array
        assert -1024 <= values.min() < -950
        middle = values[values.shape[0] // 2]
        assert 0.1 < np.mean((middle > -920) & (middle < -600)) < 0.6


def test_nodules_hang_on_what_they_say(lungs: Lungs) -> None:
    levels = spread_levels(24, np.random.default_rng(2))
    grid = lungs.chest.frame.grid
    found = draw_nodules(lungs, levels, drawn_shape, np.random.default_rng(3))
    assert len(found) == 24
    depths: dict[str, list[float]] = {name: [] for name in ATTACHMENTS}
    for nodule in found:
        radius = nodule.diameter_mm / 2
        depths[nodule.attachment].append(float(grid.sample(lungs.depth, nodule.centre[None])[0]) - radius)
        if nodule.attachment == "vessel":
            wall = lungs.vessels.near(nodule.centre, radius + 4).distance(nodule.centre[None])[0]
            assert wall < radius, "the vessel's wall lies within the nodule"
    assert np.median(depths["isolated"]) > 1
    assert np.median(depths["pleura"]) < 0
    centres = np.array([nodule.centre for nodule in found])
    apart = np.linalg.norm(centres[:, None] - centres, axis=-1) + 99 * np.eye(24)
    assert apart.min() > 3


def test_trees_fill_both_lungs_and_thin_out_as_they_divide(lungs: Lungs) -> None:
    trees = draw_trees(lungs.chest, lungs.depth, np.random.default_rng(4))
    middles = trees.vessels.ends.mean(1)
    for side in (-1, 1):
        own = trees.vessels.radii.mean(-1)[middles[:, 0] * side > 0]
        assert len(own) > 2 * PLACES
        assert own.max() > 4 * np.median(own)
    inside = lungs.chest.frame.grid.sample(lungs.depth, middles) > 0
    assert inside.mean() > 0.85
    assert (trees.lumina.radii < trees.walls.radii).all()


def test_a_part_solid_nodule_is_denser_in_its_middle(lungs: Lungs) -> None:
    (nodule,) = draw_nodules(lungs, [Levels(0.9, 0.1, 0.1)], drawn_shape, np.random.default_rng(3))
    assert nodule.describe()["texture"] == "part-solid"
    box, share, solid = nodule.share(lungs.chest.frame.grid)
    assert share.shape == tuple(part.stop - part.start for part in box)
    assert solid.max() == 1 > nodule.density == pytest.approx(solid[share > 0.5].min())
    (small,) = draw_nodules(lungs, [Levels(0.01, 0.1, 0.1)], drawn_shape, np.random.default_rng(3))
    assert small.is_solid, "too small to show a core"
    volume = float(small.share(lungs.chest.frame.grid)[1].sum()) * lungs.chest.frame.grid.step**3
    assert volume == pytest.approx(np.pi / 6 * small.diameter_mm**3, rel=0.01)


def test_what_moves_is_seen_again_before_and_behind() -> None:
    moving = np.zeros((4, 40, 10), np.float32)
    moving[:, 20, 5] = 10
    scanner = MAGNETS["A"]
    geometry = Geometry(moving.shape, (2.0, 2.0, 3.0))
    shown = through_mr((moving, moving), scanner, geometry, np.random.default_rng(5)) / scanner.gain
    column = shown[:, :, 5].mean(0)
    ghosts = np.sort(np.argsort(-column)[1:3])
    assert ghosts.sum() % 40 == 0, "the two lie as far before as behind"
    assert 0.2 < column[ghosts].mean() < 0.8


def test_shapes_are_read_from_no_package_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hakken.phantoms.lung_nodule.draw.lidc_shapes", lambda: pytest.fail("read"))
    study = a_study("ct")
    draw_case(next(case for case in phantom_cases(study) if case.lesions), study)
