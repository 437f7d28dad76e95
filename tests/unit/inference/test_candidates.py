from __future__ import annotations

import numpy as np
import pytest

from hakken.core.volume import Geometry
from hakken.inference.candidates import Candidates, extract_candidates
from hakken.inference.component_tree import labelled
from hakken.inference.dense import ScoreMap
from hakken.inference.detect import candidates_of
from hakken.study.parameters import Scanning

GEOMETRY = Geometry((40, 44, 48), (1.0, 1.0, 1.5), (-20.0, 5.0, 100.0), (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))


def lattice(step: int = 2, origin: tuple[int, int, int] = (0, 1, 0)) -> np.ndarray:
    """Voxels (z, y, x, 3) of the points of a map."""
    axes = [np.arange(start, extent, step) for start, extent in zip(origin, GEOMETRY.shape_zyx, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).astype(float)


def bump(centre: tuple[float, float, float], width: float, height: float = 1.0, plateau: float = 0.0) -> np.ndarray:
    """A round hill of scores around a voxel, flat within ``plateau`` voxels of its centre."""
    distance = np.sqrt(((lattice() - centre) ** 2).sum(-1))
    return height * np.exp(-(np.maximum(distance - plateau, 0) ** 2) / (2 * width**2))


def extract(scores: np.ndarray, **options: float) -> Candidates:
    settings = {"threshold": 0.1, "suppression_mm": 4.0, "maximum": 100} | options
    return extract_candidates(ScoreMap(scores.astype(np.float32), (0, 1, 0), (2, 2, 2)), GEOMETRY, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [1.5, 2.5])
@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (0.7, -0.4, 1.0), (-0.9, 0.5, 0.3)])
def test_a_hill_between_lattice_points_is_found_where_it_is(width: float, offset: tuple[float, float, float]) -> None:
    centre = (20 + offset[0], 21 + offset[1], 24 + offset[2])
    found = extract(bump(centre, width, 0.8))
    assert len(found) == 1
    np.testing.assert_allclose(found.voxel[0], centre, atol=0.25)
    np.testing.assert_allclose(found.xyz, GEOMETRY.to_world(found.voxel))
    # Directions (x' = -y, y' = x): a voxel (z, y, x) lies at x = -20 - y, y = 5 + x, z = 100 + 1.5 z.
    expected = (-20 - centre[1], 5 + centre[2], 100 + 1.5 * centre[0])
    np.testing.assert_allclose(found.xyz[0], expected, atol=0.4)


def test_a_large_flat_hill_has_one_candidate_in_its_middle() -> None:
    found = extract(bump((20, 21, 24), 1.0, 0.999, plateau=7.0), suppression_mm=8.0)
    np.testing.assert_allclose(found.voxel[0], (20, 21, 24), atol=2.0)


def test_touching_lesions_do_not_melt_into_one() -> None:
    scores = np.maximum(bump((20, 15, 24), 2.0, 0.9), bump((20, 25, 24), 2.0, 0.7))
    joined = np.maximum(scores, 0.2 * (np.abs(lattice()[..., 1] - 20) < 8) * (np.abs(lattice()[..., 2] - 24) < 3))
    found = extract(joined)
    np.testing.assert_allclose(found.voxel[:2], [(20, 15, 24), (20, 25, 24)], atol=0.6)
    np.testing.assert_allclose(found.score[:2], [0.9, 0.7], atol=0.01)


def test_the_score_is_the_highest_of_the_map_there() -> None:
    scores = bump((20, 21, 24), 2.0, 0.5)
    scores[10, 10, 13] = 0.83
    assert extract(scores).score[0] == pytest.approx(0.83)


def test_components_are_joined_over_corners_and_their_volume_is_shared() -> None:
    scores = np.zeros(lattice().shape[:3])
    scores[5, 5, 5] = scores[6, 6, 6] = 0.6  # 26-connected: one component of two points
    scores[12, 12, 12] = 0.4
    found = extract(scores)
    point = 8 * 1.5  # a lattice point stands for 2 x 2 x 2 voxels of 1 x 1 x 1.5 mm
    assert found.size.tolist() == [2 * point, point]
    np.testing.assert_allclose(found.voxel, [(10, 11, 10), (24, 25, 24)], atol=0.2)  # the first of two equal peaks


def test_background_gives_nothing() -> None:
    found = extract(np.full(lattice().shape[:3], 0.0999))
    assert len(found) == 0
    assert found.xyz.shape == found.voxel.shape == (0, 3)


def test_a_score_at_the_threshold_counts() -> None:
    assert len(extract(bump((20, 21, 24), 2.0, 0.5), threshold=0.5)) == 1


