"""FDG PET/CT from vertex to thigh: repeatable, true to its labels, and what differs between CT and PET is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hakken.anatomy.scanners import draw_pose
from hakken.cohort.phantom import PhantomCase, phantom_cases, spread_levels, table_of
from hakken.phantoms._laws import kind_at
from hakken.phantoms.whole_body_pet_ct.body import Body, draw_body
from hakken.phantoms.whole_body_pet_ct.draw import REGIONS, PetCt, bed_noise, breathe, draw_case
from hakken.phantoms.whole_body_pet_ct.facts import Facts, facts_of
from hakken.phantoms.whole_body_pet_ct.foci import KINDS, SHARES, draw_foci
from hakken.phantoms.whole_body_pet_ct.uptake import LAWS, draw_density, draw_levels, draw_uptake
from hakken.study import BODY_REGIONS, Study

pytestmark = pytest.mark.xdist_group("whole body pet ct")  # Its fixtures are made once, on one worker.

CT = {"modality": "ct", "normalise": "window", "range": [-1000, 1000]}
PET = {"modality": "pet", "normalise": "window", "range": [0, 40], "scale": "log", "target": True}


def a_study(reference: str = "PET", **phantom: Any) -> Study:
    generator = {"generator": "whole_body_pet_ct", "cases": {"train": 4, "validation": 4, "test": 60}, "spacing_mm": 8}
    content = {"name": "bodies", "seed": 3, "cohort": {"phantom": generator | phantom}, "reference": reference}
    return Study.model_validate(content | {"channels": {"CT": CT, "PET": PET}})


@pytest.fixture(scope="module")
def study() -> Study:
    return a_study()


@pytest.fixture(scope="module")
def drawings(study: Study) -> list[tuple[PhantomCase, PetCt]]:
    return [(case, draw_case(case, study)) for case in phantom_cases(study)[8:13]]


def a_body(seed: int = 1, **changes: Any) -> Body:
    facts: dict[str, Any] = {"age": 60, "sex": "F", "stout": 0.5, "arms": "up"} | changes
    return draw_body((520, 320, 1000), 8.0, random=np.random.default_rng(seed), **facts)


def test_training_is_normal_and_foci_of_all_kinds_and_sizes_are_tested(study: Study) -> None:
    cases = phantom_cases(study)
    assert {case.lesions for case in cases if case.part == "train"} == {0}
    levels = [level for case in cases if case.part == "test" for level in case.levels]
    assert len(levels) >= 40
    assert set(Counter(kind_at(level.kind, SHARES) for level in levels)) == set(KINDS)
    sizes = np.histogram([level.size for level in levels], 4, (0, 1))[0]
    assert np.ptp(sizes) <= 1


def test_regions_are_named_as_everywhere() -> None:
    assert REGIONS == BODY_REGIONS


def test_pet_is_the_coarser_and_labels_match_the_truth(drawings: list[tuple[PhantomCase, PetCt]]) -> None:
    for case, drawn in drawings:
        assert np.array(drawn.pet.spacing) == pytest.approx(1.5 * np.array(drawn.ct.spacing))
        assert drawn.lesions.matches(drawn.pet)
        assert drawn.regions.matches(drawn.pet)
        assert len(drawn.truth["lesions"]) == case.lesions
        for truth in drawn.truth["lesions"]:
            voxels = np.argwhere(drawn.lesions.array == truth["lesion"])
            assert drawn.lesions.to_world(voxels).mean(0) == pytest.approx(truth["centre"], abs=1e-3)


def test_every_region_is_there_and_in_its_order(drawings: list[tuple[PhantomCase, PetCt]]) -> None:
    for _, drawn in drawings:
        labels, world = drawn.regions.array, drawn.regions.geometry
        heights = [world.to_world(np.argwhere(labels == number))[:, 2].mean() for number in range(1, 7)]
        assert heights == sorted(heights, reverse=True)
        assert {REGIONS.index("kidneys") + 1, REGIONS.index("bladder") + 1} <= set(np.unique(labels).tolist())


def test_numbers_are_those_of_ct_and_of_uptake(drawings: list[tuple[PhantomCase, PetCt]]) -> None:
    for _, drawn in drawings:
        labels, suv = drawn.regions.array, drawn.pet.array
        assert drawn.ct.array.min() >= -1024
        assert suv.min() >= 0
        bladder = suv[labels == REGIONS.index("bladder") + 1].max()
        assert bladder > 4 * np.median(suv[labels == REGIONS.index("abdomen") + 1])
        assert suv[labels == 1].max() > 3, "the brain"


def test_examinations_of_a_patient_show_the_same_body_and_another_uptake(study: Study) -> None:
    first, second = next(
        (one, other)
        for one, other in zip(phantom_cases(study), phantom_cases(study)[1:], strict=False)
        if one.patient == other.patient
    )
    assert facts_of(first, study.seed).weight == facts_of(second, study.seed).weight
    uptakes = [draw_case(case, study).truth["uptake_suv"]["liver"] for case in (first, second)]
    assert uptakes[0] != uptakes[1]


def test_facts_are_columns_where_a_study_asks_for_them(study: Study, tmp_path: Any) -> None:
    asking = Study.model_validate(
        study.model_dump(mode="json", exclude_defaults=True)
        | {"scalars": {"weight": {"range": [50, 90], "limits": [20, 300]}, "arms": {"words": {"down": 0, "up": 1}}}}
    )
    plain, asked = (table_of(one, tmp_path, 8).cases[0].columns for one in (study, asking))
    assert "weight" not in plain
    facts = facts_of(phantom_cases(asking)[0], asking.seed)
    assert (asked["weight"], asked["arms"]) == (f"{facts.weight:g}", facts.arms)
    assert "minutes" not in asked


def test_arms_lie_above_the_head_or_beside_the_trunk() -> None:
    up, down = (a_body(arms=arms) for arms in ("up", "down"))
    shares = [body.share("muscle", "fat", "bone", "marrow") for body in (up, down)]
    x, _, t = up.frame.axes
    beside_head = (np.abs(x) > 95) & (t < 200)
    beside_trunk = (np.abs(x) > 205) & (t > 500) & (t < 700)
    for zone, here, there in ((beside_head, 0, 1), (beside_trunk, 1, 0)):
        where = np.broadcast_to(zone, shares[0].shape)
        assert shares[here][where].sum() > 50 * shares[there][where].sum()


def test_uptake_follows_time_age_and_sex_on_average() -> None:
    def level(name: str, *, minutes: int = 65, age: int = 60, sex: str = "F") -> float:
        body, facts = a_body(sex=sex), Facts(70.0, minutes, "up", 0.5)
        drawn = [draw_levels(body, facts, age, np.random.default_rng(seed))[name] for seed in range(30)]
        return float(np.log(drawn).mean())

    assert level("blood", minutes=125) - level("blood") == pytest.approx(-0.45)
    assert level("bladder", minutes=125) - level("bladder") == pytest.approx(0.6)
    assert level("brain", age=80) - level("brain") == pytest.approx(-0.14)
    assert level("muscle", sex="M") - level("muscle") == pytest.approx(0.18)


def test_physiological_uptake_varies_without_a_trace_on_ct() -> None:
    body, facts = a_body(), Facts(70.0, 65, "up", 0.5)
    levels = [draw_levels(body, facts, 60, np.random.default_rng(seed)) for seed in range(60)]
    heart = np.array([one["myocardium"] / one["heart"] for one in levels])
    assert 0.3 < (heart < 1.4).mean() < 0.8, "on or off"
    assert np.std(np.log([one["bladder"] for one in levels])) > 0.35
    worked = []
    for seed in range(24):
        level = dict(levels[0])
        draw_uptake(body, level, np.random.default_rng(seed))
        worked.append("worked muscle" in level)
    assert 0 < np.mean(worked) < 0.5


def test_what_breathes_is_displaced_at_the_diaphragm_alone() -> None:
    body = a_body()
    image = draw_uptake(body, {name: law.median for name, law in LAWS.items()}, np.random.default_rng(0))
    moved = breathe(image, body, 20.0)
    t = body.frame.axes[2].ravel()
    changed = np.abs(moved - image).max((1, 2)) > 0.2
    assert changed[np.argmin(np.abs(t - body.frame.dome))]
    assert not changed[(t < body.frame.dome - 100) | (t > body.frame.dome + 220)].any()
    assert np.array_equal(breathe(image, body, 0.0), image)


def test_the_bladder_fills_between_ct_and_pet(study: Study, drawings: list[tuple[PhantomCase, PetCt]]) -> None:
    body = a_body()
    before, after = (one.share("bladder").sum() for one in (body, body.filled(body.frame.bladder_ml + 50)))
    voxel_ml = (8.0 / body.frame.scale) ** 3 / 1000
    assert (after - before) * voxel_ml == pytest.approx(50, rel=0.25)
    assert all(5 <= drawn.truth["filled_ml"] <= 60 for _, drawn in drawings)


def test_a_displaced_diaphragm_and_a_fuller_bladder_lie_far_above_what_ct_lets_expect() -> None:
    """The trap: z of 3 and more in normal cases, at the diaphragm and in the bladder, and nowhere else."""
    body = a_body()
    level = {name: law.median for name, law in LAWS.items()}
    expected, full = (
        draw_uptake(one, dict(level), np.random.default_rng(1))
        for one in (body, body.filled(body.frame.bladder_ml + 60))
    )
    z = (np.log1p(breathe(full, body, 15.0)) - np.log1p(expected)) / 0.1
    t = body.frame.axes[2].ravel()
    high = t[(z > 3).any((1, 2))]
    assert ((np.abs(high - body.frame.dome) < 260) | (high > 730)).all()
    assert (np.abs(high - body.frame.dome) < 100).any()
    assert (high > 730).any()


def test_noise_steps_at_the_borders_of_the_beds() -> None:
    factors = bed_noise(a_body(), np.random.default_rng(2)).ravel()
    steps = np.flatnonzero(np.diff(factors))
    assert len(steps) == 6, "seven beds of 160 mm in 1,000 mm"
    assert set(np.diff(steps)) <= {19, 20, 21}, "slices of 8 mm of a body that is nearly an adult's"


def test_a_focus_is_hotter_and_mostly_denser_and_none_touches_another() -> None:
    body = a_body()
    random = np.random.default_rng(4)
    foci = draw_foci(body, spread_levels(8, random), random)
    assert len(foci) == 8
    density, uptake = draw_density(body, random), np.ones(body.frame.grid.shape, np.float32)
    for focus in foci:
        before = uptake.copy()
        focus.paint(density, uptake)
        assert (uptake >= before).all()
        assert uptake[focus.share > 0.9].min() > 1.5
    assert (sum(focus.share > 0 for focus in foci) <= 1).all()


def test_scanners_differ_in_noise(study: Study) -> None:
    case = replace(phantom_cases(study)[0], lesions=0, levels=())
    found = {}
    for scanner in ("A", "C"):
        drawn = draw_case(replace(case, scanner=scanner), study)
        inside = drawn.pet.array[(drawn.regions.array == 5)]
        found[scanner] = np.abs(np.diff(inside)).mean()
    assert found["C"] > found["A"]


def test_poses_are_small_enough_for_the_whole_body_to_stay_in_view() -> None:
    pose = draw_pose(6, 2, np.zeros(3), np.random.default_rng(0))
    assert np.abs(pose.shift).max() <= 6
