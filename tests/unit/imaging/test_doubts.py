from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.core.volume import Geometry, Volume
from hakken.imaging.doubts import brain_doubt, doubts_of
from hakken.imaging.preparation import prepare_case
from hakken.imaging.prepared import PreparedCase, load_prepared, save_prepared
from hakken.study import Study

GRID = Geometry((40, 40, 40), (5.0, 5.0, 5.0))  # 8 voxels of 125 mm³ are 1 ml


def block(side: int, first: int = 1) -> Any:
    mask = np.zeros((40, 40, 40), bool)
    mask[first : first + side, first : first + side, first : first + side] = True
    return mask


def case(name: str, doubt: str) -> PreparedCase:
    return PreparedCase(name, name, {}, ("A",), GRID, GRID, {}, "", False, doubt=doubt)


@pytest.mark.parametrize(("side", "doubtful"), [(18, True), (19, False), (25, False), (26, True)])
def test_brains_of_800_to_2100_ml_are_believed(side: int, doubtful: bool) -> None:
    assert bool(brain_doubt(block(side), GRID)) is doubtful  # 729, 857, 1,953 and 2,197 ml


def test_a_partial_head_is_called_so() -> None:
    assert brain_doubt(block(10), GRID) == "the brain mask holds 125 ml, brains 800 to 2,100 ml"
    assert brain_doubt(block(10, first=0), GRID) == (
        "the brain mask holds 125 ml, brains 800 to 2,100 ml: it reaches the border of the image, so the head is "
        "partial"
    )


def test_doubts_stand_beside_the_numbers() -> None:
    assert doubts_of([case("a", ""), case("b", "")]) == ()
    names = [f"c{number}" for number in range(5)]
    assert doubts_of([case("a", ""), *(case(name, "too small") for name in names)]) == (
        "the mask of 5 of 6 cases is doubtful (c0: too small; c1: too small; c2: too small; and 2 more cases); look at "
        "the image, or give a mask of your own in a column `mask` (`preparation.mask: given`)",
    )


def test_a_small_stripped_brain_is_named_and_kept(make_study: Callable[..., Study], tmp_path: Any) -> None:
    array = np.zeros(GRID.shape_zyx, np.float32)
    array[block(10)] = np.arange(1000) + 100
    volume = Volume.on(GRID, array)
    for kind, doubt in [("brain", "the brain mask holds 125 ml, brains 800 to 2,100 ml"), ("nonzero", "")]:
        study = make_study(
            channels={"A": {"modality": "mr"}}, preparation={"spacing_mm": [5, 5, 5], "mask": kind, "margin_mm": 5}
        )
        prepared = prepare_case({"A": volume}, {"A": sitk.Transform()}, None, study, case_id="a")
        save_prepared(tmp_path, prepared.case, prepared.image, prepared.mask, prepared.labels)
        assert load_prepared(tmp_path, "a").doubt == doubt
