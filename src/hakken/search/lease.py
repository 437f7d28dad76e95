"""A lease: a lock that its holder keeps only while it shows signs of life.

The lease is a file that holds a random token. The holder touches it every few seconds from a thread of its own. It is
free for others when its holder let go, when its process is gone from this machine, or when it was not touched for
``stale_after`` seconds by the clock of the file server. A free lease is replaced by the next holder's own; of several
who do so at once the last one has it. A holder that was suspended finds another token and knows that it has lost the
lease. A lease saves work; nothing that must be right depends on it alone.
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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hakken.core import publish

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

    @classmethod
    def of_another(cls, path: Path, token: str, stale_after: float = 60.0) -> Lease:
        """Return the lease that another process of the same work holds under ``token``, as that process sees it."""
        return cls(path, stale_after, token, _held=True, _last=-stale_after)

    @property
    def held(self) -> bool:
        """Whether the lease is ours; asks the file where the last sign of life is long ago (a suspended process)."""
        if self._held and time.monotonic() - self._last > self.stale_after / 2:
            self.beat()
        return self._held and not self._done.is_set()

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
        """Take the lease where nobody has it."""
        return self._begin(publish.create(self.path, self._content()))

    def _evict(self, holder: dict[str, Any]) -> bool:
        """Take the lease in place of a dead or silent holder."""
        return self._begin(publish.replace(self.path, holder, self._content()))

    def _begin(self, held: bool) -> bool:
        self._held, self._last = held, time.monotonic()
        return held

    def _content(self) -> dict[str, Any]:
        return {"token": self.token, "since": datetime.now(UTC).isoformat(timespec="seconds"), **_identity()}

    def _keep(self) -> None:
        while not self._done.wait(self.stale_after / BEATS):
            with contextlib.suppress(OSError):
                if not self.beat():
                    return

    def _release(self) -> None:
        with contextlib.suppress(OSError):  # what stays behind is stale before long
            if self.held and self.beat():
                self.path.unlink(missing_ok=True)
        self._done.set()


@contextmanager
def lease(path: Path, stale_after: float = 60.0, patience: float | None = None) -> Iterator[Lease]:
    """Hold the lease ``path`` within the block, or find in ``.held`` that another process does.

    Without ``patience`` a holder that shows a sign of life is left alone at once, and a silent one is watched until its
    lease is stale. With it, wait so many seconds for each holder in turn, whatever it does, and go on without.
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
    """Take the lease, or return without it once its holder has shown life or the patience with it is spent."""
    first: float | None = None
    watched: dict[str, Any] = {}
    while True:
        holder = publish.read(mine.path) or {}  # before the time, so that a lease renewed in between looks alive
        touched = publish.touched(mine.path)
        if touched is None:
            if mine._take():
                return
            continue
        if first is None or holder != watched:
            watched, deadline = holder, time.monotonic() + (2 * mine.stale_after if patience is None else patience)
        first = touched if first is None else first
        if (patience is None and touched > first) or time.monotonic() > deadline:
            return
        if _process_is_gone(holder) or _is_silent(mine, touched):
            if mine._evict(holder):
                return
        else:
            time.sleep(min(mine.stale_after / BEATS / 4, 0.2 if patience is not None else 1.0))


def _is_silent(mine: Lease, touched: float) -> bool:
    return abs(publish.server_time(mine.path.parent) - touched) > mine.stale_after


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
