"""Truths that can be read and are odd, and what is said of them; each beside one that is as it should be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.volume import Volume
from hakken.imaging.lesions import Labels, label_lesions, measure_lesions
from hakken.imaging.prepared import Lesion
from hakken.imaging.table_questions import asked_of_table, meant
from hakken.imaging.truth_questions import Asked, asked, background
from hakken.study import Cohort

Y, X = np.indices((96, 128))
IMAGE = np.random.default_rng(5).integers(20, 200, (1, 96, 128)).astype(np.uint8)


def disc(y: float, x: float, diameter: float) -> NDArray[np.bool_]:
    return np.asarray(np.hypot(Y - y, X - x) <= diameter / 2)


def questions(
    mask: NDArray[Any], labels: Any = "instances", image: NDArray[Any] = IMAGE, unit: Any = "px"
) -> list[Asked]:
    found: Labels = label_lesions(mask if mask.ndim == 3 else mask[None], Cohort(table="c.csv", labels=labels))
    reference = Volume(image, unit=unit)
    return list(asked(found, measure_lesions(found, reference.geometry), reference, labels == "instances"))


def names(*given: Any, **more: Any) -> list[tuple[str, bool]]:
    return [(one.name, one.stops) for one in questions(*given, **more)]


@pytest.mark.parametrize("white", [1, 255])
def test_two_discs_of_one_label_are_two_lesions(white: int) -> None:
    mask = (disc(40, 30, 20) | disc(40, 90, 20)).astype(np.uint8) * white
    (one,) = questions(mask)
    assert (one.name, one.stops) == ("far_pieces", True)
    assert one.reason == (
        f"label {white} has several pieces up to 40 px apart, which count as one lesion whose centre lies between them"
    )
    assert one.remedy == "set `cohort.labels: binary` if each piece is a lesion (the mask holds one label alone)"
    assert questions(mask // white, "binary") == []


def test_pieces_nearer_than_they_are_wide_are_two_lesions_too_where_nothing_else_is_labelled() -> None:
    mask = (disc(40, 40, 30) | disc(40, 88, 30)).astype(np.uint8)
    assert names(mask) == [("far_pieces", True)]
    assert names(mask + 2 * disc(80, 10, 6)) == []  # a second label: the reader does number lesions
    near = (disc(40, 40, 30) | disc(40, 73, 30)).astype(np.uint8)
    assert names(near) == []  # a cleft of two pixels


def test_a_label_of_several_in_far_pieces_is_a_question() -> None:
    mask = np.where(disc(40, 20, 12) | disc(40, 100, 12), 1, np.where(disc(80, 60, 10), 2, 0)).astype(np.uint8)
    (one,) = questions(mask)
    assert (one.name, one.stops) == ("far_pieces", False)
    assert one.remedy == "set `cohort.labels: binary` if each piece is a lesion, or give each a number of its own"


def test_a_lesion_with_debris_is_one_lesion() -> None:
    mask = disc(40, 40, 30).astype(np.uint8)
    mask[90, 120] = 1
    assert names(mask) == []


def test_grey_levels_of_an_edge_are_no_lesions() -> None:
    distance = np.hypot(Y - 40, X - 40)
    smoothed = np.clip(255 * (16 - distance) / 3, 0, 255).astype(np.uint8)
    (one,) = questions(smoothed)
    assert (one.name, one.stops) == ("grey_rims", True)
    assert one.remedy.endswith("or give the study `cohort: {labels: binary, mask_threshold: 128}`")
    touching = np.where(disc(40, 40, 24), 1, np.where(disc(40, 60, 24), 2, np.where(disc(60, 50, 24), 3, 0)))
    assert names(touching.astype(np.uint8)) == []  # three lesions side by side


def test_white_and_a_few_grey_pixels_are_no_numbers_of_lesions() -> None:
    """Of the 138 masks of CVC-ClinicDB that are grey 55 hold few levels, such as 254 and 255, or wide ones."""
    mask = np.where(disc(40, 40, 24), 255, 0)
    mask[40, 28:34] = 254
    (one,) = questions(mask.astype(np.uint8))
    assert (one.name, one.stops) == ("grey_rims", True)
    why = "up to white (255), which are levels of grey rather than numbers of lesions"
    assert one.reason == f"2 labels (254, 255) {why}"
    assert one.remedy.endswith("mask_threshold: 128}`")


def test_white_alone_and_numbers_up_to_white_are_no_grey_levels() -> None:
    assert names(np.where(disc(40, 40, 24), 255, 0).astype(np.int32)) == []
    many = np.zeros((80, 80), np.int32)
    many[2:62:2, 2:36:4].flat[:255] = np.arange(1, 256)
    assert "grey_rims" not in names(many)


def test_grey_levels_of_a_volume_too() -> None:
    z, y, x = np.indices((24, 24, 24)) - 12
    soft = np.clip(np.rint(4 * (9 - np.sqrt(z**2 + y**2 + x**2))), 0, 9).astype(np.int16)
    image = np.random.default_rng(1).normal(size=soft.shape)
    assert ("grey_rims", True) in names(soft, image=image, unit="mm")


def test_black_and_white_changed_places() -> None:
    lesion = disc(40, 60, 30)
    assert names(~lesion, "binary") == [("inverted", True)]
    (one,) = questions(~disc(48, 64, 80), "binary")
    assert one.reason == "59% of the image is lesion, its corners too: black and white may have changed places"
    assert names(disc(48, 64, 90), "binary") == [("large_lesions", False)]
    assert names(disc(48, 64, 60), "binary") == []


def test_specks_among_real_lesions() -> None:
    mask = disc(40, 40, 12)
    mask[5, 5] = mask[5, 50] = True
    assert names(mask, "binary") == []
    mask[90, 90] = True
    (one,) = questions(mask, "binary")
    assert (one.name, one.stops, one.reason) == ("specks", False, "3 of 4 lesions are single pixels")
    small = np.zeros((96, 128), bool)
    small[::20, ::20] = True
    assert names(small, "binary") == []  # all are as small: microaneurysms, say


def test_specks_below_the_minimum_are_none() -> None:
    mask = disc(40, 40, 12)
    mask[5, 5] = mask[5, 50] = mask[90, 90] = True
    labels = label_lesions(mask[None], Cohort(table="c.csv", labels="binary"))
    reference = Volume(IMAGE, unit="px")
    lesions = measure_lesions(labels, reference.geometry, minimum=2)
    assert list(asked(labels, lesions, reference, instances=False)) == []


def test_hundreds_of_lesions() -> None:
    mask = np.zeros((96, 128), bool)
    mask[::4, ::4] = mask[1::4, ::4] = True
    assert names(mask, "binary") == [("many_lesions", False)]


def test_lesions_beside_what_the_image_shows() -> None:
    image = IMAGE.copy()
    image[0, :, 64:] = 0
    beside = disc(40, 100, 16)
    (one,) = questions(beside, "binary", image)
    assert (one.name, one.stops) == ("outside_content", True)
    assert one.reason == "lesion 1 lies where the image holds nothing but 0, its lowest value"
    (one,) = questions(beside | disc(40, 30, 16), "binary", image)
    assert (one.name, one.stops) == ("outside_content", False)
    (one,) = questions(beside | disc(80, 100, 16), "binary", image)
    assert one.reason == "every lesion lies where the image holds nothing but 0, its lowest value"
    assert names(disc(40, 30, 16), "binary", image) == []


def test_a_case_without_lesions_is_asked_nothing() -> None:
    assert questions(np.zeros((96, 128), np.uint8)) == []


VOLUME = Volume(np.random.default_rng(6).integers(20, 200, (8, 20, 20)).astype(np.float32), (1, 1, 2), (-9, -9, 5))


def rows(*given: tuple[float, float, float, float]) -> tuple[Lesion, ...]:
    return tuple(Lesion(number, *one, 1.0) for number, one in enumerate(given, start=1))


def asked_of(*given: tuple[float, float, float, float]) -> list[tuple[str, str]]:
    return [(one.name, one.reason) for one in asked_of_table(rows(*given), VOLUME)]


def test_rows_of_a_table_that_are_one_lesion() -> None:
    given = [(1.5, 2.0, 9.0, 4.0), (1.5, 2.0, 9.0, 4.0), (1.5, 2.0, 9.0, 5.0)]
    assert asked_of(*given) == [("twice", "lesions 1 and 2 have one place and one size")]
    assert asked_of((1.5, 2, 9, 4), (1.6, 2, 9, 4.2), (1.5, 4, 9, 4)) == [
        ("twice", "lesions 1 and 2 have nearly one place and one size")
    ]
    assert list(asked_of_table((), VOLUME)) == []


def test_diameters_below_a_voxel() -> None:
    said = "the widest lesion is 0.4 mm across, less than a voxel (1 mm)"
    assert asked_of((1.5, 2, 9, 0.3), (4.5, 2, 9, 0.4)) == [("tiny_lesions", said)]
    assert asked_of((1.5, 2, 9, 0.3), (4.5, 2, 9, 1.5)) == []


def test_places_that_are_voxel_indices() -> None:
    said = "all places are whole numbers from 0 to the number of voxels, as voxel indices are"
    assert asked_of((1, 2, 7, 4), (8, 3, 6, 4)) == [("voxel_indices", said)]
    assert asked_of((1, 2, 7, 4)) == []
    assert asked_of((1, 2, 7, 4), (8, 3, 6.5, 4)) == []
    same = Volume(VOLUME.array)
    assert list(asked_of_table(rows((1, 2, 7, 4), (8, 3, 6, 4)), same)) == []


def test_places_in_another_convention_are_recognised() -> None:
    image = np.zeros((8, 20, 20), np.float32)
    image[:, 2:9, 2:9] = 1 + np.random.default_rng(0).random((8, 7, 7))
    reference = Volume(image, (1, 1, 2), (-10, -10, 100))
    (one,) = asked_of_table(rows((5, 5, 104, 6)), reference)
    assert (one.name, one.stops) == ("outside_content", True)
    assert one.remedy.endswith("; with the other sign of x and y (RAS) all would lie inside, so turn both signs")
    assert meant(rows((5, 6, 3, 3)), reference) == "; as voxel indices all would lie inside, so convert them to mm"
    assert meant(rows((15, 6, 3, 3)), reference) == ""


def ball(z: float, y: float, x: float, radius: float, shape: tuple[int, ...] = (12, 24, 24)) -> NDArray[np.uint8]:
    places = np.indices(shape).reshape(3, -1).T - [z, y, x]
    return np.asarray(np.linalg.norm(places, axis=1) <= radius, np.uint8).reshape(shape)


SPACE = np.random.default_rng(5).integers(20, 200, (12, 24, 24)).astype(np.float32)


def test_255_beside_other_labels_stands_for_what_is_ignored() -> None:
    mask = ball(6, 6, 6, 3)
    mask[:, 18:] = 255
    (one,) = questions(mask, image=SPACE, unit="mm")
    assert (one.name, one.stops) == ("ignore_label", True)
    assert one.reason == "label 255 beside 1 other label up to 1: it often stands for what is to be ignored"
    assert names(np.where(mask == 255, 2, mask), image=SPACE, unit="mm") == []


def test_a_label_within_another() -> None:
    organ = ball(6, 12, 12, 5)
    (one,) = questions(organ + ball(6, 12, 12, 2), image=SPACE, unit="mm")
    assert (one.name, one.stops) == ("enclosed", False)
    assert one.reason.startswith("label 2 lies inside label 1, as a tumour in its organ")
    beside = organ + 2 * ball(6, 12, 20, 2)
    assert names(np.minimum(beside, 2), image=SPACE, unit="mm") == []


def test_outlines_that_are_not_filled() -> None:
    shell = ball(6, 12, 12, 5) - ball(6, 12, 12, 4)
    (one,) = questions(shell, image=SPACE, unit="mm")
    assert (one.name, one.reason) == ("outlines", "of lesion 1 little but the outline is marked")
    in_slices = np.stack([plane & ~ndimage.binary_erosion(plane) for plane in ball(6, 12, 12, 5) > 0])
    assert names(in_slices.astype(np.uint8), image=SPACE, unit="mm") == [("outlines", False)]
    thick_rim = ball(6, 12, 12, 5) - ball(6, 12, 12, 2)
    assert names(thick_rim, image=SPACE, unit="mm") == []


def test_a_truth_that_was_drawn_into_its_image() -> None:
    mask = ball(6, 12, 12, 3)
    (one,) = questions(mask, image=np.where(mask, 250, SPACE), unit="mm")
    said = f"the image is 250 in {mask.sum()} voxels of lesions and nowhere else: the truth seems to be drawn into it"
    assert (one.name, one.stops, one.reason) == ("burnt_in", False, said)
    elsewhere = np.where(mask | ball(3, 3, 3, 1), 250, SPACE)
    assert names(mask, image=elsewhere, unit="mm") == []


def test_lesions_in_the_noise_around_the_patient() -> None:
    image = np.random.default_rng(1).normal(-1000, 15, (12, 24, 24))
    image[2:10, 4:14, 4:20] = np.random.default_rng(2).normal(40, 30, (8, 10, 16))
    (one,) = questions(ball(6, 19, 12, 2), image=image, unit="mm")
    assert (one.name, one.stops) == ("outside_content", False)
    assert one.reason == "lesion 1 lies where the image holds nothing but the noise of its background"
    assert names(ball(6, 9, 12, 2), image=image, unit="mm") == []
    assert names(ball(6, 14, 12, 3), image=image, unit="mm") == []  # half of it in the patient
    assert background(SPACE) is None


def test_a_slice_that_is_lesion_from_edge_to_edge() -> None:
    mask = np.zeros((12, 24, 24), np.uint8)
    mask[5] = 1
    (one,) = questions(mask, image=SPACE, unit="mm")
    assert (one.name, one.reason) == ("large_lesions", "all of slice 5 is lesion")
