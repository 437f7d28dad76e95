"""Copies of images among images of other patients, on drawn images and on real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from hakken.cohort.near_copies import SETTINGS, Pair, near, unusual
from hakken.core.volume import Volume
from hakken.imaging.files import read_volume
from hakken.imaging.fingerprint import fingerprint

Array = NDArray[Any]


def drawn(seed: int, shape: tuple[int, ...]) -> Array:
    """What all patients share (large and the same in all), and details of one's own."""
    shared, own = np.random.default_rng(0), np.random.default_rng(seed)
    common = ndimage.gaussian_filter(shared.normal(size=shape), shape[-1] / 8)
    details = [ndimage.gaussian_filter(own.normal(size=shape), shape[-1] / size) for size in (24, 48, 96)]
    return np.asarray(100 + 20 * common / common.std() + sum(8 * one / one.std() for one in details))


def printed(array: Array) -> NDArray[np.int8]:
    found = fingerprint(Volume(np.ascontiguousarray(array if array.ndim == 3 else array[None])))
    assert found is not None
    return found


FLAT = {f"p{seed}": drawn(seed, (120, 140)) for seed in range(1, 13)}
SOLID = {f"p{seed}": drawn(seed, (40, 60, 64)) for seed in range(1, 7)}
NOISE = np.random.default_rng(9).normal(size=(120, 140))

