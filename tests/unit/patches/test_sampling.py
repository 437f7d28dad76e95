from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.patches.sampling import SPREAD_MM, Centres, Kind, sample_centres
from hakken.study import Patches

SHAPE = (20, 24, 28)


def asked(**changes: Any) -> Patches:
    values = {"positives_per_lesion": 4, "easy_negatives_per_case": 30, "hard_negatives_per_case": 10}
    return Patches.model_validate(values | changes)


def sample(
    labels: np.ndarray, mask: np.ndarray | None = None, image: np.ndarray | None = None, seed: int = 1, **changes: Any
) -> Centres:
    spacing = changes.pop("spacing", (1.0, 1.0, 1.0))
    excluded = changes.pop("excluded", ())
    mask = np.ones(labels.shape, np.uint8) if mask is None else mask
    image = np.random.default_rng(0).random(labels.shape) if image is None else image
    return sample_centres(labels, mask, image, spacing=spacing, settings=asked(**changes), seed=seed, excluded=excluded)


def of_kind(centres: Centres, kind: Kind) -> list[tuple[int, ...]]:
    return [tuple(voxel) for voxel in centres.voxels[centres.kinds == kind].tolist()]


def lesion(*box: slice, shape: tuple[int, ...] = SHAPE, label: int = 1) -> np.ndarray:
    labels = np.zeros(shape, np.int16)
    labels[box] = label
    return labels


def test_class_codes_are_those_of_the_files() -> None:
    assert [(kind.name, kind.value) for kind in Kind] == [("EASY", 0), ("HARD", 1), ("POSITIVE", 2)]


def test_positives_are_distinct_voxels_of_the_lesion_with_its_middle_first() -> None:
    labels = lesion(slice(5, 8), slice(6, 9), slice(7, 10))
    positives = of_kind(sample(labels, positives_per_lesion=27), Kind.POSITIVE)
    assert positives[0] == (6, 7, 8)
    assert sorted(positives) == [tuple(voxel) for voxel in np.argwhere(labels).tolist()]


def test_a_lesion_of_two_voxels_gives_each_two_or_three_times_when_five_are_asked_for() -> None:
    labels = lesion(slice(5, 6), slice(6, 7), slice(7, 9))
    positives = of_kind(sample(labels, positives_per_lesion=5), Kind.POSITIVE)
    assert sorted(positives.count(voxel) for voxel in set(positives)) == [2, 3]


def test_the_middle_of_a_ring_is_one_of_its_own_voxels() -> None:
    labels = lesion(slice(5, 6), slice(5, 10), slice(5, 10))
    labels[5, 6:9, 6:9] = 0
    assert labels[of_kind(sample(labels), Kind.POSITIVE)[0]] == 1


def test_every_lesion_gives_its_share_and_names_itself() -> None:
    labels = lesion(slice(5, 8), slice(6, 9), slice(7, 10)) + lesion(slice(14, 16), slice(1, 4), slice(1, 5), label=7)
    centres = sample(labels)
    positive = centres.kinds == Kind.POSITIVE
    assert centres.lesions[positive].tolist() == [1] * 4 + [7] * 4
    assert labels[tuple(centres.voxels[positive].T)].tolist() == [1] * 4 + [7] * 4
    assert not centres.lesions[~positive].any()


def test_a_lesion_partly_outside_the_mask_gives_positives_inside_it() -> None:
    labels = lesion(slice(5, 8), slice(6, 9), slice(7, 10))
    mask = np.ones(SHAPE, np.uint8)
    mask[:, :, 8:] = 0
    assert {x for _, _, x in of_kind(sample(labels, mask, positives_per_lesion=9), Kind.POSITIVE)} == {7}


def test_excluded_lesions_are_neither_positive_nor_near_a_negative() -> None:
    labels = lesion(slice(5, 8), slice(6, 9), slice(7, 10))
    centres = sample(labels, excluded={1}, easy_negatives_per_case=100_000, clearance_mm=2)
    distance = ndimage.distance_transform_edt(labels == 0)
    assert centres.count(Kind.POSITIVE) == 0
    assert distance[tuple(centres.voxels.T)].min() == 2


