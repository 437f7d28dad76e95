"""Baselines of case scores: numbers of the pixels, and distances from what normal images are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hakken.baselines import pca_reconstruction, pixel_statistics
from hakken.baselines._box import averaged, box_of, spread
from hakken.core.errors import HakkenError
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes.case_scores import objective
from hakken.runs.predictions import part_of
from hakken.study import Study

from ..methods.helpers import study as study_of
from .helpers import case_of


def study() -> Study:
    return study_of(method="autoencoder", outcomes={"case_scores": {}}, patches={"hard_negatives_per_case": 0})


def labelled(case: PreparedCase, label: str | None) -> PreparedCase:
    return replace(case, label=label)


def flat(folder: Path, name: str, pixels: object, label: str | None = None, mask: object = None) -> PreparedCase:
    image = np.asarray(pixels, float)[None, None]
    inside = None if mask is None else np.asarray(mask, np.uint8)[None]
    return labelled(case_of(folder, name, image, np.zeros(image.shape[1:], np.int16), inside), label)


def test_statistics_by_hand(tmp_path: Path) -> None:
    pixels = np.arange(16).reshape(4, 4)
    found = pixel_statistics.statistics(flat(tmp_path, "a", pixels))
    assert found["red", "mean"] == 7.5
    assert found["red", "SD"] == pytest.approx(np.sqrt(255 / 12), rel=1e-12)  # of 0 .. 15, divided by n
    assert (found["red", "minimum"], found["red", "maximum"], found["red", "median"]) == (0, 15, 7.5)
    assert found["red", "10th percentile"] == 1.5
    assert found["red", "90th percentile"] == 13.5
    assert found["red", "mean of the middle"] == 7.5  # of 5, 6, 9, 10
    assert len(found) == 4 + 9 + 3


def test_only_pixels_of_the_mask_count(tmp_path: Path) -> None:
    mask = np.zeros((4, 4))
    mask[1:3, 1:3] = 1
    found = pixel_statistics.statistics(flat(tmp_path, "a", np.arange(16).reshape(4, 4), mask=mask))
    assert (found["red", "minimum"], found["red", "maximum"], found["red", "mean"]) == (5, 10, 7.5)
    assert found["red", "maximum of local means"] == 7.5  # windows of 10 px hold all four of them


def test_a_local_mean_is_of_a_window_of_ten(tmp_path: Path) -> None:
    pixels = np.zeros((30, 30))
    pixels[10:20, 10:20] = 2
    found = pixel_statistics.statistics(flat(tmp_path, "a", pixels))
    assert found["red", "maximum of local means"] == pytest.approx(2)
    assert found["red", "minimum of local means"] == pytest.approx(0, abs=1e-12)


def test_the_statistic_and_its_side_are_those_of_validation_and_stay(tmp_path: Path) -> None:
    """Abnormal images are less spread about the same mean; on another set, where it is the other way, that shows."""
    random = np.random.default_rng(0)
    cases = []
    for number in range(8):
        noise = random.permutation(np.delete(np.arange(-32, 33), 32) / 32).reshape(8, 8)  # exact in float16
        ill = number % 2 == 1
        cases.append(flat(tmp_path, f"c{number}", 0.5 + noise * (0.25 if ill else 0.5), "ill" if ill else None))
    values = pixel_statistics.fit(cases, study())
    assert values["tried"]["low SD of red"] == 1.0
    assert values["tried"]["high SD of red"] == 0.0
    assert (values["statistic"], values["high"]) == ("SD", False)  # the first of those that tell them all apart
    assert pixel_statistics.words(values, study()) == "low SD of red"
    calm, rough = (pixel_statistics.predict(values, case, study())["case_scores"] for case in (cases[1], cases[0]))
    assert calm > rough
    assert calm == pytest.approx(-pixel_statistics.statistics(cases[1])["red", "SD"])
    turned = [replace(case, label=None if case.label else "ill") for case in cases]
    scores = {case.case_id: pixel_statistics.predict(values, case, study())["case_scores"] for case in turned}
    assert objective(scores, part_of(study(), "case_scores", turned)) == 0.0


def test_cases_of_one_kind_alone_choose_nothing(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match="all normal or all abnormal"):
        pixel_statistics.fit([flat(tmp_path, "a", np.eye(4)), flat(tmp_path, "b", np.eye(4))], study())


def test_what_lies_in_the_plane_of_normal_images_is_reconstructed(tmp_path: Path) -> None:
    """Normal images are multiples of one pattern: one component is enough, and a pixel that is none of it is left."""
    pattern = np.outer(np.linspace(-1, 1, 32), np.ones(32))
    training = [flat(tmp_path, f"t{level}", level * pattern) for level in (0.5, 1.0, 1.5, 2.0)]
    odd = pattern.copy()
    odd[3, 4] += 3.2  # one of 1024 cells: root of 3.2 squared over 1024 is 0.1
    cases = [flat(tmp_path, "n", 0.25 * pattern), flat(tmp_path, "o", odd, "ill")]
    values = pca_reconstruction.fit(cases, study(), training)
    assert len(values["components"]) == 1
    assert set(values["tried"]) == {"0", "1", "2"}  # four images have three components
    assert values["tried"] == {"0": 0.0, "1": 1.0, "2": 1.0}
    well, ill = (pca_reconstruction.predict(values, case, study())["case_scores"] for case in cases)
    assert well == pytest.approx(0, abs=1e-3)  # kept as float16
    assert ill == pytest.approx(0.1, rel=0.02)
    assert "from 1 principal components" in pca_reconstruction.words(values, study())


def test_abnormal_training_cases_are_left_out_and_two_normal_ones_are_needed(tmp_path: Path) -> None:
    cases = [flat(tmp_path, "a", np.eye(32)), flat(tmp_path, "b", np.ones((32, 32)), "ill")]
    with pytest.raises(HakkenError) as stopped:
        pca_reconstruction.fit(cases, study(), cases)
    assert str(stopped.value) == (
        "baseline `pca_reconstruction`: 1 of 2 training cases are normal, and components need two; add normal cases to "
        "the part `train`, or leave the baseline out"
    )


def test_images_of_any_size_come_onto_one_grid(tmp_path: Path) -> None:
    mask = np.zeros((9, 11))
    mask[2:6, 3:11] = 1
    case = flat(tmp_path, "a", np.ones((9, 11)), mask=mask)
    assert box_of(case) == (slice(0, 1), slice(2, 6), slice(3, 11))
    assert pca_reconstruction.vector(case).shape == (1024,)
    block = np.arange(8, dtype=float).reshape(1, 2, 4)
    assert averaged(block, (1, 1, 2)).tolist() == [[[2.5, 4.5]]]
    assert spread(averaged(block, (1, 2, 4)), (1, 2, 4)).tolist() == block.tolist()
    nothing = flat(tmp_path, "b", np.ones((4, 4)), mask=np.zeros((4, 4)))
    assert box_of(nothing) == (slice(0, 1), slice(0, 4), slice(0, 4))
