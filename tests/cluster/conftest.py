"""A Slurm of its own for all tests of this folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from loopback_slurm import CannotStart, Slurm, missing

# The main job mostly waits: what has nothing to do with it, and does it no harm, runs beside it.
ORDER = (
    "test_it_begins",
    "test_cancel.py",
    "test_two_nodes.py",
    "test_rungs.py",
    "test_undisturbed",
    "test_main_job.py",
    "test_faults.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests as `ORDER` says."""
    items.sort(key=lambda item: next((place for place, part in enumerate(ORDER) if part in item.nodeid), len(ORDER)))


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Two nodes with four GPUs each; it is stopped at the end, also of tests that are interrupted or asked to end."""
    if lacking := missing():
        pytest.skip(lacking)
    before = {name: signal.signal(name, signal.default_int_handler) for name in (signal.SIGTERM, signal.SIGHUP)}
    running = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        running.start()
        yield running
    except CannotStart as reason:
        pytest.fail(str(reason))
    finally:
        running.stop()
        for name, handler in before.items():
            signal.signal(name, handler)