@pytest.mark.parametrize("clearance", [0.0, 1.0, 3.0, 5.5])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.0, 3.0)])
def test_negatives_are_exactly_the_voxels_of_the_mask_that_keep_clear(
    clearance: float, spacing: tuple[float, float, float]
) -> None:
    labels = lesion(slice(8, 10), slice(10, 13), slice(10, 14)) + lesion(slice(0, 1), slice(0, 1), slice(0, 2), label=2)
    mask = np.random.default_rng(3).random(SHAPE) < 0.7
    everything = 100_000
    centres = sample(labels, mask, clearance_mm=clearance, spacing=spacing, easy_negatives_per_case=everything)
    distance = ndimage.distance_transform_edt(labels == 0, sampling=spacing[::-1])
    expected = np.argwhere(mask & (labels == 0) & (distance >= clearance))
    assert sorted(of_kind(centres, Kind.EASY)) == [tuple(voxel) for voxel in expected.tolist()]


def test_easy_negatives_are_uniform_in_the_mask() -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:18, 2:22, 4:24] = 1
    centres = sample(np.zeros(SHAPE, np.int16), mask, easy_negatives_per_case=3200)
    easy = np.array(of_kind(centres, Kind.EASY))
    assert len(np.unique(easy, axis=0)) == 3200
    halves = (easy < [10, 12, 14]).mean(axis=0)
    np.testing.assert_allclose(halves, 0.5, atol=4 * 0.5 / np.sqrt(3200))


def test_hard_negatives_find_each_bright_structure_once_before_any_twice() -> None:
    image = np.zeros((40, 40, 40), np.float32)
    spots = [(6, 6, 6), (6, 30, 8), (30, 7, 30), (33, 33, 33), (20, 20, 20)]
    for spot in spots:
        image[tuple(slice(index - 1, index + 2) for index in spot)] = 10
    image += np.random.default_rng(1).random(image.shape).astype(np.float32) * 0.01
    labels = np.zeros(image.shape, np.int16)
    hard = of_kind(sample(labels, image=image, hard_negatives_per_case=5), Kind.HARD)
    nearest = sorted(min(spots, key=lambda spot, v=voxel: np.linalg.norm(np.subtract(spot, v))) for voxel in hard)
    assert nearest == sorted(spots)
    assert all(image[voxel] >= 10 for voxel in hard)


def test_hard_negatives_keep_apart_where_there_is_room() -> None:
    centres = sample(np.zeros((60, 60, 60), np.int16), hard_negatives_per_case=12)
    hard = np.array(of_kind(centres, Kind.HARD), float)
    apart = np.linalg.norm(hard[:, None] - hard[None], axis=-1)[np.triu_indices(len(hard), 1)]
    assert apart.min() >= SPREAD_MM


def test_hard_negatives_are_brighter_than_the_mask() -> None:
    image = ndimage.gaussian_filter(np.random.default_rng(2).standard_normal((30, 30, 30)), 2)
    hard = of_kind(sample(np.zeros(image.shape, np.int16), image=image, hard_negatives_per_case=20), Kind.HARD)
    assert np.mean([image[voxel] for voxel in hard]) > np.percentile(image, 95)


def test_more_hard_negatives_than_bright_voxels_gives_all_of_them_once() -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[5:9, 5:10, 5:10] = 1
    hard = of_kind(sample(np.zeros(SHAPE, np.int16), mask, hard_negatives_per_case=1000), Kind.HARD)
    assert len(hard) == len(set(hard)) == 5  # the brightest twentieth of 100 voxels


def test_a_bright_lesion_is_no_hard_negative() -> None:
    labels = lesion(slice(5, 8), slice(6, 9), slice(7, 10))
    centres = sample(labels, image=np.where(labels > 0, 100.0, np.random.default_rng(0).random(SHAPE)), clearance_mm=2)
    distance = ndimage.distance_transform_edt(labels == 0)
    assert all(distance[voxel] >= 2 for voxel in of_kind(centres, Kind.HARD))


def test_an_empty_mask_gives_no_negatives_and_keeps_the_positives() -> None:
    centres = sample(lesion(slice(5, 8), slice(6, 9), slice(7, 10)), np.zeros(SHAPE, np.uint8))
    assert [centres.count(kind) for kind in Kind] == [0, 0, 4]


def test_a_case_without_lesions_gives_negatives_alone() -> None:
    centres = sample(np.zeros(SHAPE, np.int16))
    assert [centres.count(kind) for kind in Kind] == [30, 10, 0]


