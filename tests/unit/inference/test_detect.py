from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hakken.core.volume import Geometry
from hakken.inference.detect import candidates_of, pixels_of
from hakken.inference.maps import ScoreMap
from hakken.study.parameters import Scanning

from ..methods.helpers import prepare_case

GRID = Geometry((4, 4, 4))


def scores(**points: float) -> ScoreMap:
    """A map of zeros but for the scores at these points of its first row."""
    array = np.zeros(GRID.shape_zyx, np.float32)
    for place, score in points.items():
        array[0, 0, int(place[1:])] = score
    return ScoreMap(array, (0, 0, 0), (1, 1, 1))


def test_the_settings_of_a_study_choose_the_candidates() -> None:
    found = candidates_of(scores(x0=0.9, x3=0.6), GRID, Scanning(suppression_mm=2), threshold=0.5)
    assert found.score.tolist() == pytest.approx([0.9, 0.6])
    one = candidates_of(scores(x0=0.9, x3=0.6), GRID, Scanning(suppression_mm=4), threshold=0.5)
    assert one.score.tolist() == pytest.approx([0.9])
    assert len(candidates_of(scores(x0=0.9, x3=0.6), GRID, Scanning(maximum_candidates=1), threshold=0.5)) == 1


def test_scores_that_are_not_finite_are_an_error() -> None:
    with pytest.raises(FloatingPointError, match="the network's scores are not finite"):
        candidates_of(scores(x1=np.nan), GRID, Scanning(), threshold=0.5)


def test_the_pixels_of_a_case_are_a_copy_in_memory(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "a", [])
    pixels = pixels_of(case)
    pixels += 1
    np.testing.assert_array_equal(pixels.numpy(), case.image() + np.float16(1))