def test_weaker_candidates_within_the_suppression_are_dropped() -> None:
    scores = np.maximum(bump((20, 15, 24), 1.2, 0.6), bump((20, 21, 24), 1.2, 0.9))
    apart = extract(scores, suppression_mm=4.0)
    near = extract(scores, suppression_mm=7.0)
    assert [round(float(score), 2) for score in apart.score] == [0.9, 0.6]
    assert [round(float(score), 2) for score in near.score] == [0.9]


def test_at_most_the_maximum_is_kept_the_best_first() -> None:
    places = [(z, y, 24) for z in (8, 20, 32) for y in (9, 21, 33)]
    scores = np.max([bump(place, 1.5, 0.3 + 0.05 * rank) for rank, place in enumerate(places)], axis=0)
    found = extract(scores, maximum=4)
    np.testing.assert_allclose(found.score, [0.7, 0.65, 0.6, 0.55], atol=0.01)
    assert (np.diff(found.score) <= 0).all()


def test_equal_scores_are_ordered_by_position() -> None:
    places = [(8, 9, 10), (8, 33, 10), (30, 9, 40)]
    scores = np.max([bump(place, 1.5, 0.5) for place in places], axis=0)
    np.testing.assert_allclose(extract(scores).voxel, places, atol=0.01)


def test_nothing_is_found_outside_the_mask() -> None:
    mask = np.ones(GEOMETRY.shape_zyx, np.uint8)
    mask[:, :20] = 0
    scores = np.maximum(bump((20, 9, 24), 2.0), bump((20, 31, 24), 2.0)).astype(np.float32)
    found = extract_candidates(
        ScoreMap(scores, (0, 1, 0), (2, 2, 2)), GEOMETRY, mask, threshold=0.1, suppression_mm=4, maximum=9
    )
    np.testing.assert_allclose(found.voxel, [(20, 31, 24)], atol=0.01)


def test_a_flat_image_is_a_volume_of_one_slice() -> None:
    scores = np.zeros((1, 20, 20), np.float32)
    scores[0, 8:11, 12] = (0.5, 0.9, 0.5)
    found = extract_candidates(
        ScoreMap(scores, (0, 0, 0), (1, 2, 2)), Geometry((1, 40, 40)), threshold=0.1, suppression_mm=4, maximum=9
    )
    np.testing.assert_allclose(found.xyz, [(24, 18, 0)], atol=1e-6)


def test_labels_are_those_of_the_nearest_voxel() -> None:
    labels = np.zeros((3, 4, 5), np.int16)
    labels[1, 2, 3] = 7
    found = Candidates(
        np.zeros((3, 3)), np.zeros(3), np.zeros(3), np.array([(1.4, 1.6, 3.2), (0.4, 2, 3), (9.0, 2, 3)])
    )
    assert found.labels(labels).tolist() == [7, 0, 0]


def ridge(peaks: int, height: float) -> np.ndarray:
    """One component with so many peaks in a row, the first the highest, which meet at eight tenths of the height."""
    along = np.arange(peaks) * 6.0 + 1
    scores = np.max([bump((20, y, 24), 1.2, height - 0.001 * number) for number, y in enumerate(along)], axis=0)
    on_it = (np.abs(lattice()[..., 0] - 20) < 2) & (np.abs(lattice()[..., 2] - 24) < 2)
    return np.maximum(scores, 0.8 * height * on_it)


def test_a_rough_top_fills_the_list_no_more() -> None:
    """Seven peaks of 0.9 on one ridge and three hills of 0.3: of four candidates the ridge has one."""
    hills = np.max([bump((6, y, 40), 1.2, 0.3) for y in (9, 21, 33)], axis=0)
    score_map = ScoreMap(np.maximum(ridge(7, 0.9), hills).astype(np.float32), (0, 1, 0), (2, 2, 2))
    few = Scanning(suppression_mm=2.0, maximum_candidates=4)
    without = candidates_of(score_map, GEOMETRY, few, threshold=0.1)
    assert without.score.tolist() == pytest.approx([0.9] * 4, abs=0.01)
    found = candidates_of(score_map, GEOMETRY, few, threshold=0.1, prominence=2.0)
    assert found.score.tolist() == pytest.approx([0.9, 0.3, 0.3, 0.3], abs=0.01)
    rough = candidates_of(score_map, GEOMETRY, few, threshold=0.1, prominence=0.5)
    assert len(rough) == 4, "each of the seven stands by 1.25 logits above where it meets the next"


def test_a_rough_top_is_one_candidate_where_branches_are_told() -> None:
    scores = ridge(7, 0.9)
    branches = labelled(scores, threshold=0.1, prominence=2.0)
    found = extract_candidates(
        ScoreMap(scores.astype(np.float32), (0, 1, 0), (2, 2, 2)),
        GEOMETRY,
        threshold=0.1,
        suppression_mm=2.0,
        maximum=100,
        branches=branches,
    )
    assert found.score.tolist() == pytest.approx([0.9], abs=0.01)
    assert found.size[0] == (scores >= 0.1).sum() * 8 * 1.5
