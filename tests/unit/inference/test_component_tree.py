"""Candidates from the branches of the component tree of a map."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.volume import Geometry
from hakken.inference.candidates import EVERYWHERE
from hakken.inference.component_tree import STEP, Branch, branches, candidates_of_branches

Floats = NDArray[np.float64]


def hill(shape: tuple[int, int, int], *peaks: tuple[tuple[int, int, int], float, float]) -> Floats:
    """Return a map whose logits fall off linearly from peaks: place, logit at the top, fall a voxel."""
    grid = np.stack(np.indices(shape), -1)
    logits = [top - fall * np.linalg.norm(grid - place, axis=-1) for place, top, fall in peaks]
    return np.asarray(1 / (1 + np.exp(-np.max(logits, 0))))


def test_one_hill_is_one_candidate_at_its_top() -> None:
    found = branches(hill((9, 9, 9), ((4, 3, 5), 3.0, 1.0)), threshold=0.05, prominence=1.0)
    assert [(branch.place, round(branch.score, 4)) for branch in found] == [((4, 3, 5), 0.9526)]


def test_the_voxels_of_a_branch_are_those_from_the_threshold_on() -> None:
    values = hill((15, 15, 15), ((7, 7, 7), 2.0, 1.0))
    (branch,) = branches(values, threshold=0.5, prominence=1.0)
    assert branch.voxels == np.count_nonzero(values >= 0.5) == 33  # the ball of radius 2 about a voxel


def test_two_hills_that_meet_are_two_where_the_valley_is_deep_enough() -> None:
    values = hill((1, 1, 41), ((0, 0, 10), 4.0, 0.5), ((0, 0, 20), 3.0, 0.5))
    assert logit(values[0, 0, 16]) == pytest.approx(1.0)  # the valley, two logits below the lower top
    both = branches(values, threshold=0.1, prominence=1.5)
    assert [branch.place[2] for branch in both] == [10, 20]
    (one,) = branches(values, threshold=0.1, prominence=2.5)
    assert one.place[2] == 10, "at the higher one, not between the two"
    assert one.score == pytest.approx(1 / (1 + math.exp(-4)))


def test_a_candidate_of_several_summits_lies_on_the_largest_of_those_that_are_highest() -> None:
    values = np.full((1, 3, 30), 0.5)
    values[0, 1, 2] = values[0, 1, 10:15] = 0.95  # one voxel, and five
    values[0, :, 20:29] = 0.9  # larger, but lower
    (one,) = branches(values, threshold=0.1, prominence=4.0)
    assert (one.place, one.score) == ((0, 1, 12), 0.95)


def test_a_lesion_with_a_rough_top_is_no_crowd() -> None:
    rough = np.random.default_rng(3).normal(0, 0.2, (20, 20, 20))
    logits = np.where(np.linalg.norm(np.indices((20, 20, 20)) - 10, axis=0) < 7, 3.0, -6.0) + rough
    assert len(branches(1 / (1 + np.exp(-logits)), threshold=0.05, prominence=1.5)) == 1


def test_the_candidate_of_a_ring_lies_on_the_ring() -> None:
    far = np.linalg.norm(np.indices((1, 21, 21)) - np.array([0, 10, 10])[:, None, None, None], axis=0)
    values = np.where(abs(far - 7) < 1, 0.9, 0.0)
    (branch,) = branches(values, threshold=0.5, prominence=1.0)
    assert values[tuple(int(place) for place in branch.place)] == 0.9


def test_diagonal_neighbours_belong_together_and_an_empty_map_has_none() -> None:
    values = np.zeros((3, 3, 3))
    assert branches(values, threshold=0.1, prominence=1.0) == []
    values[0, 0, 0] = values[1, 1, 1] = 0.7
    assert [branch.voxels for branch in branches(values, threshold=0.1, prominence=1.0)] == [2]


def test_candidates_are_in_mm_and_the_best_are_kept() -> None:
    geometry = Geometry((5, 5, 30), (2.0, 1.0, 3.0), (10.0, 0.0, -5.0))
    values = hill((5, 5, 30), ((2, 2, 4), 1.0, 2.0), ((3, 1, 15), 3.0, 2.0), ((1, 1, 25), 2.0, 2.0))
    found = candidates_of_branches(branches(values, threshold=0.2, prominence=1.0), geometry, 2)
    assert found.xyz.tolist() == [[40.0, 1.0, 4.0], [60.0, 1.0, -2.0]]
    assert np.all(np.diff(found.score) < 0)
    # balls of radius 2.19 (33 voxels, of which 2 lie beyond the image) and 1.69, of 6 mm³ a voxel
    assert found.size.tolist() == [31 * 6.0, 19 * 6.0]
    assert len(candidates_of_branches([], geometry, 2)) == 0


maps = st.integers(0, 2**32 - 1).map(
    lambda seed: (
        1 / (1 + np.exp(-2.5 * ndimage.gaussian_filter(np.random.default_rng(seed).normal(0, 6, (8, 9, 10)), 1)))
    )
)


@settings(max_examples=25, deadline=None)
@given(maps, st.sampled_from([0.1, 0.3]), st.sampled_from([0.5, 1.0, 2.0]))
def test_what_holds_of_all_maps(values: Floats, threshold: float, prominence: float) -> None:
    found = branches(values, threshold=threshold, prominence=prominence)
    labels, count = ndimage.label(values >= threshold, EVERYWHERE)
    owners = [int(labels[tuple(map(int, branch.place))]) for branch in found]
    assert set(owners) == set(range(1, count + 1))  # each component has a candidate, none lies outside
    for component in range(1, count + 1):
        scores = [branch.score for branch, owner in zip(found, owners, strict=True) if owner == component]
        assert max(scores) == values[labels == component].max()
    regions = np.zeros(values.shape, int)
    for branch in found:
        regions[branch.box][branch.region] += 1
    assert regions.max(initial=0) <= 1  # no voxel belongs to two
    for one, other in itertools.combinations(found, 2):
        level = logit(min(one.score, other.score)) - prominence + 1.01 * STEP
        parted, _ = ndimage.label(values >= 1 / (1 + math.exp(-max(level, logit(threshold)))), EVERYWHERE)
        assert parted[peak_of(values, one)] != parted[peak_of(values, other)]


def peak_of(values: Floats, branch: Branch) -> tuple[int, ...]:
    box, region = branch.box, branch.region
    flat = int(np.argmax(np.where(region, values[box], -1)))
    inner = np.unravel_index(flat, region.shape)
    return tuple(int(place + axis.start) for place, axis in zip(inner, box, strict=True))


def logit(value: float) -> float:
    return math.log(value / (1 - value))


@pytest.mark.parametrize("flips", list(itertools.product((1, -1), repeat=3)))
def test_flipped_axes_of_the_image_leave_candidates_where_they_are(flips: tuple[int, int, int]) -> None:
    """The same map, stored along axes of other directions, has the same candidates in mm (LPS)."""
    values = hill((12, 14, 16), ((3, 9, 4), 3.0, 0.8), ((8, 4, 12), 2.0, 1.0))
    spacing, shape = (0.7, 0.8, 1.25), values.shape
    plain = Geometry(shape, spacing, (-50.0, 20.0, 7.0))
    x, y, z = flips
    corner = plain.to_world(
        np.array([[0 if sign > 0 else size - 1 for sign, size in zip((z, y, x), shape, strict=True)]])
    )
    first = (float(corner[0, 0]), float(corner[0, 1]), float(corner[0, 2]))
    turned = Geometry(shape, spacing, first, (x, 0.0, 0.0, 0.0, y, 0.0, 0.0, 0.0, z))
    found = candidates_of_branches(branches(values, threshold=0.2, prominence=1.0), plain, 10)
    again = candidates_of_branches(branches(values[::z, ::y, ::x], threshold=0.2, prominence=1.0), turned, 10)
    assert len(found) == 2
    assert np.allclose(again.xyz, found.xyz, atol=1e-9)
    assert np.array_equal(again.score, found.score)
