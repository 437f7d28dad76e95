"""Images that can be read and are odd, each beside one that is as it should be; and cases unlike the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hakken.core.volume import Geometry, Volume
from hakken.imaging.files import read_image
from hakken.imaging.image_questions import odd_among, odd_image


@dataclass(frozen=True)
class Row:
    case_id: str = "c1"
    channels: dict[str, Path] = field(default_factory=dict)
    lesion_mask: Path | None = None
    lesion_table: Path | None = None
    label: str | None = None
    row: int | None = 2


NOISE = np.random.default_rng(0).normal(100, 20, (10, 12, 14)).astype(np.float32)


def said(array: NDArray[Any]) -> list[str]:
    return [one.reason for one in odd_image(Row(), "T1", Volume(array)) if not one.stops]


def test_an_image_as_it_should_be() -> None:
    assert said(NOISE) == said(NOISE[:1]) == said(NOISE.astype(np.int16)) == []
    padded = np.concatenate([np.zeros((3, 12, 14)), NOISE, np.zeros((4, 12, 14))])
    assert said(padded) == []
    assert said((NOISE > 100) * 1 + (NOISE > 110)) == []


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (NOISE > 100, "holds two values alone, 0 and 1, as a mask does"),
        (NOISE[:1] > 100, "holds two values alone, 0 and 1, as a mask does"),
        (np.where(NOISE > 100, -1000, 40), "holds two values alone, -1000 and 40, as a mask does"),
        (NOISE * 1e-18, "has values from 2.2e-17 to 1.61e-16, nearly 0: a factor may be missing"),
    ],
)
def test_values_that_are_hardly_those_of_an_image(array: NDArray[Any], reason: str) -> None:
    assert said(np.asarray(array, np.float32)) == [reason]


def test_unsigned_numbers_that_were_taken_for_signed_ones() -> None:
    stored = np.random.default_rng(0).integers(0, 2**16, (4, 30, 30)).astype(np.uint16)
    (reason,) = said(stored.view(np.int16))
    assert reason.endswith(": unsigned numbers may have been taken for signed ones")
    assert said(stored) == []
    assert said(np.clip(stored.view(np.int16), -2000, None)) == []


def test_slices_that_stand_there_twice() -> None:
    twice = NOISE.copy()
    twice[4] = twice[3]
    assert said(twice) == ["repeats slices: slice 4 is the same as slice 3"]
    twice[5] = twice[3]
    assert said(twice) == ["repeats slices: slice 4 is the same as slice 3, and so are 1 more"]


def test_slices_that_are_empty_at_one_end() -> None:
    cut = NOISE.copy()
    cut[6:] = 0
    assert said(cut) == ["holds nothing in slices 6 to 9 of 10: it may have been cut off"]
    assert said(cut[::-1]) == ["holds nothing in slices 0 to 3 of 10: it may have been cut off"]
    cut[:2] = 0
    assert said(cut) == []  # in the middle of its field of view


@pytest.mark.parametrize(("shape", "axis"), [((8, 16, 1), "x"), ((8, 1, 16), "y")])
def test_a_volume_that_is_one_voxel_thin_stops(shape: tuple[int, ...], axis: str) -> None:
    array = np.random.default_rng(0).random(shape)
    (problem,) = odd_image(Row(), "T1", Volume(array))
    assert problem.stops
    assert problem.reason.startswith(f"is a volume of one voxel along {axis} (")


def among(*grids: Geometry) -> list[tuple[int | None, str, bool]]:
    known = {row: (f"c{row}", grid) for row, grid in enumerate(grids, start=2)}
    return [(one.row, one.reason, one.stops) for one in odd_among(dict(known), "T1")]


def test_one_slice_among_volumes_and_a_volume_among_slices() -> None:
    flat, deep = Geometry((1, 20, 20)), Geometry((9, 20, 20))
    assert among(deep, flat, deep) == [(3, "is one slice, but 2 of 3 cases are volumes", True)]
    assert among(flat, flat, deep) == [(4, "is a volume, but 2 of 3 cases are one slice each", True)]
    assert among(deep, deep) == among(flat) == []


def test_voxels_in_another_unit() -> None:
    usual = [Geometry((9, 20, 20), (1.0, 1.0, side)) for side in (1.0, 1.5, 5.0, 2.0)]
    assert among(*usual, Geometry((9, 20, 20), (10.0, 10.0, 20.0))) == [
        (6, "has voxels of 10 x 10 x 20 mm, most cases have 1 x 1 x 2 mm: its lengths may be in another unit", False)
    ]
    assert among(*usual, Geometry((9, 20, 20), (1.0, 1.0, 30.0))) == []


def test_a_pointer_of_git_lfs_is_called_one(tmp_path: Path) -> None:
    path = tmp_path / "x.nii.gz"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n")
    with pytest.raises(Exception, match="not the image but a pointer of Git LFS to it; fetch it with `git lfs pull`"):
        read_image(path)
