"""What unit tests share: one thread, and the plug-ins of another package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hakken import plugins

TOYS = Path(__file__).resolve().parents[1] / "contracts" / "toys"


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The smallest systems of each kind, as a package from outside brings them; the folder that holds it."""
    monkeypatch.syspath_prepend(str(TOYS))
    plugins._modules.cache_clear()
    yield TOYS
    plugins._modules.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks are computed by one thread: several wait for each other wherever other jobs use the cores."""
    torch = sys.modules.get("torch")
    if torch is None:  # no test that was chosen needs it
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        run = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no `mount` here")
    if run.returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)
