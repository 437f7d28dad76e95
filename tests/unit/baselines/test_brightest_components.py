"""Components of the predicted channel above the threshold that was best on validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hakken.baselines.brightest_components import SHARES, fit, predict, words
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared

from ..methods.expectation.test_learn import expectation
from ..methods.helpers import study

GRID = Geometry((5, 10, 12), (6.0, 6.0, 6.0))
SPOT, OTHER = (2, 4, 5), (2, 8, 9)


def case_of(folder: Path) -> PreparedCase:
    """A lesion of 0.28 of the window, and normal uptake of 0.18."""
    image, labels = np.zeros((2, *GRID.shape_zyx)), np.zeros(GRID.shape_zyx, np.int16)
    image[1][SPOT], image[1][OTHER], labels[SPOT] = 0.28, 0.18, 1
    lesion = Lesion(1, *GRID.to_world([SPOT])[0].tolist(), 8.0, 216.0)
    case = PreparedCase("a", "a", ("A", "B"), GRID, GRID, {}, "a", has_truth=True, lesions=(lesion,))
    return save_prepared(folder, case, image, np.ones(GRID.shape_zyx), labels)


def test_the_threshold_with_the_highest_objective_is_taken(tmp_path: Path) -> None:
    case = case_of(tmp_path)
    values = fit([case], expectation())
    assert list(values["tried"]) == [f"{20 * share:g}" for share in SHARES], "in the units of a window of 0 to 20"
    # Ranked by their maximum the lesion comes first at every threshold but 0.3, which it does not reach; of equals the
    # first is taken.
    assert list(values["tried"].values()) == [1.0] * 7 + [0.0]
    assert values["share"] == SHARES[0]
    assert words(values, expectation()) == "components of B from 1 on, ranked by their maximum"
    found = predict(values, case, expectation())
    assert found["candidates"].voxel.tolist() == [list(SPOT), list(OTHER)]
    assert found["case_scores"] == pytest.approx(0.28, abs=1e-3)
    assert len(predict({"share": 0.2}, case, expectation())["candidates"]) == 1


def test_a_study_without_a_predicted_channel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match="baseline `brightest_components`: give one channel of the study `target"):
        fit([case_of(tmp_path)], study())
