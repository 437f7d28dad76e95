"""Local normalisation: gain and offset are gone, detail is as strong everywhere, and noise is not raised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.core.volume import Volume
from hakken.imaging.local_contrast import FLAT, local_contrast
from hakken.imaging.preparation import prepare_case
from hakken.study import Study

SIGMA = (0.0, 4.0, 4.0)


def film(seed: int = 0) -> np.ndarray:
    """Return an image (1, 48, 64): a step that is far higher than the blob on either side of it."""
    rows, columns = np.ogrid[:48, :64]
    blobs = [np.exp(-((rows - 24) ** 2 + (columns - at) ** 2) / 18) for at in (12, 50)]
    noise = np.random.default_rng(seed).normal(0, 0.001, (48, 64))
    return np.asarray((10 * (columns > 31) + blobs[0] + blobs[1] + noise)[None], np.float32)


def test_with_one_neighbourhood_for_all_it_is_the_z_score_by_hand() -> None:
    """Mean 3, SD 2; the least SD is FLAT of it."""
    values = np.array([[[1.0, 5.0, 1.0, 5.0]]], np.float32)
    found = local_contrast(values, np.ones((1, 1, 4), bool), (0, 0, 200))
    assert found[0, 0] == pytest.approx(np.array([-1, 1, -1, 1]) / np.sqrt(1 + FLAT**2), abs=1e-3)


@given(gain=st.floats(0.1, 50), offset=st.floats(-100, 100))
def test_gain_and_offset_are_gone(gain: float, offset: float) -> None:
    inside = np.ones((1, 48, 64), bool)
    plain, other = (local_contrast(one, inside, SIGMA) for one in (film(), film() * np.float32(gain) + offset))
    assert other == pytest.approx(plain, abs=0.05)


def test_blobs_on_either_side_of_a_step_are_as_high_though_one_lies_far_above_the_other() -> None:
    found = local_contrast(film(), np.ones((1, 48, 64), bool), SIGMA)[0]
    assert found[24, 12] == pytest.approx(found[24, 50], rel=0.05)
    assert found[24, 12] > 1.5


def test_noise_where_nothing_else_is_stays_small() -> None:
    flat = local_contrast(film(), np.ones((1, 48, 64), bool), SIGMA)[0, :6, :12]
    assert 0 < np.abs(flat).max() < 0.1


def test_what_lies_beyond_the_mask_changes_nothing_and_is_zero() -> None:
    inside = np.zeros((1, 48, 64), bool)
    inside[:, 8:40, 4:60] = True
    changed = np.where(inside, film(), 1e4).astype(np.float32)
    found = local_contrast(changed, inside, SIGMA)
    assert np.array_equal(found, local_contrast(film(), inside, SIGMA))
    assert not found[~inside].any()
    assert not local_contrast(film(), np.zeros_like(inside), SIGMA).any()


def test_an_image_without_contrast_is_zero() -> None:
    assert not local_contrast(np.full((1, 9, 9), 7, np.float32), np.ones((1, 9, 9), bool), SIGMA).any()


@pytest.mark.parametrize("local_mm", [1e-9, 1.0, 1.99])
def test_a_neighbourhood_of_less_than_a_pixel_would_leave_nothing(
    make_study: Callable[..., Study], local_mm: float
) -> None:
    channels = {"A": {"modality": "xray", "local_mm": local_mm}}
    said = "is less than a pixel, 2 wide when prepared, and nothing of the image would be left; make it larger"
    own = {"spacing_mm": [2, 2, 1], "mask": "none", "margin_mm": 0}
    with pytest.raises(HakkenError) as caught:
        make_study(channels=channels, preparation=own)
    assert f"channels.A.local_mm {local_mm:g}: {said}" in str(caught.value)
    fitted = make_study(channels=channels, preparation={"matrix": [32, 24], "mask": "none"})
    with pytest.raises(HakkenError) as caught:  # what a pixel is wide, only the image tells
        prepare_case({"A": Volume(film(), (2.0, 2.0, 1.0))}, {}, None, fitted, case_id="a")
    assert str(caught.value) == f"channels.A.local_mm: {said.replace('2 wide', '4 wide')}"
    make_study(channels={"A": {"modality": "xray", "local_mm": 2.0}}, preparation=own)


def test_a_radiograph_is_prepared_alike_whatever_its_exposure(make_study: Callable[..., Study]) -> None:
    """The length is in mm: the same film with pixels of 2 mm and 8 mm of SD."""
    channel = {"modality": "xray", "local_mm": 8.0}
    study = make_study(channels={"A": channel}, preparation={"spacing_mm": [2, 2, 1], "mask": "none", "margin_mm": 0})
    films = [Volume(array, (2.0, 2.0, 1.0)) for array in (film(), 3 * film() + 40)]
    first, second = (prepare_case({"A": one}, {}, None, study, case_id="a") for one in films)
    assert first.image[0] == pytest.approx(local_contrast(film(), np.ones((1, 48, 64), bool), SIGMA), abs=0.01)
    assert second.image == pytest.approx(first.image, abs=0.01)
    assert first.case.normalisation["A"] == {"method": "local", "local_mm": 8.0}
