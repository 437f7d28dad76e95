"""Jobs that are killed in the middle of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hakken.training.loop import Run
from hakken.training.reporter import Reporter


@contextmanager
def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let what trains within the block be killed after a ``step``."""

    def die(self: Reporter, run: Run) -> None:
        if run.step == step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Reporter, "__call__", die)
        yield
