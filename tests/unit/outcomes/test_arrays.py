"""Outcomes that are an array a case: maps of scores, means and standard deviations; and z worked by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.outcomes import Part, expectations, score_maps
from hakken.outcomes.expectations import target_of, z_of
from hakken.runs.predictions import part_of
from hakken.study import Study

from ..miniature import save_case

GRID = Geometry((1, 2, 3))
CONTENT: dict[str, Any] = {
    "name": "uptake",
    "seed": 5,
    "method": "expectation",
    "cohort": {"table": "cases.csv"},
    "channels": {"CT": {"modality": "ct"}, "PET": {"modality": "pet", "target": True}},
    "evaluation": {"bootstrap": 200},
}
STUDY = Study.model_validate(CONTENT)


def prepare(folder: Path, name: str, target: Any, *, lesion: bool = False) -> PreparedCase:
    """A case of six voxels, the last of them outside the mask."""
    image = np.stack([np.zeros(6), np.array(target, float)]).reshape(2, *GRID.shape_zyx)
    mask = np.array([1, 1, 1, 1, 1, 0]).reshape(GRID.shape_zyx)
    lesions = (Lesion(1, 0, 0, 0, 1, 1),) if lesion else ()
    labels = np.zeros(GRID.shape_zyx)
    return save_case(
        folder, name, image, geometry=GRID, channels=("CT", "PET"), labels=labels, lesions=lesions, mask=mask
    )


def expected(mean: float, sigma: float) -> Any:
    return np.stack([np.full(GRID.shape_zyx, mean), np.full(GRID.shape_zyx, sigma)])


@pytest.fixture
def cases(tmp_path: Path) -> list[PreparedCase]:
    return [
        prepare(tmp_path, "a", [1, 2, 3, 4, 5, 99]),
        prepare(tmp_path, "b", [3, 3, 3, 3, 3, 99]),
        prepare(tmp_path, "c", [50] * 6, lesion=True),
    ]


FOUND = {"a": expected(3, 1), "b": expected(3, 0.5), "c": expected(3, 1)}


def part(cases: list[PreparedCase], outcome: str = "expectations") -> Part:
    return part_of(STUDY, outcome, cases)


def test_z_is_how_far_the_target_is_from_what_was_expected(cases: list[PreparedCase]) -> None:
    assert target_of(cases[0], STUDY).ravel().tolist() == [1, 2, 3, 4, 5, 99]
    assert z_of(cases[0], STUDY, FOUND).ravel().tolist() == [-2, -1, 0, 1, 2, 96]


def test_the_calibration_is_that_of_the_voxels_of_cases_without_lesions(cases: list[PreparedCase]) -> None:
    """Five voxels with z -2 to 2 and five with 0: mean 0, variance 10/10."""
    measured = expectations.measure(FOUND, part(cases))
    assert measured.objective is None
    assert [row.value for row in measured.rows] == pytest.approx([0, 1])
    assert measured.counts == {"normal cases": 2, "patients": 2}
    assert (measured.details["case_ids"], measured.details["patients_of"]) == (["a", "b"], ["a", "b"])
    assert sum(measured.details["histogram"]) == 10
    assert (measured.details["mean_met"], measured.details["sd_met"], measured.said) == (True, True, ())


def test_a_goal_that_is_missed_is_warned_of(cases: list[PreparedCase]) -> None:
    measured = expectations.measure(FOUND | {"b": expected(2, 1)}, part(cases))  # five times z = 1
    assert measured.rows[0].value == 0.5
    assert (measured.details["mean_met"], measured.details["sd_met"]) == (False, False)
    assert [row.cell.endswith(" *") for row in measured.rows] == [True, True]
    assert measured.said[0] == "mean of z without lesions (goal 0 ± 0.05): calibration of z missed, 0.500"
    assert len(measured.said) == 2


def test_where_every_case_has_a_lesion_there_is_no_calibration(cases: list[PreparedCase]) -> None:
    with pytest.raises(HakkenError, match="every case has a lesion; the calibration of z needs cases without"):
        expectations.measure(FOUND, part(cases[2:]))


def test_mean_and_deviation_are_kept_in_sixteen_bits(cases: list[PreparedCase], tmp_path: Path) -> None:
    expectations.write(tmp_path, FOUND, part(cases))
    again = expectations.read(tmp_path, part(cases))
    assert list(again) == ["a", "b", "c"]
    assert (again["a"].dtype, again["a"].shape) == (np.float16, (2, *GRID.shape_zyx))
    assert z_of(cases[0], STUDY, again).ravel().tolist()[:5] == [-2, -1, 0, 1, 2]


def test_maps_are_kept_in_full_and_nothing_is_measured_on_them(cases: list[PreparedCase], tmp_path: Path) -> None:
    found = {case.case_id: np.full(GRID.shape_zyx, 1 / 3, np.float32) for case in cases}
    chosen = Study.model_validate(
        CONTENT | {"method": "autoencoder", "channels": {"CT": {"modality": "ct"}}, "outcomes": {"score_maps": {}}}
    )
    whole = part_of(chosen, "score_maps", cases)
    score_maps.write(tmp_path, found, whole)
    again = score_maps.read(tmp_path, whole)
    assert again["b"].dtype == np.float32
    assert np.array_equal(again["b"], found["b"])
    assert score_maps.measure(found, whole).rows == ()
    assert score_maps.measure(found, whole).objective is None


def test_an_array_of_another_grid_and_a_missing_one_are_refused(cases: list[PreparedCase], tmp_path: Path) -> None:
    expectations.write(tmp_path, FOUND, part(cases))
    path = tmp_path / "expectations" / "b.npy"
    np.save(path, np.zeros((2, 3, 3, 3), np.float16))
    with pytest.raises(HakkenError) as caught:
        expectations.read(tmp_path, part(cases))
    assert str(caught.value) == f"{path}: holds (2, 3, 3, 3), the case (2, 1, 2, 3); predict again"
    path.unlink()
    with pytest.raises(HakkenError, match=r"b\.npy: cannot be read \(.*\); predict again"):
        expectations.read(tmp_path, part(cases))