def test_nothing_at_all_gives_empty_arrays_of_the_right_shape() -> None:
    centres = sample(np.zeros(SHAPE, np.int16), np.zeros(SHAPE, np.uint8))
    assert centres.voxels.shape == (0, 3)
    assert len(centres) == 0


def test_the_seed_decides_and_kinds_do_not_disturb_each_other() -> None:
    labels = lesion(slice(5, 8), slice(6, 9), slice(7, 10))
    first, again, other = sample(labels), sample(labels), sample(labels, seed=2)
    np.testing.assert_array_equal(first.voxels, again.voxels)
    assert of_kind(first, Kind.EASY) != of_kind(other, Kind.EASY)
    fewer = sample(labels, hard_negatives_per_case=0, positives_per_lesion=1)
    assert of_kind(fewer, Kind.EASY) == of_kind(first, Kind.EASY)


def test_volumes_of_different_shape_are_an_error() -> None:
    with pytest.raises(HakkenError, match=r"labels \(20, 24, 28\), mask \(2, 2, 2\) and image .* differ in shape"):
        sample(np.zeros(SHAPE, np.int16), np.zeros((2, 2, 2), np.uint8))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), lesions=st.integers(0, 4), per_lesion=st.integers(1, 12), masked=st.floats(0, 1))
def test_any_case_gives_voxels_on_the_grid_positives_in_lesions_and_clear_negatives(
    seed: int, lesions: int, per_lesion: int, masked: float
) -> None:
    rng = np.random.default_rng(seed)
    labels = np.zeros((9, 10, 11), np.int16)
    for label in range(1, lesions + 1):
        z, y, x = rng.integers(0, 8, 3)
        labels[z : z + 2, y : y + 2, x : x + 2] = label
    mask = rng.random(labels.shape) < masked
    centres = sample(labels, mask, seed=seed, positives_per_lesion=per_lesion, spacing=(2.0, 1.0, 0.5))
    distance = (
        ndimage.distance_transform_edt(labels == 0, sampling=(0.5, 1.0, 2.0)) if lesions else np.full((9, 10, 11), 9)
    )
    at = tuple(centres.voxels.T)
    positive = centres.kinds == Kind.POSITIVE
    np.testing.assert_array_equal(labels[at][positive], centres.lesions[positive])
    assert centres.count(Kind.POSITIVE) == per_lesion * len(set(labels[labels > 0].tolist()))
    assert mask[at][~positive].all()
    assert (distance[at][~positive] >= 2).all()


def test_moved_positives_lie_around_their_lesion_and_in_the_image() -> None:
    labels = np.zeros((1, 40, 60), np.int16)
    labels[0, 2:6, 30:34] = 1
    moved, still = (
        sample_centres(
            labels,
            np.ones(labels.shape),
            np.zeros(labels.shape),
            spacing=(1.0, 1.0, 1.0),
            settings=Patches(positives_per_lesion=50, jitter_voxel=reach, hard_negatives_per_case=0),
            seed=3,
        )
        for reach in (10, 0)
    )
    positive = moved.voxels[moved.kinds == Kind.POSITIVE]
    assert len(positive) == 50
    assert positive[:, 0].max() == 0  # a flat image stays flat
    assert (positive[:, 1].min(), positive[:, 1].max()) >= (0, 12)
    assert positive[:, 1].max() <= 15
    assert 20 <= positive[:, 2].min() < positive[:, 2].max() <= 43
    negative = moved.kinds == Kind.EASY
    assert np.array_equal(moved.voxels[negative], still.voxels[still.kinds == Kind.EASY])


def test_easy_negatives_are_drawn_from_each_group_of_slices_alike() -> None:
    """One slice of the first group, two of the second, 17 of the third: voxels alike would favour the last."""
    groups = np.repeat([7, 3, 5], [1, 2, 17])
    labels, mask = np.zeros(SHAPE, np.int16), np.ones(SHAPE, np.uint8)
    image = np.zeros(SHAPE)
    settings = asked(easy_negatives_per_case=300, hard_negatives_per_case=0)
    found = sample_centres(labels, mask, image, spacing=(1.0, 1.0, 1.0), settings=settings, seed=3, groups=groups)
    counts = np.bincount(groups[found.voxels[:, 0]], minlength=8)[[7, 3, 5]]
    assert counts.sum() == 300
    assert np.abs(counts - 100).max() < 25
    assert len({tuple(voxel) for voxel in found.voxels.tolist()}) == 300
