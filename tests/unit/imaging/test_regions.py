from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Volume
from hakken.imaging.checks import check_case
from hakken.imaging.files import read_volume, write_volume
from hakken.imaging.masks import find_mask
from hakken.imaging.preparation import prepare_case
from hakken.imaging.regions import read_region
from hakken.study import Study

from .test_checks import Row

STEPS = (1.0, 1.0, 2.0)


@pytest.fixture
def case(tmp_path: Path) -> tuple[Row, Any]:
    """A case whose own region was stored the other way round, with labels 1 and 4."""
    array = np.random.default_rng(0).normal(100, 10, size=(6, 12, 14)).astype(np.float32)
    region = np.zeros(array.shape, np.uint8)
    region[1:4, 2:9, 3:11] = 1
    region[2, 5, 5] = 4
    write_volume(tmp_path / "a.nii.gz", Volume(array, STEPS))
    turned = Volume(
        np.ascontiguousarray(region[::-1, :, ::-1]), STEPS, (13.0, 0.0, 10.0), (-1, 0, 0, 0, 1, 0, 0, 0, -1)
    )
    write_volume(tmp_path / "region.nii.gz", turned)
    return Row({"A": tmp_path / "a.nii.gz", "mask": tmp_path / "region.nii.gz"}), region > 0


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    return make_study(
        channels={"A": {"modality": "mr"}}, preparation={"spacing_mm": STEPS, "mask": "given", "margin_mm": 0}
    )


def test_a_mask_of_ones_own_is_the_region(case: Any, study: Study) -> None:
    row, region = case
    assert check_case(row, study) == []
    image = read_volume(row.channels["A"])
    found = read_region(row.channels["mask"], image.geometry, row.channels["A"], study)
    assert np.array_equal(found, region)
    prepared = prepare_case({"A": image}, {}, None, study, case_id="P1", region=found)
    assert prepared.mask.shape == (3, 7, 8)
    assert prepared.mask.all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda mask: mask[:5], ("lies on another grid than the reference channel A: ", "resample the mask onto")),
        (lambda mask: mask * 0, ("the region of interest is empty", "give a mask that holds voxels above 0")),
        (lambda mask: mask * 0.5, ("holds 0.5, which is no label", "write 0 outside of the region and 1 inside")),
    ],
)
def test_a_mask_that_is_none_is_a_problem_of_its_row(
    case: Any, study: Study, tmp_path: Path, change: Any, words: Any
) -> None:
    row, region = case
    write_volume(tmp_path / "region.nii.gz", Volume(change(region.astype(np.float32)), STEPS))
    (problem,) = check_case(row, study)
    assert (problem.column, problem.row) == ("mask", 4)
    assert words[0] in problem.reason
    assert problem.remedy.startswith(words[1])


def test_no_mask_can_be_found_where_one_is_to_be_given() -> None:
    with pytest.raises(HakkenError, match="needs a mask of the case, which there is none of; add the column `mask`"):
        find_mask(Volume(np.ones((3, 3, 3))), "given")


def test_a_channel_cannot_be_called_as_the_region(make_study: Callable[..., Study]) -> None:
    with pytest.raises(HakkenError, match="column `mask`, which is a channel; call the channel otherwise"):
        make_study(channels={"mask": {"modality": "mr"}}, reference="mask", preparation={"mask": "given"})
