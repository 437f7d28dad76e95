"""What libraries write to the terminal on their own, below Python, where nobody can put it in words."""

from __future__ import annotations

import os
import sys
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
