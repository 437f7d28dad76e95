"""What a running stage says: one line of progress on the terminal, everything in its log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from hakken.core.files import writing


@dataclass(frozen=True)
class Console:
    """Where the lines of one stage go."""

    name: str
    log: TextIO | None
    quiet: bool = False


_current: ContextVar[Console | None] = ContextVar("console", default=None)


@contextmanager
def console(name: str, log: Path | None, quiet: bool = False) -> Iterator[None]:
    """Within the block, lines carry ``name`` and are also appended to the file ``log``.

    Raises HakkenError with a remedy when the log cannot be opened. A line that finds no room in it later is dropped:
    the message that says so must still reach the terminal.
    """
    stream = None
    if log is not None:
        with writing(log):
            log.parent.mkdir(parents=True, exist_ok=True)
            stream = log.open("a", buffering=1, encoding="utf-8")
    token = _current.set(Console(name, stream, quiet))
    try:
        yield
    finally:
        _current.reset(token)
        if stream is not None:
            with suppress(OSError):
                stream.close()


def log_file() -> Path | None:
    """Return the path of the stage's log file, None where it has none: for processes that belong to the same stage."""
    current = _current.get()
    return None if current is None or current.log is None else Path(current.log.name).resolve()


def log(text: str) -> None:
    """Write a line to the stage's log file only."""
    current = _current.get()
    if current is not None and current.log is not None:
        with suppress(OSError):
            current.log.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def progress(text: str) -> None:
    """Show a line on the terminal (standard error) and in the stage's log file."""
    current = _current.get()
    log(text)
    if current is not None and not current.quiet:
        sys.stderr.write(f"[{current.name}] {text}\n")
        sys.stderr.flush()
