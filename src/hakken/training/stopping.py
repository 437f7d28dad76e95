"""Being asked to stop: a signal sets a flag, and the loop looks at it between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
REQUEUE = 75
"""Exit status of a training that saved itself and wants to go on later (EX_TEMPFAIL of sysexits.h)."""


@dataclass
class StopRequest:
    """Whether, and by which signal, the process was asked to stop. It is called by the loop."""

    received: str = ""

    def __call__(self) -> bool:
        """Return whether to stop."""
        return bool(self.received)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Within the block SIGTERM and SIGUSR1 only leave a note. Outside the main thread nothing is changed."""
    request = StopRequest()

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
