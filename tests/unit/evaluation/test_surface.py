from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import cdist

from hakken.core.errors import HakkenError
from hakken.evaluation import surface
from hakken.evaluation.surface import bounding_box, surface_distances, surface_voxels

Mask = NDArray[np.bool_]


def cube(shape: tuple[int, int, int], start: tuple[int, int, int], size: tuple[int, int, int]) -> Mask:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(first, first + many) for first, many in zip(start, size, strict=True))] = True
    return mask


def blobs(seed: int, shape: tuple[int, int, int] = (9, 11, 13)) -> tuple[Mask, Mask]:
    """Two masks of ragged pieces, with holes and voxels at the border of the image."""
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.normal(size=shape), 1.2) for _ in range(2)]
    one, other = (field > np.quantile(field, 0.8) for field in fields)
    return one, other


def surface_by_looking(mask: Mask) -> Mask:
    """The surface, one voxel and one neighbour at a time."""
    found = np.zeros_like(mask)
    for place in np.argwhere(mask):
        for axis in range(3):
            for step in (-1, 1):
                beside = place.copy()
                beside[axis] += step
                outside = not 0 <= beside[axis] < mask.shape[axis]
                if mask.shape[axis] > 1 and (outside or not mask[tuple(beside)]):
                    found[tuple(place)] = True
    return found


def test_the_surface_of_a_cube_is_all_but_its_inside() -> None:
    # A cube of 4 x 4 x 4 = 64 voxels has an inside of 2 x 2 x 2 = 8.
    assert surface_voxels(cube((8, 8, 8), (2, 2, 2), (4, 4, 4))).sum() == 56
    # What lies beyond the image is outside: a mask of the whole image has the same surface.
    assert surface_voxels(np.ones((4, 4, 4), bool)).sum() == 56


def test_a_flat_image_has_its_surface_in_the_plane() -> None:
    # 4 x 5 = 20 pixels with an inside of 2 x 3 = 6.
    assert surface_voxels(cube((1, 9, 9), (0, 2, 2), (1, 4, 5))).sum() == 14
    assert surface_voxels(np.ones((1, 1, 1), bool)).sum() == 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(9, 11, 13), (1, 20, 20), (7, 1, 9)])
def test_the_surface_is_that_found_voxel_by_voxel(seed: int, shape: tuple[int, int, int]) -> None:
    mask = blobs(seed, shape)[0]
    np.testing.assert_array_equal(surface_voxels(mask), surface_by_looking(mask))


def test_a_cube_moved_along_the_slices() -> None:
    # Two cubes of 2 x 2 x 2 voxels, all of them surface, moved by one slice of 3 mm. Of each cube 4 voxels lie in
    # the other (distance 0) and 4 are one slice, 3 mm, away: no voxel beside them is nearer.
    one, other = cube((8, 8, 8), (1, 3, 3), (2, 2, 2)), cube((8, 8, 8), (2, 3, 3), (2, 2, 2))
    found = surface_distances(one, other, (3.0, 1.0, 1.0))
    assert found.truth.tolist() == found.prediction.tolist() == [0, 0, 0, 0, 3, 3, 3, 3]
    assert (found.hausdorff, found.hd95, found.mean) == (3, 3, 1.5)


def test_two_voxels_on_an_anisotropic_grid() -> None:
    one, other = cube((5, 5, 5), (0, 0, 0), (1, 1, 1)), cube((5, 5, 5), (1, 2, 3), (1, 1, 1))
    # 1 slice of 2.5 mm, 2 rows of 0.5 mm, 3 columns of 2 mm: sqrt(6.25 + 1 + 36).
    assert surface_distances(one, other, (2.5, 0.5, 2.0)).hd95 == pytest.approx(np.sqrt(43.25))


def test_the_percentile_is_directed_and_not_pooled() -> None:
    # A line of 20 voxels, all surface. The truth is its first voxel: distances from the prediction are 0 .. 19, from
    # the truth 0. Of 20 the 95th percentile is the 19th in order, 18; pooled over 21 distances it would be the 20th,
    # 18 as well; of the truth alone 0. With 40 voxels: the 38th in order, 37; pooled over 41: the 39th, 38 ... 37.
    for length, percentile in ((20, 18), (40, 37), (60, 56)):
        one, other = cube((1, 1, 70), (0, 0, 0), (1, 1, 1)), cube((1, 1, 70), (0, 0, 0), (1, 1, length))
        other_wide = np.repeat(np.repeat(other, 3, axis=0), 3, axis=1)
        one_wide = np.zeros_like(other_wide)
        one_wide[1, 1, 0], other_wide[[0, 2]], other_wide[:, [0, 2]] = True, False, False
        found = surface_distances(one_wide, other_wide, (1, 1, 1))
        assert (found.hd95, found.hausdorff) == (percentile, length - 1)
        assert found.mean == pytest.approx(sum(range(length)) / (length + 1))
        assert surface_distances(other_wide, one_wide, (1, 1, 1)).hd95 == percentile
        assert one.sum() == 1


