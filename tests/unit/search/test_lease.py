from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from hakken.core import publish
from hakken.search.lease import lease

FORK = multiprocessing.get_context("fork")


def hold(path: Path, ready: threading.Event) -> None:
    with lease(path, stale_after=0.6):
        ready.set()
        time.sleep(60)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trial-0001.lease"


def test_one_holder_at_a_time(path: Path) -> None:
    with lease(path, stale_after=0.6) as first:
        assert first.held
        with lease(path, stale_after=0.6) as twin:
            assert not twin.held
        assert first.held
        assert path.exists()
    assert not first.held
    assert not path.exists()
    with lease(path, stale_after=0.6) as next_one:
        assert next_one.held


def test_a_holder_shows_life_by_itself(path: Path) -> None:
    with lease(path, stale_after=0.3) as first:
        before = path.stat().st_mtime
        time.sleep(0.5)
        assert path.stat().st_mtime > before
        with lease(path, stale_after=0.3) as twin:
            assert not twin.held
        assert first.held


def test_a_dead_process_of_this_machine_is_replaced_at_once(path: Path) -> None:
    ready = FORK.Event()
    process = FORK.Process(target=hold, args=(path, ready))
    process.start()
    assert ready.wait(10)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    begin = time.monotonic()
    with lease(path, stale_after=3600) as mine:
        assert mine.held
    assert time.monotonic() - begin < 5


def test_a_stopped_process_loses_its_lease_and_learns_of_it(path: Path) -> None:
    ready = FORK.Event()
    process = FORK.Process(target=hold, args=(path, ready))
    process.start()
    assert ready.wait(10)
    os.kill(process.pid or 0, signal.SIGSTOP)
    try:
        with lease(path, stale_after=0.6) as mine:
            assert mine.held
            os.kill(process.pid or 0, signal.SIGCONT)
            time.sleep(0.4)  # the other beats, finds our token and leaves our lease alone
            assert mine.beat()
    finally:
        process.kill()
        process.join()


def test_a_silent_holder_elsewhere_is_replaced_when_stale(path: Path) -> None:
    publish.create(path, {"token": "of another machine", "machine": "elsewhere", "pid": 1, "started": "1"})
    begin = time.monotonic()
    with lease(path, stale_after=0.5) as mine:
        assert mine.held
    assert 0.3 < time.monotonic() - begin < 5


def test_the_age_is_told_by_the_clock_of_the_file_system(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish.create(path, {"token": "of another machine", "machine": "elsewhere", "pid": 1, "started": "1"})
    monkeypatch.setattr(time, "time", lambda: 0.0)  # this node's clock is decades behind
    with lease(path, stale_after=0.5) as mine:
        assert mine.held


def test_a_patient_one_waits_its_turn(path: Path) -> None:
    entered = []
    ready = threading.Event()

    def work() -> None:
        with lease(path, stale_after=5):
            ready.set()
            time.sleep(0.3)
            entered.append("first")

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    with lease(path, stale_after=5, patience=10) as mine:
        entered.append("second")
        assert mine.held
    thread.join()
    assert entered == ["first", "second"]


def test_patience_ends(path: Path) -> None:
    with lease(path, stale_after=5), lease(path, stale_after=5, patience=0.3) as impatient:
        assert not impatient.held


def test_patience_is_for_each_holder_in_turn(path: Path) -> None:
    """Three holders keep the lease for 0.4 s each; who has 0.7 s of patience with each waits for all of them."""
    ready = threading.Event()

    def in_turn() -> None:
        for _ in range(3):
            with lease(path, stale_after=5, patience=5):
                ready.set()
                time.sleep(0.4)

    thread = threading.Thread(target=in_turn)
    thread.start()
    ready.wait()
    with lease(path, stale_after=5, patience=0.7) as mine:
        assert mine.held
    thread.join()


def test_a_stalled_holder_does_not_keep_those_who_propose_waiting(path: Path) -> None:
    ready = FORK.Event()
    process = FORK.Process(target=hold, args=(path, ready))
    process.start()
    assert ready.wait(10)
    os.kill(process.pid or 0, signal.SIGSTOP)
    begin = time.monotonic()
    try:
        with lease(path, stale_after=60, patience=0.5) as mine:
            assert not mine.held
        assert time.monotonic() - begin < 5
    finally:
        process.kill()
        process.join()


def test_a_lease_that_cannot_be_removed_is_no_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not now")

    with lease(path, stale_after=5) as mine:
        monkeypatch.setattr(Path, "unlink", refuse)
    assert not mine.held


def test_a_lost_lease_is_left_to_its_new_holder(path: Path) -> None:
    with lease(path, stale_after=0.6) as mine:
        path.unlink()
        publish.create(path, {"token": "rival"})
        assert not mine.beat()
        assert not mine.held
    assert publish.read(path) == {"token": "rival"}


def test_only_one_of_many_gets_a_stale_lease(path: Path) -> None:
    publish.create(path, {"token": "gone", "machine": "elsewhere", "pid": 1, "started": "1"})
    os.utime(path, (1.0, 1.0))
    held: list[bool] = []
    done = threading.Barrier(6)

    def contend() -> None:
        with lease(path, stale_after=3) as mine:
            done.wait(20)
            held.append(mine.held)
            done.wait(20)

    threads = [threading.Thread(target=contend) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held) == [False] * 5 + [True]
