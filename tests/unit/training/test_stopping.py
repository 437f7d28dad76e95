from __future__ import annotations

import os
import signal
import threading

import pytest

from hakken.training.stopping import stop_requests


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
