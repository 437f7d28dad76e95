"""Crops around known places: where they lie, which are hits, and that they are functions of the seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.imaging.prepared import PreparedCase
from hakken.patches.augment import Augmentation
from hakken.training.crops import Cropping, CropSource
from hakken.training.windows import HardPlaces

from .test_windows import assert_kept, balls, case_of, with_scalar

NOWHERE = HardPlaces(np.empty(0, np.int64), np.empty((0, 3), np.int64), np.empty(0))


@pytest.fixture
def cases(tmp_path: Path) -> list[PreparedCase]:
    labels = balls((8, 12, 14), ((4, 5, 6), 2))
    return [case_of(tmp_path / name, labels, name=name) for name in "ab"]


def source(cases: list[PreparedCase], *, axes: int = 3, off: int = 0, strength: float = 0.0) -> CropSource:
    cropping = Cropping(edge=5, axes=axes, batch_size=4, off=off)
    return CropSource(cases, cropping, spacing=(1, 1, 1), augmentation=Augmentation(strength), seed=3)


def told(cases: list[PreparedCase], **options: int) -> CropSource:
    one = source(cases, **options)
    hits = HardPlaces(np.array([1]), np.array([[4, 5, 6]]), np.ones(1))
    false = HardPlaces(np.array([0, 1]), np.array([[6, 9, 3], [7, 3, 11]]), np.array([0.9, 0.1]))
    one.tell(hits, false)
    return one


@pytest.mark.parametrize("axes", [2, 3])
def test_every_other_crop_is_a_hit_and_the_others_are_false_ones(cases: list[PreparedCase], axes: int) -> None:
    one = told(cases, axes=axes)
    batch = one.batch(0)
    assert batch["images"].shape == (4, 2, *[5] * axes)
    assert batch["targets"].tolist() == [1, 0, 1, 0]
    centre = batch["images"][(slice(None), 0, *[2] * axes)]
    places = [one.place(number) for number in range(4)]
    assert centre.tolist() == [(z * 12 + y) * 14 + x for _, (z, y, x) in places]
    assert {voxel for _, voxel in places} <= {(4, 5, 6), (6, 9, 3), (7, 3, 11)}
    assert [case.case_id for case, _ in places[::2]] == ["b", "b"]


def test_false_ones_are_drawn_in_proportion_to_their_weights_and_lie_off_the_middle(cases: list[PreparedCase]) -> None:
    one = told(cases, off=2)
    false = [one.place(number) for number in range(1, 801, 2)]
    assert np.mean([case.case_id == "a" for case, _ in false]) == pytest.approx(0.9, abs=0.05)
    apart = np.array([np.subtract(place, (6, 9, 3)) for case, place in false if case.case_id == "a"])
    assert (apart.min(), apart.max()) == (-2, 2)
    flat = told(cases, off=2, axes=2)
    assert {place[0] for case, place in map(flat.place, range(1, 99, 2)) if case.case_id == "a"} == {6}


def test_without_hits_lesions_are_taken_and_without_false_ones_any_place(cases: list[PreparedCase]) -> None:
    one, untold = source(cases), source(cases)
    one.tell(NOWHERE, NOWHERE)
    for number in range(20):
        assert one.place(number) == untold.place(number)
        case, voxel = one.place(number)
        assert number % 2 or case.labels()[voxel] == 1
    anywhere = {one.place(number)[1] for number in range(1, 99, 2)}
    assert len(anywhere) > 40


def test_the_same_seed_gives_the_same_crops(cases: list[PreparedCase]) -> None:
    first, again = told(cases, off=1, strength=1.0).batch(3), told(cases, off=1, strength=1.0).batch(3)
    assert torch.equal(first["images"], again["images"])
    assert not torch.equal(first["images"], told(cases, off=1, strength=1.0).batch(4)["images"])


def test_without_a_lesion_there_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match="no training case has a lesion that counts"):
        source([case_of(tmp_path, np.zeros((4, 4, 4), np.int16))])


def test_scalars_and_where_channels_were_measured_keep_their_values(tmp_path: Path) -> None:
    image = told([with_scalar(tmp_path / name) for name in "ab"], strength=1.0).batch(0)["images"]
    assert_kept(image)
