"""Mini-batches made ahead by threads: the same ones in the same order, and nothing that hangs."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from itertools import islice
from typing import Any

import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.patches.ahead import iterated


def taken(sample: Any, number: int, **settings: int) -> list[Any]:
    with closing(iterated(sample, **{"start": 0, "stride": 1} | settings)) as made:  # type: ignore[arg-type,type-var]
        return list(islice(made, number))


def uneven(number: int) -> int:
    """The earlier ones of three take longer than those that follow."""
    time.sleep(0.003 * (2 - number % 3))
    return number


@pytest.mark.parametrize("workers", [0, 1, 2, 3, 7])
@pytest.mark.parametrize(("start", "stride"), [(0, 1), (5, 1), (1, 4)])
def test_they_come_in_their_order_however_long_each_takes(workers: int, start: int, stride: int) -> None:
    found = taken(uneven, 9, workers=workers, start=start, stride=stride)
    assert found == [start + stride * place for place in range(9)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_so_many_are_made_at_once_and_one_waits(workers: int) -> None:
    made: list[int] = []
    met = threading.Barrier(workers)

    def sample(number: int) -> int:
        if number < workers:
            met.wait(timeout=10)  # all of them are at work at the same time, or this breaks
        made.append(number)
        return number

    with closing(iterated(sample, 0, workers=workers, stride=1)) as stream:  # type: ignore[type-var]
        next(stream)
        for _ in range(200):
            if len(made) == workers + 2:
                break
            time.sleep(0.01)
        time.sleep(0.02)
        assert sorted(made) == list(range(workers + 2)), "no more than were taken, are at work or wait"


def test_without_workers_each_is_made_when_it_is_asked_for() -> None:
    made: list[int] = []
    stream = iterated(made.append, 3, workers=0, stride=2)
    assert made == []
    next(stream)
    next(stream)
    assert made == [3, 5]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_what_goes_wrong_is_raised_in_its_turn_and_the_threads_end(workers: int) -> None:
    def sample(number: int) -> int:
        if number >= 4:
            raise HakkenError(f"broken at {number}")
        return number

    stream = iterated(sample, 0, workers=workers, stride=1)
    assert list(islice(stream, 4)) == [0, 1, 2, 3]
    with pytest.raises(HakkenError, match=r"^broken at 4$"):
        next(stream)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("samples")]


def test_who_stops_taking_does_not_wait_for_what_has_not_begun() -> None:
    taken(uneven, 2, workers=3)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("samples")]


def test_an_operation_in_a_worker_takes_one_core_and_those_of_the_caller_are_as_before() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert taken(lambda number: torch.get_num_threads(), 6, workers=2) == [1] * 6
        assert torch.get_num_threads() == 3
        assert taken(lambda number: torch.get_num_threads(), 2, workers=0) == [3] * 2
    finally:
        torch.set_num_threads(before)


def test_workers_use_the_gpu_of_their_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[tuple[str, int]] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(
        torch.cuda, "set_device", lambda number: chosen.append((threading.current_thread().name, number))
    )
    taken(uneven, 1, workers=2)
    assert sorted(chosen) == [("samples_0", 3), ("samples_1", 3)]
