from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.evaluation.overlap import MEASURES, LesionCounts, LesionRule, count_lesions, measure_overlap

Mask = NDArray[np.bool_]


def masks(seed: int, shape: tuple[int, int, int] = (5, 6, 7), share: float = 0.2) -> tuple[Mask, Mask]:
    rng = np.random.default_rng(seed)
    one, other = rng.random((2, *shape)) < share
    return one, other


def cubes() -> tuple[Mask, Mask]:
    """The example of docs/reference/overlap.md: two cubes moved by a slice, a lesion missed, one made up."""
    truth, prediction = np.zeros((2, 8, 12, 12), bool)
    truth[1:3, 3:5, 3:5] = True
    prediction[2:4, 3:5, 3:5] = True
    truth[6, 10, 10] = True
    prediction[0, 0, 11] = True
    return truth, prediction


def test_two_cubes_by_hand() -> None:
    found = measure_overlap(*cubes(), (3.0, 1.0, 1.0))
    # 9 voxels each, 4 in common; a voxel is 3 mm3 = 0.003 ml.
    assert found.dice == pytest.approx(2 * 4 / 18)
    assert found.jaccard == pytest.approx(4 / 14)
    assert (found.truth_ml, found.prediction_ml) == (pytest.approx(0.027), pytest.approx(0.027))
    assert (found.volume_error_ml, found.relative_volume_error) == (0, 0)
    assert found.lesions == LesionCounts(truth=2, found=1, predicted=2, matched=1)
    assert (found.lesion_sensitivity, found.lesion_precision) == (0.5, 0.5)
    # All voxels are surface. From the truth: 4 at 0, 4 at 3 mm, and the missed voxel (6, 10, 10), nearest to
    # (3, 4, 4): sqrt(9^2 + 6^2 + 6^2) = sqrt(153). From the prediction: 4 at 0, 4 at 3 and (0, 0, 11), nearest to
    # (1, 3, 4): sqrt(3^2 + 3^2 + 7^2) = sqrt(67). Of 9 the 95th percentile is the 9th (0.95 * 9 = 8.55).
    assert found.hd95_mm == pytest.approx(np.sqrt(153))
    assert found.mean_surface_distance_mm == pytest.approx((24 + np.sqrt(153) + np.sqrt(67)) / 18)
    assert found.reasons == {}


def test_a_volume_that_is_too_large() -> None:
    truth, prediction = np.zeros((2, 4, 10, 10), bool)
    truth[0, 0, :4], prediction[:2, 0, :5] = True, True
    found = measure_overlap(truth, prediction, (2.0, 5.0, 10.0))
    # A voxel is 100 mm3 = 0.1 ml: truth 4, prediction 10, in common 4.
    assert found.volume_error_ml == pytest.approx(0.6)
    assert found.absolute_volume_error_ml == pytest.approx(0.6)
    assert found.relative_volume_error == pytest.approx(1.5)
    assert (found.dice, found.jaccard) == (pytest.approx(8 / 14), pytest.approx(0.4))
    other = measure_overlap(prediction, truth, (2.0, 5.0, 10.0))
    assert (other.volume_error_ml, other.absolute_volume_error_ml) == (pytest.approx(-0.6), pytest.approx(0.6))
    assert other.relative_volume_error == pytest.approx(-0.6)


def test_two_empty_masks_have_no_dice() -> None:
    nothing = np.zeros((3, 3, 3), bool)
    found = measure_overlap(nothing, nothing, (1, 1, 1))
    assert found.both_empty
    assert {name for name in MEASURES if found.value(name) is None} == set(found.reasons)
    assert found.reasons == {
        "dice": "both masks are empty",
        "jaccard": "both masks are empty",
        "relative_volume_error": "the truth is empty",
        "hd95_mm": "both masks are empty",
        "mean_surface_distance_mm": "both masks are empty",
        "lesion_sensitivity": "the truth is empty",
        "lesion_precision": "the prediction is empty",
    }
    assert (found.volume_error_ml, found.truth_ml) == (0, 0)


