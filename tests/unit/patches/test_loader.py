from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.patches.augment import Augmentation
from hakken.patches.loader import PatchLoader
from hakken.patches.sampling import Centres, Kind
from hakken.patches.shards import CutCase, Layout, PatchStore, write_shards


def loader(store: PatchStore, **changes: Any) -> PatchLoader:
    values: dict[str, Any] = {
        "batch_size": 8,
        "patch_size": 3,
        "negative_ratio": 3.0,
        "hard_fraction": 0.5,
        "augmentation": 0.0,
        "seed": 1,
    }
    return PatchLoader(store, **(values | changes))


def kinds(patches: PatchLoader, steps: int) -> list[tuple[int, ...]]:
    """Return the numbers of easy, hard and positive patches of each step."""
    counted = []
    for step in range(steps):
        codes = patches.store.kinds[patches.choose(step)]
        counted.append(tuple(int((codes == kind).sum()) for kind in Kind))
    return counted


def test_a_batch_holds_the_patches_that_it_names(make_store: Any) -> None:
    batch = loader(make_store()).batch(0)
    assert (batch.images.shape, batch.images.dtype) == ((8, 1, 3, 3, 3), torch.float32)
    assert (batch.targets.shape, batch.targets.dtype) == ((8,), torch.int64)
    expected = torch.from_numpy(batch.patches).float()[:, None, None, None, None].expand(8, 1, 3, 3, 3)
    assert torch.equal(batch.images, expected)


def test_targets_are_one_where_a_lesion_is_at_the_centre(make_store: Any) -> None:
    batch = loader(make_store(easy=6, hard=4, positive=5)).batch(0)
    assert batch.targets.tolist() == [int(number >= 10) for number in batch.patches]
    assert batch.targets.sum() == 2


def test_an_infinite_ratio_takes_negatives_alone(make_store: Any) -> None:
    patches = loader(make_store(easy=6, hard=0, positive=0), negative_ratio=math.inf)
    assert kinds(patches, 3) == [(8, 0, 0)] * 3
    assert patches.batch(0).targets.sum() == 0
    with pytest.raises(HakkenError, match="holds no negative patches"):
        loader(make_store(easy=0, hard=0, positive=5), negative_ratio=math.inf)
    with pytest.raises(HakkenError, match="holds no positive patches"):
        loader(make_store(easy=6, hard=0, positive=0))


def test_patches_are_read_in_the_order_on_disk(make_store: Any) -> None:
    numbers = loader(make_store()).choose(3)
    assert numbers.tolist() == sorted(numbers.tolist())


@pytest.mark.parametrize(
    ("batch_size", "ratio", "hard", "expected"),
    [
        (8, 3.0, 0.5, (3, 3, 2)),
        (8, 1.0, 1.0, (0, 4, 4)),
        (8, 3.0, 0.0, (6, 0, 2)),
        (32, 3.0, 0.25, (18, 6, 8)),
    ],
)
def test_every_batch_keeps_a_ratio_that_divides_it(
    make_store: Any, batch_size: int, ratio: float, hard: float, expected: tuple[int, ...]
) -> None:
    patches = loader(make_store(), batch_size=batch_size, negative_ratio=ratio, hard_fraction=hard)
    assert kinds(patches, 5) == [expected] * 5


@pytest.mark.parametrize(
    ("batch_size", "ratio", "hard"), [(1, 3.0, 0.5), (8, 10.0, 0.3), (7, 0.5, 0.5), (13, 2.7, 0.9)]
)
def test_any_ratio_holds_over_the_steps(make_store: Any, batch_size: int, ratio: float, hard: float) -> None:
    patches = loader(make_store(), batch_size=batch_size, negative_ratio=ratio, hard_fraction=hard)
    counted = np.array(kinds(patches, 100))
    assert (counted.sum(axis=1) == batch_size).all()
    easy, difficult, positive = counted.sum(axis=0)
    assert abs(positive - 100 * batch_size / (1 + ratio)) <= 1
    assert abs(difficult - (easy + difficult) * hard) <= 1


def test_every_patch_of_a_kind_comes_once_before_any_comes_again(make_store: Any) -> None:
    store = make_store(easy=12, hard=4, positive=10)
    patches = loader(store)
    for kind, per_step in ((Kind.POSITIVE, 2), (Kind.EASY, 3)):
        known = store.of_kind(kind)
        chosen = np.concatenate([patches.choose(step) for step in range(40)])
        sequence = chosen[np.isin(chosen, known)]
        passes = sequence.reshape(-1, len(known))
        assert len(passes) == 40 * per_step // len(known)
        assert all(sorted(one) == known.tolist() for one in passes.tolist())


def test_a_batch_larger_than_the_store_goes_through_it_more_than_once(make_store: Any) -> None:
    patches = loader(make_store(easy=2, hard=2, positive=3), batch_size=28).choose(0)
    positives = [number for number in patches.tolist() if number >= 4]
    assert sorted(positives.count(number) for number in (4, 5, 6)) == [2, 2, 3]


