"""Three-phase liver CT: repeatable, true to its truth, breathing between the phases, classes that overlap."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from hakken.cohort.phantom import check_channels, phantom_cases, spread_levels
from hakken.core.errors import HakkenError
from hakken.imaging.registration import register, transform_points
from hakken.phantoms.liver_phases.draw import PHASES, ThreePhases, draw_case
from hakken.phantoms.liver_phases.lesions import LARGEST_MM, LAWS, SMALLEST_MM, draw_tumour
from hakken.phantoms.liver_phases.liver import draw_abdomen
from hakken.study import Registration, Study

pytestmark = pytest.mark.xdist_group("liver phases")  # Its fixtures are made once, on one worker.

PHANTOM: dict[str, Any] = {
    "generator": "liver_phases",
    "cases": {"train": 10, "validation": 5, "test": 5},
    "shape_mm": [160, 126, 80],
    "spacing_mm": 2.5,
    "displacement_mm": 12,
    "displacement_degrees": 2,
    "class_frequencies": dict.fromkeys(LAWS, 1),
}
CHANNEL = {"modality": "ct", "normalise": "window", "range": [-20, 180]}


def study_of(**phantom: Any) -> Study:
    cohort = {"phantom": PHANTOM | phantom, "truth": "lesion_table", "classes": list(LAWS)}
    channels = dict.fromkeys(("early", "late", "unenhanced"), CHANNEL)
    content = {"name": "livers", "seed": 3, "cohort": cohort, "channels": channels, "reference": "unenhanced"}
    return Study.model_validate(content)


@pytest.fixture(scope="module")
def drawings() -> list[ThreePhases]:
    study = study_of()
    return [draw_case(case, study) for case in phantom_cases(study)[:8]]


def test_classes_are_as_frequent_as_the_study_says() -> None:
    counts = Counter(case.kind for case in phantom_cases(study_of()) if case.part == "validation")
    assert counts == dict.fromkeys(LAWS, 1)
    cases = phantom_cases(study_of(class_frequencies=None, cases={"train": 215, "validation": 1, "test": 1}))
    published = Counter(case.kind for case in cases if case.part == "train")
    # 6, 58, 109, 29 and 13 of 215; a second visit has the class of the first, which moves a few
    assert published["moderate"] == pytest.approx(109, abs=8)
    assert published["early"] <= 12


def test_a_patient_has_one_class() -> None:
    found: dict[str, set[str]] = {}
    for case in phantom_cases(study_of(cases={"train": 60, "validation": 5, "test": 5})):
        found.setdefault(case.patient, set()).add(case.kind)
    assert max(map(len, found.values())) == 1


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(HakkenError, match=r"class_frequencies names `wel`, which .* cannot draw; there are .*`well`"):
        phantom_cases(study_of(class_frequencies={"wel": 1}))


def test_channels_are_called_as_the_phases() -> None:
    study = study_of()
    other = study.model_copy(update={"channels": {"arterial": study.channels["early"]}})
    with pytest.raises(HakkenError, match="the phantom draws no channel `arterial`; call the channels unenhanced"):
        check_channels(other)


def test_labels_lie_at_the_truth_and_have_its_size(drawings: list[ThreePhases]) -> None:
    for drawing in drawings:
        (lesion,) = drawing.truth["lesions"]
        voxels = np.argwhere(drawing.lesions.array == 1)
        centre = drawing.lesions.geometry.to_world(voxels).mean(0)
        assert np.linalg.norm(centre - lesion["centre"]) < 0.35 * lesion["diameter_mm"] + 2.5
        assert drawing.lesions.matches(drawing.phases["unenhanced"])


def test_the_aorta_enhances_first_and_the_liver_last(drawings: list[ThreePhases]) -> None:
    for seed in range(5):
        abdomen = draw_abdomen((160.0, 126.0, 80.0), 2.5, np.random.default_rng(seed))
        plain, early, late = abdomen.liver_hu
        assert plain < early < late
        aorta = [float(abdomen.grid.sample(phase, np.array([[4.8, 17.0, 0.0]]))[0]) for phase in abdomen.density]
        assert aorta[1] > aorta[2] + 100 > aorta[0] + 150
    for drawing in drawings:
        near = {
            phase: np.median(image.array[(image.array > 20) & (image.array < 160)])
            for phase, image in drawing.phases.items()
        }
        assert near["late"] > near["early"] > near["unenhanced"]


def test_breathing_moves_the_lesion_and_registration_brings_it_nearer(drawings: list[ThreePhases]) -> None:
    settings = Registration(method="affine", shrink=(4,))
    before, after = [], []
    for drawing in drawings[:4]:
        centres = drawing.truth["lesions"][0]["centre_by_phase"]
        for phase in PHASES[1:]:
            found = register(drawing.phases["unenhanced"], drawing.phases[phase], settings, 1)
            moved = transform_points(found.transform, [centres["unenhanced"]])[0]
            before.append(np.linalg.norm(np.subtract(centres["unenhanced"], centres[phase])))
            after.append(np.linalg.norm(moved - centres[phase]))
    assert 2 < np.median(before) < 12
    assert np.median(after) < 0.75 * np.median(before)


def test_no_movement_without_displacement() -> None:
    study = study_of(displacement_mm=0, displacement_degrees=0)
    centres = draw_case(phantom_cases(study)[0], study).truth["lesions"][0]["centre_by_phase"]
    assert centres["early"] == pytest.approx(centres["unenhanced"], abs=1e-3)


def test_an_ideal_reader_of_the_laws_is_right_in_65_percent() -> None:
    """Bayes' rule on contrasts, size and signs that are known exactly, all classes equally frequent."""
    random = np.random.default_rng(0)
    right = 0
    names = list(LAWS)
    for number, name in enumerate(names):
        tumours = [draw_tumour(name, level, 1.0, random) for level in spread_levels(600, random)]
        features = np.array(
            [(*one.contrast, np.log(one.diameter_mm), one.capsule, one.rim, one.necrosis) for one in tumours]
        )
        scores = np.stack([_likelihood(other, features) for other in names])
        right += int((scores.argmax(0) == number).sum())
    assert right / 3000 == pytest.approx(0.65, abs=0.025)


def _likelihood(name: str, features: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    total = np.zeros(len(features))
    for look in LAWS[name]:
        means = np.array([*look.contrast, np.log(look.diameter_mm)])
        spreads = np.array([*look.spread, look.diameter_spread])
        near = np.exp(-0.5 * ((features[:, :4] - means) / spreads) ** 2) / spreads
        signs = np.array([look.capsule, look.rim, look.necrosis])
        seen = np.where(features[:, 4:] > 0, signs, 1 - signs)
        total += look.share * near.prod(1) * seen.prod(1)
    return total


def test_sizes_stay_within_their_limits() -> None:
    random = np.random.default_rng(1)
    sizes = [draw_tumour(name, level, 0.5, random).diameter_mm for name in LAWS for level in spread_levels(200, random)]
    assert 0.5 * SMALLEST_MM <= min(sizes) <= max(sizes) <= 0.5 * LARGEST_MM
