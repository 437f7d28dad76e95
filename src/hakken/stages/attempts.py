"""What an attempt at a job has cost, also of one that is killed: the count is renewed while it runs.

An attempt that ends well leaves `<job>.cost.json` beside its log, with what earlier attempts have cost that did not.
Until then the counts stand in `<job>.attempts.json`; a process that is killed at any instant has lost a minute of it.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json

STARTED = time.monotonic()
COST = ".cost.json"
ATTEMPTS = ".attempts.json"
RENEWED = 60.0  # seconds

Cost = dict[str, Any]


@contextmanager
def counted(log: Path | None, files: Mapping[str, list[str]] | None = None) -> Iterator[None]:
    """Write beside ``log`` what the block has cost, with the ``files`` of its job; nothing without a log."""
    if log is None:
        yield
        return
    running = log.with_suffix(ATTEMPTS)
    earlier = _earlier(running)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(running, earlier, ended), daemon=True)
    renewing.start()
    try:
        yield
    except BaseException:
        _stop(renewing, ended)
        with suppress(OSError, HakkenError):  # no room for the count is no reason to hide why the job failed
            _write(running, earlier)
        raise
    _stop(renewing, ended)
    spent = cost() | ({"unfinished": earlier} if earlier else {}) | ({"files": dict(files)} if files else {})
    write_json(log.with_suffix(COST), spent)
    running.unlink(missing_ok=True)


def cost() -> Cost:
    """Return what this process has cost so far: seconds since it came here, of CPU and GPU, largest memory in MB.

    CPU seconds are also those of processes that it has started here and that have ended.
    """
    usage, started = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    kilobytes = max(usage.ru_maxrss, started.ru_maxrss) / (1024 if sys.platform == "darwin" else 1)
    seconds = round(time.monotonic() - STARTED, 3)
    return {
        "seconds": seconds,
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime + started.ru_utime + started.ru_stime, 3),
        "gpu_seconds": seconds if _uses_a_gpu() else 0.0,
        "peak_mb": round(kilobytes / 1024, 1),
    }


def _uses_a_gpu() -> bool:
    """Whether this process has begun to use a GPU; one that never imported torch has not."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())


def _renew(running: Path, earlier: list[Cost], ended: threading.Event) -> None:
    while not ended.wait(RENEWED):
        with suppress(OSError, HakkenError):
            _write(running, earlier)


def _stop(renewing: threading.Thread, ended: threading.Event) -> None:
    ended.set()
    renewing.join()


def _write(running: Path, earlier: list[Cost]) -> None:
    write_json(running, {"attempts": [*earlier, cost()]})


def _earlier(running: Path) -> list[Cost]:
    """Return the costs of attempts that did not end well; a file that is no JSON tells of none."""
    with suppress(HakkenError, KeyError, TypeError):
        return list(read_json(running)["attempts"])
    return []
