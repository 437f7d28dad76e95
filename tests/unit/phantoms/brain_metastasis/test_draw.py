"""Whole cases: repeatable, true to their truth, different between patients and alike between visits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hakken.cohort.phantom import PhantomCase, phantom_cases
from hakken.phantoms.brain_metastasis.draw import Drawing, draw_case
from hakken.study import Study


def with_scanner(study: Study, scanner: str) -> PhantomCase:
    """Return a case of a scanner with at least two lesions."""
    return next(case for case in phantom_cases(study) if case.scanner == scanner and case.lesions > 1)


@pytest.fixture(scope="module", params=["A", "B", "C"])
def drawing(request: pytest.FixtureRequest, phantom_study: Study) -> Drawing:
    return draw_case(with_scanner(phantom_study, request.param), phantom_study)


def test_labels_match_the_truth(drawing: Drawing) -> None:
    labels = drawing.lesions
    assert labels.matches(drawing.enhanced)
    assert labels.array.dtype == np.int16
    truths = drawing.truth["lesions"]
    assert sorted(np.unique(labels.array)) == list(range(len(truths) + 1))
    for truth in truths:
        voxels = np.argwhere(labels.array == truth["lesion"])
        centre = labels.to_world(voxels).mean(0)
        assert np.linalg.norm(centre - truth["centre"]) < 1.5
        volume = len(voxels) * labels.geometry.voxel_mm3
        if truth["diameter_mm"] > 7:
            assert (6 * volume / np.pi) ** (1 / 3) == pytest.approx(truth["diameter_mm"], rel=0.12)


def test_bright_lesions_are_brighter_than_the_brain_and_only_with_contrast(phantom_study: Study) -> None:
    contrasts = []
    for case in [case for case in phantom_cases(phantom_study) if case.lesions][:6]:
        found = draw_case(case, phantom_study)
        brain = np.median(found.enhanced.array[found.enhanced.array > found.enhanced.array.max() * 0.25])
        for truth in found.truth["lesions"]:
            solid = not truth["faint"] and not truth["necrotic"] and truth["diameter_mm"] > 6
            if solid:
                inside = found.lesions.array == truth["lesion"]
                contrasts.append(np.median(found.enhanced.array[inside]) / brain)
    assert len(contrasts) > 2
    assert min(contrasts) > 1.1


def test_displacement_maps_the_enhanced_channel_onto_the_plain_one(drawing: Drawing) -> None:
    """Undoing the recorded displacement must make the channels agree far better than ignoring it."""
    fixed, moving = drawing.enhanced, drawing.plain
    inner = tuple(slice(size // 5, size - size // 5) for size in fixed.array.shape)
    voxels = np.argwhere(np.ones(fixed.array[inner].shape, bool)) + [part.start for part in inner]
    points = fixed.to_world(voxels)
    matrix = np.array(drawing.truth["displacement"]["matrix"])
    moved = points @ matrix[:3, :3].T + matrix[:3, 3]
    reference = fixed.array[inner].ravel()

    def correlation(at: np.ndarray) -> float:
        nearest = np.clip(np.round(moving.to_voxel(at)).astype(int), 0, np.array(moving.array.shape) - 1)
        return float(np.corrcoef(reference, moving.array[tuple(nearest.T)])[0, 1])

    assert correlation(moved) > correlation(points) + 0.1
    assert correlation(moved) > correlation(moved + np.array([3, 0, 0]))
    assert correlation(moved) > correlation(moved + np.array([0, 0, -3]))


def test_the_truth_explains_its_matrix(drawing: Drawing) -> None:
    displacement = drawing.truth["displacement"]
    rotation, centre, shift = (np.array(displacement[key]) for key in ("rotation", "centre", "translation"))
    matrix = np.array(displacement["matrix"])
    assert np.allclose(matrix[:3, :3], rotation)
    assert np.allclose(matrix[:3, 3], centre + shift - rotation @ centre, atol=1e-5)
    assert 3 <= np.linalg.norm(shift) <= 6


def test_both_visits_show_the_same_head(phantom_study: Study) -> None:
    case = with_scanner(phantom_study, "A")
    visit = replace(case, case_id="P0900", index=900)
    stranger = replace(visit, patient="S0900")

    def volume_of_brain(one: PhantomCase) -> float:
        found = draw_case(one, phantom_study).plain.array
        return float((found > 0.55 * np.quantile(found, 0.9)).mean())

    first, second, other = (volume_of_brain(one) for one in (case, visit, stranger))
    assert abs(first - second) < abs(first - other)


def test_a_case_without_lesions(phantom_study: Study) -> None:
    case = next(case for case in phantom_cases(phantom_study) if case.lesions == 0)
    found = draw_case(case, phantom_study)
    assert not found.lesions.array.any()
    assert found.truth["lesions"] == []