def test_the_larger_direction_counts_where_pooling_would_hide_it() -> None:
    # 100 voxels in a row are predicted, of which the truth has 4 blocks of 1 far away: the truth's own 95th
    # percentile is their distance, though they are 4 of 104 distances and the pooled percentile is 0.
    row = cube((1, 3, 140), (0, 1, 0), (1, 1, 100))
    truth = row.copy()
    truth[0, 1, 20:100] = False  # 20 voxels stay, distance 0
    truth[0, 1, [120, 121]] = True  # 2 of 22 are 21 and 22 columns away
    found = surface_distances(truth, row, (1, 1, 1))
    # Truth: 22 distances, the 21st in order (0.95 * 22 = 20.9) is 21. Prediction: 100 distances; columns 20 .. 99 lie
    # min(x - 19, 120 - x) away, 1, 1, 2, 2 .. up to 50, so the 95th of 100 in order is 48, the greater one.
    assert found.truth[20] == 21
    assert found.hd95 == 48


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.7, 0.9)])
def test_distances_are_those_of_every_pair(seed: int, spacing: tuple[float, float, float]) -> None:
    one, other = blobs(seed)
    points = [np.argwhere(surface_by_looking(mask)) * spacing for mask in (one, other)]
    table = cdist(*points)
    found = surface_distances(one, other, spacing)
    np.testing.assert_allclose(found.truth, np.sort(table.min(axis=1)), atol=1e-12)
    np.testing.assert_allclose(found.prediction, np.sort(table.min(axis=0)), atol=1e-12)
    ends = [np.quantile(table.min(axis=axis), 0.95, method="inverted_cdf") for axis in (0, 1)]
    assert found.hd95 == pytest.approx(max(ends))
    assert found.mean == pytest.approx((table.min(axis=0).sum() + table.min(axis=1).sum()) / sum(table.shape))


@pytest.mark.parametrize("few", [0, 10_000])
def test_far_surfaces_come_from_tree_and_transform_alike(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surface, "FEW", few)
    one, other = cube((40, 12, 12), (1, 2, 2), (4, 5, 6)), cube((40, 12, 12), (30, 3, 1), (6, 5, 4))
    table = cdist(*(np.argwhere(surface_by_looking(mask)) * (1.5, 1.0, 0.5) for mask in (one, other)))
    found = surface_distances(one, other, (1.5, 1.0, 0.5))
    np.testing.assert_allclose(found.truth, np.sort(table.min(axis=1)), atol=1e-12)


@given(st.integers(0, 10_000), st.permutations([0, 1, 2]), st.floats(0.1, 10))
def test_symmetry_axes_and_scale(seed: int, order: list[int], scale: float) -> None:
    one, other = blobs(seed, (5, 6, 7))
    spacing = np.array([2.5, 0.7, 1.1])
    found = surface_distances(one, other, spacing)
    assert surface_distances(other, one, spacing).hd95 == found.hd95
    assert found.hd95 <= found.hausdorff
    assert found.mean <= found.hausdorff
    moved = surface_distances(one.transpose(order), other.transpose(order), spacing[order])
    scaled = surface_distances(one, other, scale * spacing)
    for name in ("hd95", "hausdorff", "mean"):
        assert getattr(moved, name) == pytest.approx(getattr(found, name))
        assert getattr(scaled, name) == pytest.approx(scale * getattr(found, name))


@given(st.integers(0, 10_000))
def test_a_mask_lies_at_no_distance_from_itself_and_a_step_from_itself_moved(seed: int) -> None:
    mask = np.pad(blobs(seed, (5, 6, 7))[0], 1)
    assert surface_distances(mask, mask, (1, 1, 1)).hausdorff == 0
    assert surface_distances(mask, np.roll(mask, 1, axis=0), (3, 1, 1)).hausdorff <= 3


def test_an_empty_mask_and_two_shapes_have_no_distance() -> None:
    some = np.ones((2, 2, 2), bool)
    with pytest.raises(HakkenError, match=r"^an empty mask has no surface; there is no distance to it$"):
        surface_distances(some, ~some, (1, 1, 1))
    with pytest.raises(HakkenError, match=r"^masks of shapes \(2, 2, 2\) and \(1, 2, 2\): one grid is needed$"):
        surface_distances(some, some[:1], (1, 1, 1))


def test_the_box_holds_all_voxels_of_both() -> None:
    one, other = cube((9, 9, 9), (1, 5, 5), (2, 1, 1)), cube((9, 9, 9), (4, 2, 5), (1, 2, 3))
    assert bounding_box(one, other) == (slice(1, 5), slice(2, 6), slice(5, 8))


def test_a_large_pair_takes_seconds() -> None:
    z, y, x = np.ogrid[:200, :512, :512]
    one = (z - 100) ** 2 / 60**2 + (y - 250) ** 2 / 110**2 + (x - 250) ** 2 / 110**2 < 1
    other = (z - 103) ** 2 / 58**2 + (y - 254) ** 2 / 112**2 + (x - 249) ** 2 / 110**2 < 1
    start = time.process_time()
    surface_distances(one, other, (1.5, 0.8, 0.8))
    assert time.process_time() - start < 5
