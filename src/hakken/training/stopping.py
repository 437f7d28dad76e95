"""Being asked to stop: by a signal, which sets a flag, or by the clock. The loop looks at both between two updates."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
REQUEUE = 75
"""Exit status of a training that saved itself and wants to go on later (EX_TEMPFAIL of sysexits.h)."""

RESERVE = 0.05
LEAST_RESERVE, MOST_RESERVE = 20.0, 120.0


@dataclass(frozen=True)
class Deadline:
    """When the scheduler will end this job, in seconds since 1970, and how many seconds before that are kept free.

    The reserve is for what comes after the last update: saving, and the way out.
    """

    at: float
    reserve: float


def deadline_of(minutes: float | None, began: float) -> Deadline | None:
    """Return the deadline of a job that ``began`` (seconds since 1970) and may take so many minutes; None without any.

    A twentieth of its time is kept free, 20 seconds at least and 2 minutes at most, but never more than half.

    >>> deadline_of(60, 1000.0)
    Deadline(at=4600.0, reserve=120.0)
    """
    if not minutes:
        return None
    seconds = 60 * minutes
    return Deadline(began + seconds, min(max(RESERVE * seconds, LEAST_RESERVE), MOST_RESERVE, seconds / 2))


@dataclass
class StopRequest:
    """Whether to stop, and why: the name of a signal, or `time limit`. It is called by the loop after each update.

    It stops in time for one more update as long as the longest so far, which a measurement may have been part of.
    """

    deadline: Deadline | None = None
    received: str = ""
    _last: float = field(default_factory=time.time)
    _longest: float = 0.0

    def __call__(self) -> bool:
        """Return whether to stop."""
        now = time.time()
        self._longest, self._last = max(self._longest, now - self._last), now
        if self.deadline and not self.received and now + self._longest >= self.deadline.at - self.deadline.reserve:
            self.received = "time limit"
        return bool(self.received)


@contextmanager
def stop_requests(deadline: Deadline | None = None) -> Iterator[StopRequest]:
    """Within the block SIGTERM and SIGUSR1 only leave a note. Outside the main thread nothing is changed."""
    request = StopRequest(deadline)

    def note(number: int, _frame: FrameType | None) -> None:
        request.received = signal.Signals(number).name

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