def test_one_empty_mask_has_a_dice_of_nought_and_no_distance() -> None:
    nothing, some = np.zeros((3, 3, 3), bool), np.zeros((3, 3, 3), bool)
    some[0, 0, :2] = True
    missed = measure_overlap(some, nothing, (1, 1, 1))
    assert (missed.dice, missed.jaccard, missed.relative_volume_error) == (0, 0, -1)
    assert (missed.lesion_sensitivity, missed.lesion_precision, missed.both_empty) == (0, None, False)
    assert missed.reasons == {
        "hd95_mm": "the prediction is empty",
        "mean_surface_distance_mm": "the prediction is empty",
        "lesion_precision": "the prediction is empty",
    }
    made_up = measure_overlap(nothing, some, (1, 1, 1))
    assert (made_up.dice, made_up.lesion_sensitivity, made_up.lesion_precision) == (0, None, 0)
    assert made_up.volume_error_ml == pytest.approx(0.002)
    assert set(made_up.reasons) == {
        "relative_volume_error",
        "hd95_mm",
        "mean_surface_distance_mm",
        "lesion_sensitivity",
    }
    assert set(made_up.reasons.values()) == {"the truth is empty"}


@pytest.mark.parametrize(("connectivity", "lesions"), [(6, 3), (18, 2), (26, 1)])
def test_neighbours_by_face_edge_and_corner(connectivity: int, lesions: int) -> None:
    mask = np.zeros((4, 4, 4), bool)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[1, 2, 2] = True  # the second shares an edge, the third a corner
    nothing = np.zeros_like(mask)
    assert count_lesions(mask, nothing, LesionRule(connectivity)).truth == lesions  # type: ignore[arg-type]


def test_a_lesion_is_found_by_one_voxel_or_by_the_union() -> None:
    truth, prediction = np.zeros((2, 1, 3, 30), bool)
    truth[0, 1, :10], prediction[0, 1, 9:19] = True, True  # 1 in common of 10 + 10 - 1 = 19
    truth[0, 1, 22:30], prediction[0, 1, 22:26] = True, True  # 4 of 8
    assert count_lesions(truth, prediction, LesionRule()) == LesionCounts(2, 2, 2, 2)
    assert count_lesions(truth, prediction, LesionRule(minimum_iou=0.1)) == LesionCounts(2, 1, 2, 1)
    assert count_lesions(truth, prediction, LesionRule(minimum_iou=1 / 19)) == LesionCounts(2, 2, 2, 2)
    assert count_lesions(truth, prediction, LesionRule(minimum_iou=0.5)) == LesionCounts(2, 1, 2, 1)
    assert count_lesions(truth, prediction, LesionRule(minimum_iou=0.51)) == LesionCounts(2, 0, 2, 0)