def test_passes_are_shuffled_anew(make_store: Any) -> None:
    store = make_store(positive=40, size=4)
    orders = [tuple(loader(store).choose(step)[-2:]) for step in range(60)]
    assert orders[:20] != orders[20:40] != orders[40:]


def test_a_batch_depends_on_seed_and_step_alone(make_store: Any) -> None:
    store = make_store()
    one, fresh = loader(store, augmentation=1.0), loader(store, augmentation=1.0)
    batches = [one.batch(step) for step in range(5)]
    resumed = fresh.batch(4)
    assert torch.equal(resumed.images, batches[4].images)
    assert resumed.patches.tolist() == batches[4].patches.tolist()
    assert loader(store, seed=2).choose(4).tolist() != resumed.patches.tolist()
    assert not torch.equal(batches[0].images, batches[4].images)


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_iterating_from_a_step_gives_its_batches(make_store: Any, workers: int) -> None:
    patches = loader(make_store(), augmentation=0.5)
    found = list(itertools.islice(patches.iterate(3, workers=workers), 4))
    for step, batch in enumerate(found, start=3):
        assert torch.equal(batch.images, patches.batch(step).images)
        assert torch.equal(batch.targets, patches.batch(step).targets)


def test_augmentation_may_be_given_in_full(make_store: Any) -> None:
    brighter = Augmentation(1.0, rotation_degrees=0, scale=0, elastic_voxel=0, gain=0, gamma=0, noise=0, shift=5.0)
    batch = loader(make_store(), augmentation=brighter).batch(0)
    shifts = batch.images[:, 0, 1, 1, 1] - torch.from_numpy(batch.patches)
    assert 1 < shifts.abs().max() <= 5


def test_one_kind_of_negatives_stands_in_for_the_other(make_store: Any) -> None:
    assert kinds(loader(make_store(hard=0)), 2) == [(6, 0, 2)] * 2
    assert kinds(loader(make_store(easy=0)), 2) == [(0, 6, 2)] * 2


@pytest.mark.parametrize(
    ("store", "lacking"), [({"positive": 0}, "positive"), ({"easy": 0, "hard": 0}, "negative")], ids=["pos", "neg"]
)
def test_a_store_without_positives_or_negatives_is_an_error(
    make_store: Any, store: dict[str, int], lacking: str
) -> None:
    with pytest.raises(HakkenError, match=f"holds no {lacking} patches; see `patches` in the study"):
        loader(make_store(**store))


def test_a_patch_size_above_the_stored_one_is_an_error(make_store: Any) -> None:
    with pytest.raises(HakkenError, match=r"patch_size 5 is above patches\.size_voxel 4 of these patches; raise"):
        loader(make_store(), patch_size=5)


def written(folder: Path, layout: Layout, image: np.ndarray, classes: dict[int, str]) -> PatchStore:
    """A store of two patches of lesions 1 and 2, at the middles of slices 1 and 2 of ``image`` (c, 3, 7, 7)."""
    voxels = np.array([[1, 3, 3], [2, 3, 3]], np.int32)
    centres = Centres(voxels, np.full(2, Kind.POSITIVE, np.int8), np.array([1, 2], np.int32))
    write_shards(folder, [CutCase("case", image, centres, voxels.astype(float), classes)], layout, shard_mb=1)
    return PatchStore.open(folder)


FLAT = Layout(5, 1, ("A", "truth"), (1.0, 1.0, 1.0), "study", axes=2, targets=1)


def test_slices_and_their_targets(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((2, 3, 7, 7)).astype(np.float16)
    store = written(tmp_path, FLAT, image, {})
    batch = loader(store, batch_size=2, patch_size=5, negative_ratio=0.0).batch(0)
    assert batch.images.shape == (2, 1, 5, 5)
    assert batch.maps is not None
    order = [int(store.centres[number][0]) for number in batch.patches]
    np.testing.assert_array_equal(batch.images[:, 0].numpy(), image[0, order, 1:6, 1:6].astype(np.float32))
    np.testing.assert_array_equal(batch.maps[:, 0].numpy(), image[1, order, 1:6, 1:6].astype(np.float32))


def test_without_target_channels_there_are_no_maps(make_store: Any) -> None:
    assert loader(make_store()).batch(0).maps is None


def test_targets_are_the_indices_of_the_classes(tmp_path: Path) -> None:
    store = written(tmp_path, FLAT, np.zeros((2, 3, 7, 7)), {1: "late", 2: "early"})
    assert store.classes.tolist() == ["late", "early"]
    given = {"batch_size": 2, "negative_ratio": 0.0}
    assert loader(store, **given, classes=("early", "late")).batch(0).targets.tolist() == [1, 0]
    with pytest.raises(HakkenError) as error:
        loader(store, **given, classes=("early", "middle"))
    assert str(error.value) == (
        f"{tmp_path}: a lesion has the class `late`; cohort.classes of the study names early, middle"
    )
