"""A lease: a lock that its holder keeps only while it shows signs of life.

The lease is a file that holds a random token. The holder touches it every few seconds from a thread of its own. It is
free for others when its holder let go, when its process is gone from this machine, or when it was not touched for
``stale_after`` seconds by the clock of the file server. A holder that was suspended finds another token and knows that
it has lost the lease. A lease saves work; nothing that must be right depends on it alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hakken.files import writing
from hakken.search import publish

BEATS = 6  # signs of life within the time after which a lease is stale


@dataclass
class Lease:
    """A lease as its holder, or who failed to get it, sees it."""

    path: Path
    stale_after: float
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    _held: bool = False
    _last: float = 0.0
    _done: threading.Event = field(default_factory=threading.Event)

    @property
    def held(self) -> bool:
        """Whether the lease is ours; asks the file where the last sign of life is long ago (a suspended process)."""
        if self._held and time.monotonic() - self._last > self.stale_after / 2:
            self.beat()
        return self._held

    def beat(self) -> bool:
        """Show a sign of life; returns whether the lease is still ours."""
        content = publish.read(self.path)
        self._held = content is not None and content.get("token") == self.token
        if self._held:
            with contextlib.suppress(OSError):
                os.utime(self.path)
                self._last = time.monotonic()
        return self._held

    def _take(self) -> bool:
        self._held = publish.create(self.path, {"token": self.token, **_identity()})
        self._last = time.monotonic()
        return self._held

    def _keep(self) -> None:
        while not self._done.wait(self.stale_after / BEATS):
            with contextlib.suppress(OSError):
                if not self.beat():
                    return

    def _release(self) -> None:
        self._done.set()
        if self._held and self.beat():
            self.path.unlink(missing_ok=True)
        self._held = False


@contextmanager
def lease(path: Path, stale_after: float = 60.0, patience: float | None = None) -> Iterator[Lease]:
    """Hold the lease ``path`` within the block, or find in ``.held`` that another process does.

    Without ``patience`` a holder that shows a sign of life is left alone at once, and a silent one is watched until its
    lease is stale. With it, wait so many seconds for the lease, whatever its holder does, and go on without.
    """
    mine = Lease(path, stale_after)
    _obtain(mine, patience)
    if mine.held:
        threading.Thread(target=mine._keep, name=f"lease {path.name}", daemon=True).start()
    try:
        yield mine
    finally:
        mine._release()


def _obtain(mine: Lease, patience: float | None) -> None:
    """Take the lease, or return without it once its holder has shown life or the patience is spent."""
    deadline = time.monotonic() + (patience if patience is not None else 2 * mine.stale_after)
    first: float | None = None
    while True:
        holder = publish.read(mine.path) or {}  # before the time, so that a lease renewed in between looks alive
        touched = _touched(mine.path)
        if touched is None:
            if mine._take():
                return
            continue
        alive = patience is None and first is not None and touched > first
        if alive or time.monotonic() > deadline:
            return
        first = touched if first is None else first
        if _process_is_gone(holder) or _server_time(mine.path) - touched > mine.stale_after:
            _evict(mine, holder.get("token"))
        else:
            time.sleep(min(mine.stale_after / BEATS / 4, 0.2 if patience is not None else 1.0))


def _evict(mine: Lease, stale: str | None) -> None:
    """Remove the lease with the token ``stale``; one that a quicker rival has taken meanwhile is put back."""
    aside = mine.path.with_name(f"{publish.TEMPORARY}{mine.token}-{mine.path.name}")
    try:
        mine.path.rename(aside)
    except FileNotFoundError:
        return
    taken = publish.read(aside) or {}
    if taken.get("token") != stale:
        publish.create(mine.path, taken)
    aside.unlink(missing_ok=True)


def _touched(path: Path) -> float | None:
    """Return when the file was last touched; opening it makes a network file system ask its server."""
    try:
        with path.open("rb") as stream:
            return os.fstat(stream.fileno()).st_mtime
    except FileNotFoundError:
        return None


def _server_time(path: Path) -> float:
    """Return the time of the file system that holds ``path``; clocks of a cluster's nodes differ."""
    probe = path.with_name(f"{publish.TEMPORARY}{secrets.token_hex(8)}-clock")
    with writing(probe):
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink(missing_ok=True)
    return now


def _identity() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "machine": _machine(), "pid": pid, "started": _started(pid)}


def _machine() -> str:
    """Return what tells this boot of this machine and its set of process numbers from all others; '' if unknown."""
    with contextlib.suppress(OSError):
        return (
            Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            + "/"
            + str(Path("/proc/self/ns/pid").readlink())
        )
    return ""


def _started(pid: int) -> str:
    """Return the start time of a process, which tells it from a later one with its number; '' if it is gone."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return ""


def _process_is_gone(holder: dict[str, Any]) -> bool:
    """Whether the holder ran on this very machine and has ended; False where that cannot be known."""
    if not holder.get("machine") or holder["machine"] != _machine() or not holder.get("started"):
        return False
    return bool(_started(int(holder["pid"])) != holder["started"])