CHANGES: dict[str, Callable[[Array], Array]] = {
    "gain and offset": lambda array: 3.5 * array - 900,
    "inverted": lambda array: -array,
    "gamma": lambda array: (array - array.min()) ** 0.6,
    "8 bit": lambda array: np.clip(array, *np.percentile(array, (5, 95))).astype(np.uint8),
    "mirrored": lambda array: array[..., ::-1],
    "upside down": lambda array: array[::-1],
    "turned": lambda array: np.rot90(array, axes=(-2, -1)),
    "half the size": lambda array: ndimage.zoom(array, 0.5, order=1),
    "one axis longer": lambda array: np.repeat(array, 2, axis=-1),
    "cut": lambda array: array[..., array.shape[-2] // 8 :, : -array.shape[-1] // 6],
    "cut on all sides": lambda array: array[..., 22:-20, 14:-25] if array.ndim == 2 else array[3:-5, 6:-10, 8:-7],
    "cut, mirrored and inverted": lambda array: -array[..., ::-1, 12:-10],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("images", [FLAT, SOLID], ids=["flat", "volumes"])
def test_a_copy_is_found_and_nothing_else(images: dict[str, Array], change: str) -> None:
    prints = {name: printed(array) for name, array in images.items()}
    prints["copy"] = printed(CHANGES[change](images["p3"]))
    assert [(pair.first, pair.second) for pair in near(prints)] in ([("p3", "copy")], [("copy", "p3")])


def test_noise_of_a_few_percent() -> None:
    array = FLAT["p5"]
    copy = array + 0.04 * (array.max() - array.min()) * NOISE
    found = near({name: printed(one) for name, one in FLAT.items()} | {"copy": printed(copy)})
    assert [{pair.first, pair.second} for pair in found] == [{"p5", "copy"}]


def test_two_images_are_enough() -> None:
    array = FLAT["p1"]
    found = near({"a": printed(array), "b": printed(array[10:-8, :-20])})
    assert [(pair.first, pair.second) for pair in found] == [("a", "b")]
    assert found[0].similarity > 0.9
    assert near({"a": printed(array), "b": printed(FLAT["p2"])}) == []


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count: int) -> None:
    assert near({f"p{number}": printed(FLAT["p1"]) for number in range(count)}) == []


def test_an_image_with_itself_is_alike_in_every_respect() -> None:
    found = near({"a": printed(FLAT["p1"]), "b": printed(FLAT["p1"])})
    assert found[0].similarity == pytest.approx(1, abs=1e-3)


def test_images_of_one_group_are_not_compared() -> None:
    prints = {"a": printed(FLAT["p1"]), "b": printed(FLAT["p1"]), "c": printed(FLAT["p1"][:-9])}
    assert {frozenset((pair.first, pair.second)) for pair in near(prints, {"a": "x", "b": "x", "c": "y"})} == {
        frozenset("ac"),
        frozenset("bc"),
    }


ROWS, COLUMNS = np.indices((120, 140))
OUTLINES = {
    "endoscope": (abs(ROWS - 62) < 54) & (abs(COLUMNS - 70) < 62) & (abs(ROWS - 62) + abs(COLUMNS - 70) < 98),
    "fundus": (ROWS - 60) ** 2 + (COLUMNS - 70) ** 2 < 64**2,
    "ultrasound": (abs(COLUMNS - 70) < 1.1 * (ROWS + 25) - 10) & ((ROWS + 25) ** 2 + (COLUMNS - 70) ** 2 < 140**2),
}


def seen(seed: int, outline: str) -> Array:
    """What a device shows: something smooth and bright in its field of view, all but black around it."""
    own = np.random.default_rng(seed)
    details = [ndimage.gaussian_filter(own.normal(size=ROWS.shape), 140 / size) for size in (12, 24, 48)]
    return np.where(OUTLINES[outline], 140 + sum(3 * one / one.std() for one in details), 15)


@pytest.mark.parametrize("outline", OUTLINES)
def test_the_outline_of_a_field_of_view_makes_no_copies(outline: str) -> None:
    prints = {f"p{seed}": printed(seen(seed, outline)) for seed in range(12)}
    assert near(prints) == []
    copies = {
        "cut": printed(seen(3, outline)[8:-10, 6:-14]),
        "inverted": printed(-seen(5, outline)),
        "noisy": printed(seen(8, outline)[:, ::-1] + 2 * NOISE),
    }
    found = {frozenset((pair.first, pair.second)) for pair in near(prints | copies)}
    assert found == {frozenset(pair) for pair in (("p3", "cut"), ("p5", "inverted"), ("p8", "noisy"))}


def test_many_frames_of_one_patient_do_not_hide_a_copy_elsewhere() -> None:
    frames = {f"f{number}": printed(np.roll(FLAT["p1"], number, axis=1)) for number in range(12)}
    prints = frames | {"copy": printed(FLAT["p1"][:, 4:])} | {"other": printed(FLAT["p2"])}
    found = near(prints, dict.fromkeys(frames, "one patient"))
    assert {name for pair in found for name in (pair.first, pair.second)} >= {"copy", "f0"}


def test_flat_images_are_not_compared_with_volumes() -> None:
    assert near({"flat": printed(SOLID["p1"][20]), "volume": printed(SOLID["p1"])}) == []


def test_the_order_of_the_images_does_not_matter() -> None:
    prints = {name: printed(array) for name, array in FLAT.items()} | {"copy": printed(FLAT["p2"][9:, 11:])}
    turned = dict(reversed(prints.items()))
    one, other = near(prints)[0], near(turned)[0]
    assert {one.first, one.second} == {other.first, other.second} == {"p2", "copy"}
    assert one.similarity == pytest.approx(other.similarity, abs=0.01)


def test_a_blank_fingerprint_resembles_nothing() -> None:
    blank = np.zeros((64, 64), np.int8)
    assert near({"a": blank, "b": blank, "c": printed(FLAT["p1"])}) == []


def test_details_decide_not_the_shape_that_all_share() -> None:
    """A ball with noise in it, of ever other patients: the ball is the same, and no copy."""
    random = np.random.default_rng(4)
    z, y, x = np.indices((16, 20, 24))
    ball = ((z - 8) / 7) ** 2 + ((y - 10) / 8) ** 2 + ((x - 12) / 9) ** 2 < 1
    prints = {f"p{number}": printed(np.where(ball, 100 + random.normal(0, 6, ball.shape), 0)) for number in range(6)}
    assert max(pair.similarity for pair in near(prints, threshold=0)) < 0.6


def test_brains_of_different_patients_in_one_space_are_no_copies(shared_data: Path) -> None:
    folder = shared_data / "open_ms"
    if not folder.is_dir():
        pytest.skip("the brains (../shared/data/open_ms) are not on this machine")
    paths = {patient: folder / f"patient{patient}" / "T1.nii.gz" for patient in ("07", "19", "26")}
    images = {patient: read_volume(path).array for patient, path in paths.items()}
    prints = {patient: printed(image) for patient, image in images.items()}
    assert max(pair.similarity for pair in near(prints, threshold=0)) < SETTINGS[3].threshold - 0.04
    slices = {patient: printed(image[100]) for patient, image in images.items()}
    assert max(pair.similarity for pair in near(slices, threshold=0)) < SETTINGS[2].threshold - 0.1
    copy = images["19"][20:-10, ::-1, 15:]
    assert [{pair.first, pair.second} for pair in near(prints | {"copy": printed(copy)})] == [{"19", "copy"}]


def test_radiographs_that_look_alike(shared_data: Path) -> None:
    """Two of these were published twice under other names; all others are of other children."""
    folder = shared_data / "chest_xray" / "test" / "PNEUMONIA"
    if not folder.is_dir():
        pytest.skip("the radiographs (../shared/data/chest_xray) are not on this machine")
    paths = sorted(folder.glob("*.jpeg"))[:120]
    assert len(paths) > 100
    prints = {path.stem: printed(read_volume(path).array[0]) for path in paths}
    copied = {f"copy of {path.stem}": printed(read_volume(path).array[0, 20:-30, 25:-10] ** 0.8) for path in paths[:10]}
    found = {frozenset((pair.first, pair.second)) for pair in near(prints | copied)}
    assert {frozenset((path.stem, f"copy of {path.stem}")) for path in paths[:10]} <= found
    others = [sorted(pair) for pair in found if not any(name.startswith("copy") for name in pair)]
    assert all(first.split("_")[0] == second.split("_")[0] for first, second in others)


def test_pairs_that_stand_out_among_many() -> None:
    usual = [Pair(f"a{number}", f"b{number}", 0.05 + 0.01 * (number % 10)) for number in range(40)]
    odd = [Pair("x", "y", 0.6), Pair("x", "z", 0.41)]
    assert unusual([*usual, *odd]) == odd
    assert unusual([*usual, Pair("x", "y", 0.39)]) == []  # too little alike
    assert unusual([*usual[:20], *odd]) == []  # of too few nobody knows what is usual
    alike = [Pair(f"a{number}", f"b{number}", 0.5 + 0.03 * (number % 10)) for number in range(40)]
    assert unusual([*alike, Pair("x", "y", 0.84)]) == []  # brains in a template's space
