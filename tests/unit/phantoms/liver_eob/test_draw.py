"""Five-phase liver MR: true to its truth, little motion, every scanner everywhere, lesions and regions labelled."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from hakken.cohort.phantom import check_channels, phantom_cases
from hakken.core.errors import HakkenError
from hakken.phantoms import PhantomCase
from hakken.phantoms.liver_eob import CLASSES, PHASES
from hakken.phantoms.liver_eob.draw import MOTION, REFERENCE, FivePhases, draw_case
from hakken.phantoms.liver_eob.nodules import APART_MM, LARGEST_MM, MIMICS, SMALLEST_MM
from hakken.study import Study

pytestmark = pytest.mark.xdist_group("liver eob")  # Its fixtures are made once, on one worker.

PHANTOM: dict[str, Any] = {
    "generator": "liver_eob",
    "cases": {"train": 12, "validation": 6, "test": 16},
    "shape_mm": [180, 140, 90],
    "spacing_mm": 3.0,
}


def study_of(**phantom: Any) -> Study:
    channels = {phase: {"modality": "mr", "normalise": "median"} for phase in PHASES}
    cohort = {"phantom": PHANTOM | phantom}
    return Study.model_validate(
        {"name": "eob", "seed": 3, "cohort": cohort, "channels": channels, "reference": REFERENCE}
    )


@pytest.fixture(scope="module")
def drawn() -> list[tuple[PhantomCase, FivePhases]]:
    study = study_of()
    cases = [case for case in phantom_cases(study) if case.lesions][:6]
    return [(case, draw_case(case, study)) for case in cases]


def test_every_scanner_is_in_every_part_and_lesions_are_enough() -> None:
    for sizes in (PHANTOM["cases"], {"train": 40, "validation": 16, "test": 24}):
        cases = phantom_cases(study_of(cases=sizes))
        for part in ("train", "validation", "test"):
            own = [case for case in cases if case.part == part]
            assert {case.scanner for case in own} == {"A", "B", "C", "D"}
            assert max(case.lesions for case in own) == 6
    tiny = [case.lesions for case in phantom_cases(study_of()) if case.part == "test"]
    assert (len(tiny), sum(tiny) >= 40, tiny.count(0)) == (16, True, 2)


def test_a_case_has_as_many_lesions_as_its_cohort_says(drawn: list[tuple[PhantomCase, FivePhases]]) -> None:
    classes: Counter[str] = Counter()
    for case, drawing in drawn:
        lesions = drawing.truth["lesions"]
        assert len(lesions) == case.lesions
        assert set(np.unique(drawing.lesions.array).tolist()) == set(range(case.lesions + 1))
        classes.update(lesion["class"] for lesion in lesions)
        low, high = MIMICS["classes"]
        assert len(drawing.truth["mimics"]) <= high
        assert low > 0
    assert set(classes) <= set(CLASSES)
    assert len(classes) >= 4


def test_labels_lie_at_the_truth_in_the_liver(drawn: list[tuple[PhantomCase, FivePhases]]) -> None:
    for _, drawing in drawn:
        geometry = drawing.lesions.geometry
        assert drawing.regions.array.dtype == np.uint8
        for lesion in drawing.truth["lesions"]:
            voxels = np.argwhere(drawing.lesions.array == lesion["lesion"])
            assert np.linalg.norm(geometry.to_world(voxels).mean(0) - lesion["centre"]) < 0.3 * lesion[
                "diameter_mm"
            ] + max(geometry.spacing)
            assert (drawing.regions.array[tuple(voxels.T)] == 2).mean() > 0.8
            scale = PHANTOM["shape_mm"][0] / 330
            assert 0.5 * scale * SMALLEST_MM <= lesion["diameter_mm"] <= scale * LARGEST_MM
        sizes = np.bincount(drawing.regions.array.ravel(), minlength=3)
        assert len(sizes) == 3
        assert sizes[1] > sizes[2] > 0.1 * sizes[1]


def test_nodules_do_not_touch(drawn: list[tuple[PhantomCase, FivePhases]]) -> None:
    near = total = 0
    for _, drawing in drawn:
        nodules = [*drawing.truth["lesions"], *drawing.truth["mimics"]]
        for number, one in enumerate(nodules):
            for other in nodules[:number]:
                gap = np.linalg.norm(np.subtract(one["centre"], other["centre"]))
                total += 1
                near += gap < (one["diameter_mm"] + other["diameter_mm"]) / 2 + APART_MM - 0.01
    assert near <= 0.01 * total


def test_phases_move_by_4_mm_at_most_and_the_arterial_one_most(
    drawn: list[tuple[PhantomCase, FivePhases]],
) -> None:
    away: dict[str, list[float]] = {phase: [] for phase in PHASES}
    for _, drawing in drawn:
        for phase, motion in drawing.truth["motion"].items():
            whole = np.linalg.norm(motion["shift"]) + np.linalg.norm(motion["breath"])
            assert whole <= 4 * MOTION[phase] + 1e-3
            for lesion in drawing.truth["lesions"]:
                moved = float(np.linalg.norm(np.subtract(lesion["centre_by_phase"][phase], lesion["centre"])))
                assert moved <= whole + 1e-3
                away[phase].append(moved)
    assert max(away[REFERENCE]) == 0
    means = {phase: float(np.mean(values)) for phase, values in away.items()}
    assert max(means, key=lambda phase: means[phase]) == "arterial"
    assert means["arterial"] > 1


def test_without_motion_all_phases_lie_on_each_other() -> None:
    study = study_of(motion_mm=0)
    case = next(case for case in phantom_cases(study) if case.lesions)
    lesions = draw_case(case, study).truth["lesions"]
    assert all(lesion["centre"] == centre for lesion in lesions for centre in lesion["centre_by_phase"].values())


def test_a_lesion_shows_its_curve(drawn: list[tuple[PhantomCase, FivePhases]]) -> None:
    """Large lesions, against the liver around them, in the phases of the image: the drawn curve comes out again."""
    wanted, found = [], []
    for _, drawing in drawn:
        background = (drawing.regions.array == 2) & (drawing.lesions.array == 0)
        for lesion in drawing.truth["lesions"]:
            voxels = drawing.lesions.array == lesion["lesion"]
            if voxels.sum() < 40:
                continue
            levels = {phase: np.median(image.array[background]) for phase, image in drawing.phases.items()}
            seen = [float(drawing.phases[phase].array[voxels].mean() / levels[phase]) for phase in PHASES]
            wanted.append(lesion["curve"])
            found.append(seen)
    assert len(found) >= 5
    for phase in range(len(PHASES)):
        assert np.corrcoef(np.array(wanted)[:, phase], np.array(found)[:, phase])[0, 1] > 0.75


def test_random_signs_have_no_classes_and_many_mimics() -> None:
    study = study_of(contrast="random_sign")
    case = next(case for case in phantom_cases(study) if case.lesions >= 2)
    truth = draw_case(case, study).truth
    assert all("class" not in lesion for lesion in truth["lesions"])
    assert len(truth["mimics"]) > MIMICS["classes"][1]
    assert len(truth["mimics"]) <= MIMICS["random_sign"][1]


def test_regions_have_the_numbers_that_the_study_gives_them() -> None:
    study = study_of()
    case = phantom_cases(study)[0]
    found = {}
    for names in ((), ("trunk", "liver"), ("liver", "trunk"), ("trunk",)):
        named = study.model_copy(update={"cohort": study.cohort.model_copy(update={"regions": names})})
        found[names] = draw_case(case, named).regions.array
    both = found["trunk", "liver"]
    assert np.array_equal(found[()], both)
    assert np.array_equal(found["liver", "trunk"], np.array([0, 2, 1])[both])
    assert np.array_equal(found["trunk",], both > 0)


def test_both_visits_show_the_same_liver() -> None:
    study = study_of()
    cases = phantom_cases(study)
    second = next(case for case in cases if case.visit)
    first = next(case for case in cases if case.patient == second.patient and not case.visit)
    shares = [np.bincount(draw_case(case, study).regions.array.ravel(), minlength=3)[2] for case in (first, second)]
    volumes = [
        count * draw_case(case, study).regions.geometry.voxel_mm3
        for count, case in zip(shares, (first, second), strict=True)
    ]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.03)


def test_channels_are_called_as_the_phases() -> None:
    study = study_of()
    other = study.model_copy(update={"channels": {"delayed": study.channels["pre"]}})
    with pytest.raises(HakkenError, match="the phantom draws no channel `delayed`; call the channels pre, arterial"):
        check_channels(other)
