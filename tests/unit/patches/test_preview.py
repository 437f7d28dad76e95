from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from hakken.patches.preview import BACKGROUND, FRAMES, compose_preview, write_preview
from hakken.patches.sampling import Kind


def has(sheet: np.ndarray, colour: tuple[int, ...]) -> np.ndarray:
    """Return which pixel rows of a sheet hold a colour."""
    return (sheet == colour).all(axis=-1).any(axis=1)


def test_kinds_stand_below_each_other_in_their_own_frames(make_store: Any) -> None:
    sheet = compose_preview(make_store(), 0)
    spans = [np.flatnonzero(has(sheet, FRAMES[kind])) for kind in Kind]
    assert spans[0].max() < spans[1].min() <= spans[1].max() < spans[2].min()


def test_a_kind_that_is_missing_leaves_its_row_empty(make_store: Any) -> None:
    sheet = compose_preview(make_store(hard=0), 0)
    assert not has(sheet, FRAMES[Kind.HARD]).any()
    assert sheet.shape == compose_preview(make_store(), 0).shape


def test_brighter_patches_are_brighter(make_store: Any) -> None:
    store = make_store(easy=1, hard=0, positive=1)  # the positive holds 1, the easy one 0
    sheet = compose_preview(store, 0)
    rows = [np.flatnonzero(has(sheet, FRAMES[kind])) for kind in (Kind.EASY, Kind.POSITIVE)]
    easy, positive = (sheet[row.min() : row.max(), 20:100] for row in rows)
    assert (easy == 0).all(axis=-1).any()
    assert (positive == 255).all(axis=-1).any()


def test_an_empty_store_gives_an_empty_sheet(make_store: Any) -> None:
    sheet = compose_preview(make_store(0, 0, 0), 0)
    assert (sheet == BACKGROUND).all()


def test_the_file_is_a_picture_and_always_the_same(make_store: Any, tmp_path: Path) -> None:
    store = make_store()
    for name in ("one.png", "two.png"):
        write_preview(store, 0, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "one.png"))), compose_preview(store, 0)
    )
