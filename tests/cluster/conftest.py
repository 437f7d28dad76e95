"""A Slurm of its own for all tests of this folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from loopback_slurm import CannotStart, Slurm, missing


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
