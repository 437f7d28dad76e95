"""Components beyond a threshold on any channel, bright or dark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hakken.baselines import threshold_components
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared

from ..methods.helpers import study

SHAPE = (20, 20, 20)


def made(folder: Path) -> PreparedCase:
    """Two dark cubes on B, of 27 voxels each and the deeper one a lesion; A is noise."""
    random = np.random.default_rng(0)
    image = random.normal(0, 0.05, (2, *SHAPE))
    image[1, 3:6, 3:6, 3:6] -= 2
    image[1, 12:15, 12:15, 12:15] -= 1
    labels = np.zeros(SHAPE, np.int16)
    labels[3:6, 3:6, 3:6] = 1
    grid = Geometry(SHAPE)
    lesion = Lesion(1, 4.0, 4.0, 4.0, 3.7, 27.0)
    case = PreparedCase("a", "a", ("A", "B"), grid, grid, {}, "a", has_truth=True, lesions=(lesion,))
    return save_prepared(folder, case, image, np.ones(SHAPE), labels)


def test_the_best_channel_side_and_threshold_of_validation_are_taken(tmp_path: Path) -> None:
    case = made(tmp_path)
    values = threshold_components.fit([case], study())
    assert (values["channel"], values["dark"]) == ("B", True)
    assert max(values["tried"].values()) == 1.0
    found = threshold_components.predict(values, case, study())
    (z, y, x), *_ = found["candidates"].voxel.tolist()
    assert all(3 <= place < 6 for place in (z, y, x))
    assert found["case_scores"] == found["candidates"].score[0]
    assert found["case_scores"] == pytest.approx(-float(case.image()[1].min()))
    assert threshold_components.words(values, study()).startswith("components of B <= -")
    assert threshold_components.words(values, study()).endswith(", ranked by their minimum")


def test_a_level_forms_the_components_and_is_a_quantile_of_the_mask(tmp_path: Path) -> None:
    case = made(tmp_path)
    rule = {"channel": "B", "dark": True, "level": 0.5}
    found = threshold_components.beyond(rule, case, study())
    assert sorted(found.size.tolist()) == [27.0, 27.0]
    level = np.quantile(-np.asarray(case.image()[1], np.float32), 0.99)
    words = threshold_components.fit([case], study())["tried"]
    assert f"B <= {-level:.3g}" in words
