"""Peaks of filtered channels: what answers to what, and that the best rule on validation is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hakken.baselines import brightness_peaks, hessian_blobs, high_pass_blobs, laplacian_blobs
from hakken.baselines._peaks import candidates
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared

from ..methods.helpers import study

SHAPE = (24, 26, 28)
SIZE = (1.0, 1.0, 1.0)
Floats = NDArray[np.float32]


def ball(radius: float, place: tuple[int, int, int] = (12, 13, 14), edge: float = 3.0) -> Floats:
    far = np.linalg.norm(np.stack(np.indices(SHAPE), -1) - place, axis=-1)
    return np.asarray(1 / (1 + np.exp(edge * (far - radius))), np.float32)


def tube(radius: float) -> Floats:
    far = np.hypot(*(np.indices(SHAPE)[1:] - np.array([13, 14])[:, None, None, None]))
    return np.asarray(1 / (1 + np.exp(3 * (far - radius))), np.float32)


def case_of(folder: Path, *channels: Floats) -> PreparedCase:
    grid = Geometry(SHAPE)
    labels = np.zeros(SHAPE, np.int16)
    labels[12, 13, 14] = 1
    lesion = Lesion(1, 14.0, 13.0, 12.0, 8.0, 268.0)
    names = ("A", "B")[: len(channels)]
    case = PreparedCase("a", "a", names, grid, grid, {}, "a", has_truth=True, lesions=(lesion,))
    return save_prepared(folder, case, np.stack(channels), np.ones(SHAPE), labels)


@pytest.mark.parametrize("answers", [laplacian_blobs.blobs, hessian_blobs.balls])
def test_a_ball_answers_at_its_middle_and_most_at_its_own_scale(answers: Callable[..., Floats]) -> None:
    heights = {}
    for scale in (1.0, 4 / np.sqrt(3), 6.0):  # a ball of radius 4: Lindeberg's scale is the radius over root three
        found = answers(ball(4), scale, SIZE)
        heights[scale] = found[12, 13, 14]
        if scale > 1:
            assert np.unravel_index(found.argmax(), SHAPE) == (12, 13, 14)
    assert max(heights, key=heights.__getitem__) == pytest.approx(4 / np.sqrt(3))


def test_a_vessel_answers_to_the_laplacian_and_not_to_the_filter_for_balls() -> None:
    assert laplacian_blobs.blobs(tube(2), 2.0, SIZE)[12, 13, 14] > 0.3
    assert hessian_blobs.balls(tube(2), 2.0, SIZE)[12, 13, 14] < 0.01
    assert hessian_blobs.balls(ball(2), 2.0, SIZE)[12, 13, 14] > 0.1


def test_scales_are_in_mm() -> None:
    fine, coarse = ball(4), ball(2, edge=6.0)  # the same ball on voxels of 1 and of 2 mm
    one = laplacian_blobs.blobs(fine, 2.0, SIZE)[12, 13, 14]
    assert laplacian_blobs.blobs(coarse, 2.0, (2.0, 2.0, 2.0))[12, 13, 14] == pytest.approx(one, rel=0.1)


def test_a_flat_image_has_no_curvature_across_its_slice() -> None:
    flat = ball(3)[12:13]
    assert np.isfinite(hessian_blobs.balls(flat, 2.0, SIZE)).all()
    assert laplacian_blobs.blobs(flat, 2.0, SIZE).argmax() == 13 * 28 + 14


@pytest.mark.parametrize("baseline", [brightness_peaks, laplacian_blobs, hessian_blobs, high_pass_blobs])
def test_the_rule_that_is_best_on_validation_is_taken(baseline: object, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.02, (2, *SHAPE)).astype(np.float32)
    case = case_of(tmp_path, noise[0] + ball(3, (4, 4, 4)), noise[1] - ball(3))
    values = baseline.fit([case], study())  # type: ignore[attr-defined]
    assert (values["channel"], values["dark"]) == ("B", True)
    assert len(values["tried"]) == 4 * len(baseline.SCALES)  # type: ignore[attr-defined]
    assert max(values["tried"].values()) == 1.0
    found = baseline.predict(values, case, study())  # type: ignore[attr-defined]
    assert np.linalg.norm(found["candidates"].voxel[0] - [12, 13, 14]) < 4  # the radius of the lesion
    assert found["case_scores"] == found["candidates"].score[0]
    assert "dark on B" in baseline.words(values, study())  # type: ignore[attr-defined]


def test_what_runs_from_top_to_bottom_is_no_blob_after_the_high_pass() -> None:
    flat = 0.5 * ball(3)[12:13]
    bar = np.zeros((1, *SHAPE[1:]), np.float32)
    bar[..., 4:8] = 1
    found = high_pass_blobs.passed(flat + bar, 1.5, SIZE)
    assert np.unravel_index(found.argmax(), found.shape) == (0, 13, 14)
    assert np.abs(high_pass_blobs.passed(bar, 1.5, SIZE)).max() < 1e-5
    assert brightness_peaks.smoothed(flat + bar, 1.5, SIZE).argmax() != found.argmax()


def test_equal_peaks_come_in_the_order_of_their_places(tmp_path: Path) -> None:
    image = np.zeros(SHAPE, np.float32)
    image[5, 5, 5] = image[5, 5, 9] = image[2, 20, 20] = 1
    rule = {"channel": "A", "dark": False, "scale": 0.0}
    found = candidates(case_of(tmp_path, image), study(), rule, lambda channel, scale, size: channel)
    assert found.voxel[:3].tolist() == [[2, 20, 20], [5, 5, 5], [5, 5, 9]]
    assert found.score[:3].tolist() == [1.0, 1.0, 1.0]
