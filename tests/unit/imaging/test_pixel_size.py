"""Pictures and the size of their pixels: of every format alike, and as the study says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hakken.core.errors import HakkenError
from hakken.imaging.files import read_volume

FORMATS = ("png", "jpg", "tif", "bmp")
PIXELS = np.random.default_rng(0).integers(0, 255, (12, 20)).astype(np.uint8)


def picture(folder: Path, ending: str, **more: Any) -> Path:
    path = folder / f"a.{ending}"
    Image.fromarray(PIXELS).save(path, **more)
    return path


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("more", [{}, {"dpi": (300, 300)}], ids=["no resolution", "300 dpi"])
def test_lengths_are_in_pixels_whatever_the_file_says(tmp_path: Path, ending: str, more: Any) -> None:
    geometry = read_volume(picture(tmp_path, ending, **more)).geometry
    assert (geometry.unit, geometry.spacing, geometry.origin) == ("px", (1, 1, 1), (0, 0, 0))
    assert str(geometry).startswith("20x12x1 voxels of 1 1 1 px, ")


@pytest.mark.parametrize("ending", FORMATS)
def test_the_study_says_how_large_they_are(tmp_path: Path, ending: str) -> None:
    geometry = read_volume(picture(tmp_path, ending, dpi=(300, 300)), pixel_mm=0.2).geometry
    assert (geometry.unit, geometry.spacing) == ("mm", (0.2, 0.2, 1.0))


@pytest.mark.parametrize("ending", FORMATS)
def test_the_file_says_it_where_it_is_asked_to(tmp_path: Path, ending: str) -> None:
    geometry = read_volume(picture(tmp_path, ending, dpi=(127, 254)), pixel_mm="file").geometry
    assert geometry.unit == "mm"
    assert geometry.spacing == pytest.approx((0.2, 0.1, 1.0), rel=1e-4)


@pytest.mark.parametrize("ending", FORMATS[:3])
def test_a_file_that_says_nothing_cannot_be_asked(tmp_path: Path, ending: str) -> None:
    path = picture(tmp_path, ending)
    with pytest.raises(HakkenError) as error:
        read_volume(path, pixel_mm="file")
    assert str(error.value) == (
        f"{path}: the file names no resolution, which `cohort.pixel_mm: file` asks for; give the size in mm there, or "
        "leave the key out and have lengths in pixels"
    )