def test_one_lesion_may_match_several_but_is_compared_with_each_alone() -> None:
    truth, prediction = np.zeros((2, 1, 3, 20), bool)
    truth[0, 1, :10] = True
    prediction[0, 1, [*range(4), *range(6, 10)]] = True  # two pieces of 4: IoU 4 / 10 each, 8 / 10 together
    assert count_lesions(truth, prediction, LesionRule()) == LesionCounts(1, 1, 2, 2)
    assert count_lesions(truth, prediction, LesionRule(minimum_iou=0.4)) == LesionCounts(1, 1, 2, 2)
    assert count_lesions(truth, prediction, LesionRule(minimum_iou=0.5)) == LesionCounts(1, 0, 2, 0)
    assert count_lesions(prediction, truth, LesionRule()) == LesionCounts(2, 2, 1, 1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("minimum_iou", [None, 0.1, 0.3])
def test_lesions_are_those_of_every_pair(seed: int, minimum_iou: float | None) -> None:
    truth, prediction = masks(seed, (6, 8, 8))
    structure = np.ones((3, 3, 3), bool)
    ones, others = (
        [labels == number for number in range(1, count + 1)]
        for labels, count in (ndimage.label(mask, structure) for mask in (truth, prediction))
    )
    table = np.array([[(one & other).sum() / (one | other).sum() for other in others] for one in ones])
    match = table > 0 if minimum_iou is None else table >= minimum_iou
    expected = LesionCounts(len(ones), int(match.any(axis=1).sum()), len(others), int(match.any(axis=0).sum()))
    assert count_lesions(truth, prediction, LesionRule(26, minimum_iou)) == expected


@given(st.integers(0, 10_000), st.permutations([0, 1, 2]))
def test_symmetry_bounds_and_axes(seed: int, order: list[int]) -> None:
    one, other = masks(seed)
    spacing = np.array([2.5, 0.7, 1.1])
    found, turned = measure_overlap(one, other, spacing), measure_overlap(other, one, spacing)
    assert found.dice is not None and found.jaccard is not None
    assert 0 <= found.jaccard <= found.dice <= 1
    assert found.jaccard == pytest.approx(found.dice / (2 - found.dice))
    assert (turned.dice, turned.hd95_mm, turned.jaccard) == (found.dice, found.hd95_mm, found.jaccard)
    assert turned.volume_error_ml == -found.volume_error_ml
    assert turned.lesion_sensitivity == found.lesion_precision
    moved = measure_overlap(one.transpose(order), other.transpose(order), spacing[order])
    for measure in MEASURES:
        assert moved.value(measure) == pytest.approx(found.value(measure))


@given(st.integers(0, 10_000), st.integers(0, 4))
def test_empty_space_around_changes_nothing(seed: int, width: int) -> None:
    one, other = (np.pad(mask, 1) for mask in masks(seed))
    wide = measure_overlap(np.pad(one, width), np.pad(other, width), (3, 1, 1))
    assert wide.as_dict() == measure_overlap(one, other, (3, 1, 1)).as_dict()


@given(st.integers(0, 10_000))
def test_a_mask_is_its_own_best_prediction(seed: int) -> None:
    mask = masks(seed)[0]
    found = measure_overlap(mask, mask, (1, 2, 3), LesionRule(6, 1.0))
    assert [found.value(name) for name in MEASURES] == [1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LesionRule(8), "connectivity 8: use 6 (faces), 18 (edges) or 26 (corners)"),  # type: ignore[arg-type]
        (lambda: LesionRule(minimum_iou=0), "overlap 0: use an intersection over union above 0 and up to 1"),
        (
            lambda: measure_overlap(np.ones((2, 2), bool), np.ones((2, 2), bool), (1, 1)),
            "masks of shapes (2, 2) and (2, 2): one grid (z, y, x) is needed",
        ),
    ],
)
def test_what_cannot_be_compared_is_named(make: object, message: str) -> None:
    with pytest.raises(HakkenError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value) == message


def test_a_piece_that_touches_the_other_mask_is_neither_false_nor_missed() -> None:
    truth, found = np.zeros((2, 1, 6, 12), bool)
    truth[0, 0, 0:4] = True
    found[0, 0, 3:12] = True  # one voxel in common, eight beyond
    found[0, 3, 0:2] = True  # apart
    truth[0, 5, 9:12] = True  # missed
    measured = measure_overlap(truth, found, (1, 1, 1))
    assert measured.false_positive_ml == pytest.approx(0.002)
    assert measured.false_negative_ml == pytest.approx(0.003)


@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_pieces_of_false_volumes_share_faces_or_edges_whatever_lesions_do(connectivity: int) -> None:
    truth, found = np.zeros((2, 3, 4, 4), bool)
    truth[0, 0, 0] = found[0, 0, 0] = True
    found[0, 1, 1] = True  # by an edge: of the piece that touches the truth
    found[1, 2, 2] = True  # by a corner alone from there: a piece of its own, and false
    rule = LesionRule(connectivity)  # type: ignore[arg-type]
    assert measure_overlap(truth, found, (1, 1, 1), rule).false_positive_ml == pytest.approx(0.001)


@given(st.integers(0, 10**6))
def test_false_volumes_are_those_of_pieces_gone_through_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, found = rng.random((2, 4, 6, 6)) < 0.25
    measured = measure_overlap(truth, found, (2, 1, 0.5))
    for value, mask, other in ((measured.false_positive_ml, found, truth), (measured.false_negative_ml, truth, found)):
        pieces, count = ndimage.label(mask, ndimage.generate_binary_structure(3, 2))
        voxels = sum((pieces == n).sum() for n in range(1, count + 1) if not (other & (pieces == n)).any())
        assert value == pytest.approx(voxels * 0.001)


@pytest.mark.parametrize(("truth", "found", "volumes"), [(0, 0, (0, 0)), (1, 0, (0, 0.008)), (0, 1, (0.008, 0))])
def test_false_volumes_of_empty_masks_are_those_of_the_other(
    truth: int, found: int, volumes: tuple[float, float]
) -> None:
    masks = [np.full((2, 2, 2), bool(value)) for value in (truth, found)]
    measured = measure_overlap(*masks, (1, 1, 1))
    assert (measured.false_positive_ml, measured.false_negative_ml) == pytest.approx(volumes)
