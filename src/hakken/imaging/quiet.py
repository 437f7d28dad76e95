"""What libraries write to the terminal on their own, below Python, where nobody can put it in words."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what decoders of images write to the process's standard error while they read one file.

    What they complain of is raised as well, or looked for afterwards. Without a standard error nothing is done.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        for handle in (nothing, kept):
            with suppress(OSError):
                os.close(handle)


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Keep what a decoder writes to standard output or error while it reads one file, as one text in the list.

    Some decoders say what is wrong with a file in no other way. Without an output of its own to write to, as in a
    service, nothing is heard.
    """
    said: list[str] = []
    with tempfile.TemporaryFile() as kept:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            outputs = [os.dup(1), os.dup(2)]
        except (OSError, ValueError, AttributeError):
            yield said
            return
        try:
            for number in (1, 2):
                os.dup2(kept.fileno(), number)
            yield said
        finally:
            for number, output in enumerate(outputs, start=1):
                os.dup2(output, number)
                os.close(output)
            kept.seek(0)
            said.append(kept.read().decode("utf-8", "replace"))
