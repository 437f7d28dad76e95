"""Murray's laws, and the trees that grow by them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.anatomy.head import Anatomy
from hakken.phantoms.aneurysm.branching import THINNEST_MM, Buds, Growth, branch_angles, daughter_radii, grow

RADII = st.floats(0.4, 3)
RATIOS = st.floats(0.1, 1)


def trees(anatomy: Anatomy, seed: int) -> Growth:
    """Return three trees that start at the middle of the head and wish to go up."""
    up = np.tile([0.0, 0, 1], (3, 1))
    buds = Buds("MCA", np.tile([0.0, 0, 5], (3, 1)), up, up, np.array([1.2, 0.9, 0.5]), np.ones(3))
    return grow(anatomy, buds, 0.8, np.random.default_rng(seed))


@given(RADII, RATIOS)
def test_the_law_of_radii(parent: float, ratio: float) -> None:
    one, two = daughter_radii(np.array(parent), np.array(ratio))
    assert float(one**3 + two**3) == pytest.approx(parent**3)
    assert float(two) == pytest.approx(ratio * float(one))


def test_equal_daughters_leave_at_the_published_angle() -> None:
    # r1 = r2 = r0 / 2^(1/3): cos a = r0^2 / (2 r1^2) = 2^(2/3) / 2 = 2^(-1/3), a = 37.47 degrees (75 between them).
    parent = np.array(1.7)
    one, two = daughter_radii(parent, np.array(1.0))
    first, second = branch_angles(parent, one, two)
    assert float(np.degrees(first)) == pytest.approx(37.467, abs=1e-3)
    assert float(second) == pytest.approx(float(first))


@given(RADII, RATIOS)
def test_the_thinner_daughter_turns_further(parent: float, ratio: float) -> None:
    one, two = daughter_radii(np.array(parent), np.array(ratio))
    first, second = branch_angles(np.array(parent), one, two)
    assert 0 <= float(first) <= float(second) + 1e-9 <= np.pi / 2 + 1e-6


def test_every_fork_obeys_the_law_and_no_branch_is_too_thin(adult: Anatomy) -> None:
    growth = trees(adult, 3)
    assert len(growth.forks) > 15
    assert max(fork.generation for fork in growth.forks) >= 4
    for fork in growth.forks:
        assert fork.parent**3 == pytest.approx(sum(radius**3 for radius in fork.daughters))
        assert fork.daughters[0] >= THINNEST_MM
    assert min(float(tubes.radii.min()) for tubes in growth.tubes) >= THINNEST_MM


def test_blood_fades_from_generation_to_generation(adult: Anatomy) -> None:
    levels = [float(tubes.strength.mean()) for tubes in trees(adult, 4).tubes]
    assert all(later < earlier for earlier, later in pairwise(levels))


def test_branches_stay_in_the_brain(adult: Anatomy) -> None:
    for seed in range(3):
        for tubes in trees(adult, seed).tubes:
            depth = adult.grid.sample(adult.hull, tubes.ends.reshape(-1, 3))
            assert depth.min() > -4


def test_branches_are_connected(adult: Anatomy) -> None:
    growth = trees(adult, 6)
    for earlier, later in pairwise(growth.tubes):
        starts = later.ends[::20, 0]
        gaps = np.linalg.norm(starts[:, None] - earlier.ends[None, :, 1], axis=-1).min(1)
        assert gaps.max() < 0.5


def test_the_same_seed_grows_the_same_trees(adult: Anatomy) -> None:
    first, second, other = trees(adult, 3), trees(adult, 3), trees(adult, 4)
    assert all(np.array_equal(a.ends, b.ends) for a, b in zip(first.tubes, second.tubes, strict=True))
    assert not np.array_equal(first.tubes[0].ends, other.tubes[0].ends)
