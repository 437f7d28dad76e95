"""Windows of prepared cases: where they lie, what they hold, and that they are functions of the seed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.lesions import measure_lesions
from hakken.imaging.prepared import PreparedCase, save_prepared
from hakken.patches.augment import Augmentation
from hakken.training.windows import Drawing, HardPlaces, WindowSource, heat_targets, label_targets

STILL = Augmentation(0.0)


def case_of(
    folder: Path,
    labels: NDArray[np.int16],
    *,
    name: str = "a",
    smallest: float = 0.0,
    classes: Sequence[str] = (),
) -> PreparedCase:
    """Return a case whose first channel holds the number of each voxel in C order, whose second 1 where a lesion is."""
    geometry = Geometry(labels.shape, (1.0, 1.0, 1.0))  # type: ignore[arg-type]
    lesions = measure_lesions(labels, geometry, smallest)
    case = PreparedCase(
        case_id=name,
        patient=name,
        channels=("one", "two"),
        geometry=geometry,
        source_geometry=geometry,
        normalisation={},
        pixel_digest=name,
        has_truth=True,
        lesions=tuple(lesions),
    )
    numbers = np.arange(labels.size).reshape(labels.shape)
    folder.mkdir(parents=True, exist_ok=True)
    image = np.stack([numbers, labels > 0]).astype(np.float32)
    return save_prepared(folder, case, image, np.ones(labels.shape, np.uint8), labels)


def balls(shape: tuple[int, int, int], *places: tuple[tuple[int, int, int], float]) -> NDArray[np.int16]:
    labels = np.zeros(shape, np.int16)
    for number, (place, radius) in enumerate(places, start=1):
        far = np.linalg.norm(np.stack(np.indices(shape), -1) - place, axis=-1)
        labels[far <= radius] = number
    return labels


def with_scalar(folder: Path) -> PreparedCase:
    """Return a case of an image, one that it might lack, where that was measured (1), and a scalar of 0.75."""
    labels = balls((8, 12, 14), ((4, 5, 6), 2))
    image = np.random.default_rng(3).normal(size=(4, *labels.shape)).astype(np.float32)
    image[2:] = np.array([1, 0.75]).reshape(2, 1, 1, 1)
    case = replace(
        case_of(folder, labels),
        channels=("A", "B", "B_present", "age"),
        optional={"B": True},
        scalars={"age": 0.75},
    )
    return save_prepared(folder, case, image, np.ones(labels.shape, np.uint8), labels)


def assert_kept(images: torch.Tensor) -> None:
    """Channels (b, c, ...) that hold no intensities have moved, and hold nothing but what they held."""
    for channel, value in ((2, 1.0), (3, 0.75)):
        found = images[:, channel]
        assert found.min() >= 0  # beyond the case
        assert found.max() == pytest.approx(value)
    assert images[:, 0].max() > 1


def source(cases: Sequence[PreparedCase], drawing: Drawing, *, strength: float = 0.0, seed: int = 5) -> WindowSource:
    return WindowSource(
        cases, label_targets, drawing, spacing=(1, 1, 1), augmentation=Augmentation(strength), seed=seed
    )


@pytest.fixture
def case(tmp_path: Path) -> PreparedCase:
    return case_of(tmp_path, balls((10, 12, 12), ((5, 6, 6), 2), ((1, 1, 1), 1)))


def test_a_window_is_the_part_of_the_case_around_its_middle(case: PreparedCase) -> None:
    one = source([case], Drawing(5, 3, 1, lesion_share=0.001))
    for number in range(20):
        _, (z, y, x) = one.place(number)
        batch = one.batch(number)
        assert batch["images"].shape == (1, 2, 5, 5, 5)
        assert batch["images"][0, 0, 2, 2, 2] == (z * 12 + y) * 12 + x
        assert np.array_equal(batch["targets"][0, 0] > 0, batch["images"][0, 1] > 0)


def test_beyond_the_case_lie_zeros(tmp_path: Path) -> None:
    small = case_of(tmp_path, balls((1, 3, 3), ((0, 1, 1), 0.5)))
    batch = source([small], Drawing(9, 3, 1, lesion_share=0.001)).batch(0)
    assert np.count_nonzero(batch["images"][0, 0]) == 8  # nine voxels, of which the first is number 0


@pytest.mark.parametrize(("axes", "edge", "share"), [(3, 7, 1.0), (3, 8, 0.5), (2, 12, 1.0), (2, 5, 0.001)])
def test_windows_lie_within_the_case_and_hold_the_lesion_all_the_same(
    tmp_path: Path, axes: int, edge: int, share: float
) -> None:
    # At use windows lie within the image too: with zeros in half of them the maps would be normalised otherwise.
    corner = case_of(tmp_path, balls((10, 12, 12), ((9, 0, 11), 1)))
    drawn = source([corner], Drawing(edge, axes, 1, lesion_share=share))
    for number in range(30):
        batch = drawn.batch(number)
        assert np.count_nonzero(batch["images"][0, 0] == 0) <= 1  # the first voxel of the case is number 0
        assert share < 1 or batch["targets"][0, 0].any()


def test_a_case_smaller_than_a_window_lies_in_its_middle(tmp_path: Path) -> None:
    small = case_of(tmp_path, balls((10, 4, 12), ((5, 2, 6), 1)))
    batch = source([small], Drawing(8, 3, 2)).batch(0)
    assert all(
        (window.numpy().any((0, 2)) == [False, False, True, True, True, True, False, False]).all()
        for window in batch["images"][:, 0]
    )


def test_scalars_and_where_channels_were_measured_keep_their_values(tmp_path: Path) -> None:
    assert_kept(source([with_scalar(tmp_path)], Drawing(6, 3, 4), strength=1.0).batch(0)["images"])


def test_the_share_of_windows_with_a_lesion_is_what_it_should_be(case: PreparedCase) -> None:
    every = source([case], Drawing(5, 3, 2, lesion_share=0.25))
    assert [every._holds_lesion(number) for number in range(8)] == [False, False, False, True] * 2
    assert all(source([case], Drawing(5, 3, 2, lesion_share=1.0))._holds_lesion(number) for number in range(9))


@pytest.mark.parametrize(("power", "expected"), [(0.0, 0.5), (0.5, 5.745 / 8.39), (1.0, 33 / 40)])
def test_lesions_are_drawn_by_a_power_of_their_size(tmp_path: Path, power: float, expected: float) -> None:
    # 33 and 7 voxels are balls of radius 2 and 1; 33 / 40, and with the root 5.74 / 8.39.
    two = case_of(tmp_path, balls((20, 20, 20), ((5, 5, 5), 2), ((14, 14, 14), 1)))
    drawn = source([two], Drawing(3, 3, 1, lesion_share=1.0, lesion_power=power))
    first = np.mean([drawn.place(number)[1][0] < 10 for number in range(600)])
    assert first == pytest.approx(expected, abs=0.05)


def test_the_same_seed_gives_the_same_windows_whatever_the_case_is_called(tmp_path: Path) -> None:
    labels = balls((10, 12, 12), ((5, 6, 6), 2))
    one, other = (case_of(tmp_path / name, labels, name=name) for name in "ab")
    other = PreparedCase(**{**vars(other), "pixel_digest": one.pixel_digest})
    drawing = Drawing(7, 3, 3)
    first = source([one], drawing, strength=1.0).batch(4)
    again, renamed = source([one], drawing, strength=1.0).batch(4), source([other], drawing, strength=1.0).batch(4)
    foreign = source([one], drawing, strength=1.0, seed=6).batch(4)
    for name in ("images", "targets"):
        assert np.array_equal(first[name], again[name])
        assert np.array_equal(first[name], renamed[name])
    assert not np.array_equal(first["images"], foreign["images"])
    in_turn = source([one], drawing, strength=1.0).iterate(2, stride=2)
    next(in_turn)
    assert np.array_equal(next(in_turn)["images"], first["images"])


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_windows_are_the_same_however_many_threads_cut_them(case: PreparedCase, workers: int) -> None:
    drawing = Drawing(7, 3, 3)
    with closing(source([case], drawing, strength=1.0).iterate(2, workers=workers)) as made:  # type: ignore[type-var]
        for number, batch in enumerate(islice(made, 6), start=2):
            alone = source([case], drawing, strength=1.0).batch(number)
            assert all(np.array_equal(batch[name], alone[name]) for name in ("images", "targets"))


def test_slices_are_windows_of_two_axes(case: PreparedCase) -> None:
    flat = source([case], Drawing(5, 2, 3))
    batch = flat.batch(0)
    assert batch["images"].shape == (3, 2, 5, 5)
    assert batch["targets"].shape == (3, 2, 5, 5)


def test_findings_too_small_to_count_are_neither_right_nor_wrong(tmp_path: Path) -> None:
    two = case_of(tmp_path, balls((10, 12, 12), ((5, 6, 6), 2), ((1, 1, 1), 1)), smallest=10)
    counted, ignored = label_targets(two, (slice(0, 10),) * 3)
    assert (np.count_nonzero(counted), np.count_nonzero(ignored)) == (33, 7)
    drawn = source([two], Drawing(3, 3, 1, lesion_share=1.0))
    assert {drawn.place(number)[1][0] > 1 for number in range(50)} == {True}


def test_heat_is_a_gaussian_about_each_lesion(tmp_path: Path) -> None:
    two = case_of(tmp_path, balls((12, 24, 24), ((6, 6, 6), 3), ((6, 18, 18), 1)))
    heat, ignored = heat_targets(two, (slice(2, 12), slice(0, 24), slice(0, 24)), least=1.5, part=0.5)
    radius = two.lesions[0].diameter / 2
    assert heat[4, 6, 6] == heat[4, 18, 18] == 1.0
    assert heat[4, 6, 9] == pytest.approx(np.exp(-(3**2) / (2 * (radius / 2) ** 2)))
    assert heat[4, 18, 21] == pytest.approx(np.exp(-(3**2) / (2 * 1.5**2)))
    assert not ignored.any()


def test_without_a_lesion_there_is_nothing_to_learn(tmp_path: Path) -> None:
    normal = case_of(tmp_path, np.zeros((5, 5, 5), np.int16))
    with pytest.raises(HakkenError, match="no training case has a lesion that counts, so there is nothing to learn"):
        source([normal], Drawing(3, 3, 1))


def hard(owners: Sequence[int], voxels: Sequence[tuple[int, int, int]], weights: Sequence[float]) -> HardPlaces:
    return HardPlaces(np.array(owners, np.int64), np.array(voxels, np.int64).reshape(-1, 3), np.array(weights, float))


@pytest.mark.parametrize("axes", [2, 3])
def test_windows_without_a_lesion_lie_on_the_hard_places_a_source_is_told(tmp_path: Path, axes: int) -> None:
    labels = balls((20, 20, 20), ((3, 3, 3), 1))
    cases = [case_of(tmp_path / name, labels, name=name) for name in "ab"]
    one = source(cases, Drawing(6, axes, 1, hard_share=1.0))
    before = [one.place(number) for number in range(200)]
    one.tell(hard([1, 0], [(15, 15, 15), (16, 5, 15)], [0.75, 0.25]))
    after = [one.place(number) for number in range(200)]
    assert before[1::2] == after[1::2], "windows with a lesion stay"
    owners = [case.case_id for case, _ in after[::2]]
    assert set(owners) == {"a", "b"}
    assert owners.count("b") / 100 == pytest.approx(0.75, abs=0.12)
    middles = {"a": (16, 5, 15), "b": (15, 15, 15)}
    apart = np.array([np.subtract(place, middles[case.case_id]) for case, place in after[::2]])
    assert np.abs(apart).max() == 2  # a third of the edge
    assert not np.any(apart[:, : 3 - axes])


def test_the_share_of_hard_windows_is_what_it_should_be(case: PreparedCase) -> None:
    one = source([case], Drawing(3, 3, 1, hard_share=0.3))
    before = [one.place(number)[1] for number in range(0, 1000, 2)]
    one.tell(hard([0], [(8, 10, 2)], [0.5]))
    after = [one.place(number)[1] for number in range(0, 1000, 2)]
    near = np.abs(np.array(after) - (8, 10, 2)).max(1) <= 1
    assert near.mean() == pytest.approx(0.3, abs=0.08)
    assert before != after


def test_without_a_hard_place_windows_are_those_that_they_were(case: PreparedCase) -> None:
    one, other = (source([case], Drawing(5, 3, 2, hard_share=0.5)) for _ in range(2))
    one.tell(hard([], [], []))
    assert [one.place(number) for number in range(20)] == [other.place(number) for number in range(20)]
    still = source([case], Drawing(5, 3, 2))
    assert [still.place(number) for number in range(20)] == [other.place(number) for number in range(20)]
