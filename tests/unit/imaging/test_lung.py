"""The lungs on CT and MR: nothing that lies in them or at the pleura is cut, and little else is in the mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cohort.phantom import phantom_cases
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.doubts import lung_doubt
from hakken.imaging.files import read_volume
from hakken.imaging.lung import find_lung
from hakken.imaging.masks import find_mask
from hakken.phantoms.lung_nodule.draw import draw_case
from hakken.study import Study

PHANTOM: dict[str, Any] = {
    "generator": "lung_nodule",
    "cases": {"train": 1, "validation": 1, "test": 12},
    "shape_mm": [200, 150, 120],
    "spacing_mm": 2.5,
}
LOBES = range(10, 15)
"""Labels of the five lobes among the 117 classes of TotalSegmentator."""


def dice(one: Any, other: Any) -> float:
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))


@pytest.mark.parametrize("modality", ["ct", "mr"])
def test_no_nodule_of_a_phantom_is_cut(modality: Any) -> None:
    content = {"name": "a", "seed": 4, "cohort": {"phantom": PHANTOM}, "channels": {"A": {"modality": modality}}}
    study = Study.model_validate(content | {"reference": "A"})
    for case in [one for one in phantom_cases(study) if one.lesions > 1][:2]:
        drawn = draw_case(case, study)
        mask = find_mask(drawn.image, "lung", modality)
        assert mask[drawn.lesions.array > 0].all()
        assert 0.1 < mask.mean() < 0.45, "the chest's wall and the heart are not lung"


def test_real_lobes_lie_in_the_mask_and_its_air_is_theirs(shared_data: Path) -> None:
    folder = shared_data / "totalsegmentator_tests"
    for image, segmentation, agreement in (
        ("example_ct.nii.gz", "example_seg_fast_force_split.nii.gz", 0.95),
        ("example_ct_sm.nii.gz", "example_seg.nii.gz", 0.96),
    ):
        if not (folder / image).is_file():
            pytest.skip(f"{folder / image}: not there")
        volume, labels = read_volume(folder / image), read_volume(folder / segmentation).array
        lobes = np.isin(labels, LOBES)
        mask = find_lung(volume, "ct")
        assert mask[lobes].mean() > 0.998
        assert dice(mask & (volume.array < -400), lobes) > agreement, "bowels full of gas are left out"
        assert "the chest is partial" in lung_doubt(mask, volume.geometry)


def test_an_image_without_lungs_is_named() -> None:
    z, y, x = np.indices((30, 40, 40))
    body = (y - 20) ** 2 + (x - 20) ** 2 < 200
    with pytest.raises(HakkenError, match="the lung mask is empty; look at the image"):
        find_mask(Volume(np.where(body, 40.0, -1000.0), (4.0, 4.0, 4.0)), "lung", "ct")
    with pytest.raises(HakkenError, match="the lung mask is empty; look at the image"):
        find_mask(Volume(np.where(body, 300.0 + z, 4.0), (4.0, 4.0, 4.0)), "lung", "mr")


def test_lungs_of_1500_to_9000_ml_are_believed() -> None:
    grid = Geometry((60, 60, 60), (5.0, 5.0, 5.0))
    mask = np.zeros(grid.shape_zyx, bool)
    mask[2:24, 2:24, 2:24] = True
    assert lung_doubt(mask, grid) == "the lung mask holds 1,331 ml, both lungs 1,500 to 9,000 ml"
    mask[2:50, 2:40, 2:40] = True
    assert lung_doubt(mask, grid) == ""
    mask[:] = True
    assert lung_doubt(mask, grid).endswith(
        "27,000 ml, both lungs 1,500 to 9,000 ml: it reaches the border of the image, so the chest is partial"
    )
