from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from hakken.training import stopping
from hakken.training.stopping import Deadline, deadline_of, stop_requests


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_only_leaves_a_note(number: signal.Signals) -> None:
    with stop_requests() as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
        assert stop.received == number.name


def test_the_handlers_from_before_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_requests():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_nothing_is_changed() -> None:
    found: list[bool] = []

    def run() -> None:
        before = signal.getsignal(signal.SIGTERM)
        with stop_requests() as stop:
            found.append(signal.getsignal(signal.SIGTERM) is before and not stop())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [True]


@pytest.mark.parametrize(("minutes", "reserve"), [(0.5, 15), (1, 20), (5, 20), (20, 60), (60, 120), (1440, 120)])
def test_a_deadline_keeps_time_to_save(minutes: float, reserve: float) -> None:
    assert deadline_of(minutes, 1000.0) == Deadline(1000 + 60 * minutes, reserve)


def test_on_one_machine_there_is_no_deadline() -> None:
    assert deadline_of(None, 1000.0) is None


def test_it_stops_while_the_longest_update_so_far_still_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Updates of 10 s, the second with a measurement of 50 s; the limit is at 300 s, of which 20 are kept free."""
    clock: Iterator[float] = iter([0.0, 10.0, 70.0, *range(80, 400, 10)])
    monkeypatch.setattr(stopping.time, "time", lambda: next(clock))
    with stop_requests(Deadline(300.0, 20.0)) as stop:
        asked = [stop() for _ in range(2)]
        while not stop():
            asked.append(False)
    assert not any(asked)
    assert stop.received == "time limit"
    assert next(clock) == 230  # so the last look was at 220 s: 220 + 60 >= 300 - 20


def test_without_a_deadline_it_never_stops_by_itself() -> None:
    with stop_requests() as stop:
        assert not any(stop() for _ in range(100))
