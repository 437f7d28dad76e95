"""Sources of mini-batches: what they hold is a function of seed and number, whoever asks, in whatever order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.training.sources import CaseSource, DrawnSource, GroupSource, Samples, Stretch, stretches

CASES = [f"case {number}" for number in range(7)]
PATIENTS = {"a": 3, "b": 1, "c": 2, "d": 4}
IMAGES = [f"{patient}{number}" for patient, count in PATIENTS.items() for number in range(count)]


def draw(random: torch.Generator) -> dict[str, torch.Tensor]:
    return {"noise": torch.rand(4, 2, generator=random)}


def load(case: str, random: torch.Generator) -> dict[str, torch.Tensor]:
    number = torch.tensor(float((CASES + IMAGES).index(case)))
    return {"case": number, "noise": torch.rand(3, generator=random)}


def drawn(seed: int = 1) -> DrawnSource:
    return DrawnSource(draw, seed)


def cases(seed: int = 1, batch_size: int = 3) -> CaseSource[str]:
    return CaseSource(CASES, load, batch_size=batch_size, seed=seed)


def groups(seed: int = 1, groups: int = 2, members: int = 2) -> GroupSource[str]:
    return GroupSource(IMAGES, load, of=lambda name: name[0], groups=groups, members=members, seed=seed)


SOURCES = pytest.mark.parametrize("make", [drawn, cases, groups])
Maker = Callable[..., Any]


def same(one: Samples, other: Samples) -> bool:
    return all(torch.equal(one[name], other[name]) for name in {**one.tensors, **other.tensors})


@SOURCES
def test_a_mini_batch_is_a_function_of_seed_and_number(make: Maker) -> None:
    source = make()
    first = [source.batch(number) for number in range(4)]
    again = [make().batch(number) for number in (3, 2, 1, 0)]
    assert all(map(same, first, reversed(again)))
    assert len({tuple(batch["noise"].flatten().tolist()) for batch in first}) == 4
    assert not same(make(seed=2).batch(0), first[0])


@SOURCES
@pytest.mark.parametrize(("start", "stride"), [(0, 1), (2, 1), (1, 3)])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_going_on_somewhere_and_making_them_ahead_changes_nothing(
    make: Maker, start: int, stride: int, workers: int
) -> None:
    found = list(islice(make().iterate(start, workers=workers, stride=stride), 3))
    assert all(map(same, found, (make().batch(start + step * stride) for step in range(3))))


def test_an_error_in_a_mini_batch_that_is_made_ahead_is_raised() -> None:
    def failing(random: torch.Generator) -> dict[str, torch.Tensor]:
        raise HakkenError("no signal")

    with pytest.raises(HakkenError, match="no signal"):
        next(DrawnSource(failing, 1).iterate(workers=1))


def numbers(batch: Samples) -> list[int]:
    return [int(number) for number in batch["case"].tolist()]


def test_cases_are_gone_through_in_shuffled_passes() -> None:
    source = cases()
    seen = [number for step in range(7) for number in numbers(source.batch(step))]  # three passes
    assert [Counter(seen[start : start + 7]) for start in (0, 7, 14)] == [Counter(range(7))] * 3
    assert seen[:7] != seen[7:14]


def test_what_a_case_is_changed_by_is_drawn_for_its_place_in_the_passes() -> None:
    source = cases(batch_size=2)
    batch = source.batch(3)
    assert batch["noise"].shape == (2, 3)
    for place, noise in enumerate(batch["noise"], start=6):
        random = torch.Generator().manual_seed(derive_seed(1, "sample", place))
        assert torch.equal(noise, torch.rand(3, generator=random))


def test_a_mini_batch_may_be_larger_than_the_cohort() -> None:
    batch = CaseSource(CASES[:2], load, batch_size=5, seed=1).batch(0)
    assert len(batch) == 5
    assert sorted(Counter(numbers(batch)).values()) == [2, 3]


def test_without_cases_there_is_nothing_to_learn_from() -> None:
    with pytest.raises(HakkenError) as caught:
        CaseSource([], load, batch_size=1, seed=1)
    assert str(caught.value) == "no case to learn from; see the column `split` of the case table"


def patients(batch: Samples) -> list[str]:
    return [IMAGES[number - len(CASES)][0] for number in numbers(batch)]


def test_groups_stand_together_and_are_gone_through_in_passes() -> None:
    source, seen = groups(), []
    for step in range(6):
        first, second, third, fourth = patients(source.batch(step))
        assert (first, third) == (second, fourth)
        seen += [first, third]
    assert [Counter(seen[start : start + 4]) for start in (0, 4, 8)] == [Counter("abcd")] * 3


def test_members_of_a_group_differ_where_it_has_so_many() -> None:
    source = groups(groups=4, members=3)
    for step in range(8):
        found = numbers(source.batch(step))
        for start in range(0, 12, 3):
            members = found[start : start + 3]
            patient = IMAGES[members[0] - len(CASES)][0]
            assert len(set(members)) == 3 if PATIENTS[patient] >= 3 else len(set(members)) <= PATIENTS[patient]
    large = {number for step in range(20) for number in numbers(source.batch(step))}
    assert len(large) == len(IMAGES), "every image comes in time"


def test_more_groups_than_there_are_cannot_be_asked_for() -> None:
    with pytest.raises(HakkenError) as caught:
        groups(groups=5)
    assert str(caught.value) == "mini-batches of 5 groups asked for, the cases have 4"


def test_every_run_of_slices_is_a_stretch_and_short_cases_have_none() -> None:
    slices = {"a": 5, "b": 2, "c": 3}
    found = stretches(["a", "b", "c"], slices.__getitem__, 3)
    assert found == [*(Stretch("a", start, 3) for start in range(3)), Stretch("c", 0, 3)]

    def cut(stretch: Stretch[str], random: torch.Generator) -> dict[str, torch.Tensor]:
        return {"slices": torch.arange(stretch.start, stretch.start + stretch.length)}

    batch = CaseSource(found, cut, batch_size=4, seed=1).batch(0)
    assert sorted(batch["slices"].tolist()) == [[0, 1, 2], [0, 1, 2], [1, 2, 3], [2, 3, 4]]


@pytest.mark.parametrize(("parts", "sizes"), [(1, [5]), (2, [3, 2]), (3, [2, 2, 1]), (9, [1] * 5)])
def test_samples_are_split_in_their_order(parts: int, sizes: list[int]) -> None:
    batch = Samples({"x": torch.arange(10).reshape(5, 2), "y": torch.arange(5)})
    found = batch.split(parts)
    assert [len(part) for part in found] == sizes
    for name, value in batch.tensors.items():
        assert torch.equal(torch.cat([part[name] for part in found]), value)


def test_images_are_arranged_and_everything_else_is_left() -> None:
    batch = Samples({"image": torch.randn(2, 3, 4, 5), "volume": torch.randn(2, 3, 4, 5, 6), "y": torch.arange(2)})
    assert batch.arranged(False) is batch
    found = batch.arranged(True)
    assert same(found, batch)
    assert found["image"].is_contiguous(memory_format=torch.channels_last)
    assert found["volume"].is_contiguous(memory_format=torch.channels_last_3d)
