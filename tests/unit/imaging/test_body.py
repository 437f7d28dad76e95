from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.volume import Volume
from hakken.imaging.body import find_body
from hakken.imaging.files import read_volume


def cases(shared_data: Path) -> list[Path]:
    folders = sorted((shared_data / "sts_fdgpet").glob("STS_*"))
    if not folders:
        pytest.skip(f"{shared_data / 'sts_fdgpet'}: not there")
    return folders


def read(folder: Path, kind: str) -> tuple[Volume, Any]:
    return read_volume(folder / f"{kind}_image.nii.gz"), read_volume(folder / f"{kind}_mask.nii.gz").array > 0


def test_no_tumour_of_51_is_cut(shared_data: Path) -> None:
    folders = cases(shared_data)
    for folder in folders:
        image, tumour = read(folder, "PET")
        assert find_body(image, "pet")[tumour].all(), folder.name
    assert len(folders) == 51


def test_no_tumour_is_cut_on_mr_and_ct(shared_data: Path) -> None:
    found = [(path.parent, kind) for kind in ("CT", "MR_T1") for path in shared_data.glob(f"*/STS_*/{kind}_image*")]
    for folder, kind in found:
        image, tumour = read(folder, kind)
        assert find_body(image, "ct" if kind == "CT" else "mr")[tumour].all(), (folder.name, kind)
    if not found:
        pytest.skip("no CT or MR of the sarcoma set")


@pytest.mark.parametrize("margin", [0, 2, 5])
def test_crops_around_a_tumour_keep_it(shared_data: Path, margin: int) -> None:
    for folder in cases(shared_data)[::5]:
        image, tumour = read(folder, "PET")
        places = np.argwhere(tumour)
        box = tuple(
            slice(max(0, low - margin), high + margin + 1)
            for low, high in zip(places.min(axis=0).tolist(), places.max(axis=0).tolist(), strict=True)
        )
        cropped = Volume(image.array[box], image.spacing)
        assert find_body(cropped, "pet")[tumour[box]].mean() > 0.995, folder.name


def test_two_legs_and_an_arm_are_body_and_a_table_is_not() -> None:
    array = np.full((12, 60, 120), -1000.0)
    legs = np.zeros(array.shape, bool)
    legs[:, 10:40, 10:40] = legs[:, 10:40, 60:90] = legs[:, 15:30, 100:115] = True
    array[legs] = 40
    array[:, 46:49, :] = 100
    assert np.array_equal(find_body(Volume(array), "ct"), legs)
    assert np.array_equal(find_body(Volume(np.where(legs, 300.0, 4.0)), "mr"), legs)


def test_hot_spots_do_not_carry_the_threshold_away() -> None:
    array = np.full((10, 40, 40), 0.01)
    array[:, 8:32, 8:32] = 0.4
    body = array > 0.1
    array[4:7, 10:14, 10:14] = 40
    mask = find_body(Volume(array, (4.0, 4.0, 4.0)), "pet")
    assert mask[body].all()
    assert not mask[:, :4, :4].any()  # the rim is 5 mm


def test_an_image_without_air_is_all_body() -> None:
    modality: Any
    array = np.random.default_rng(0).uniform(0.4, 0.6, (8, 12, 12))
    for modality, hot in (("pet", 10), ("mr", 2)):
        array[2:4, 3:6, 3:6] = hot
        assert find_body(Volume(array, (8.0, 8.0, 8.0)), modality).all()


def test_empty_slices_and_negative_values_are_air() -> None:
    array = np.zeros((8, 30, 30))
    array[2:6, 5:25, 5:25] = np.random.default_rng(1).normal(1.0, 0.2, (4, 20, 20))
    array[0] = -0.01
    mask = find_body(Volume(array, (4.0, 4.0, 10.0)), "pet")
    assert mask[2:6, 5:25, 5:25].all()
    assert not mask[0].any()
    assert not find_body(Volume(np.zeros((4, 5, 5))), "pet").any()
