"""Checkpoints of a training: written in one step, the last two kept, a damaged one recognised and passed over.

A file is one line with the SHA-256 of all that follows, then what `torch.save` wrote. It is only ever read with
``weights_only=True``, so a checkpoint holds tensors and plain values.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from hakken.console import log
from hakken.files import replacing

KEPT = 2
MAGIC = b"hakken checkpoint "


class Checkpoints:
    """The checkpoints of one training in ``folder``, due every ``every_seconds``.

    ``identity`` names what is trained (parameters, seed, data); checkpoints of something else are not used. Where
    ``mine()`` is false another process writes there, and nothing is saved.
    """

    def __init__(
        self, folder: Path, identity: str, every_seconds: float, mine: Callable[[], bool] = lambda: True
    ) -> None:
        self.folder = folder
        self.identity = identity
        self.every_seconds = every_seconds
        self.mine = mine
        self._saved = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last one is older than ``every_seconds``."""
        return time.monotonic() - self._saved >= self.every_seconds

    def save(self, step: int, content: Mapping[str, Any]) -> None:
        """Write the checkpoint of ``step``, delete all but the last two; raises HakkenError when the disk is full."""
        self._saved = time.monotonic()
        if not self.mine():
            return
        buffer = io.BytesIO()
        torch.save({"identity": self.identity, "content": dict(content)}, buffer)
        with replacing(self.folder / f"checkpoint-{step:09d}.pt") as temporary:
            temporary.write_bytes(_sealed(buffer.getvalue()))
        for path in self._files()[:-KEPT]:
            path.unlink(missing_ok=True)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the content of the newest sound checkpoint of this training, None where there is none."""
        for path in reversed(self._files()):
            found = _read(path, device)
            if found is None:
                log(f"checkpoint {path.name} is damaged; the one before is used")
            elif found["identity"] != self.identity:
                log(f"checkpoint {path.name} is of another training; it is not used")
            else:
                return dict(found["content"])
        return None

    def clear(self) -> None:
        """Delete all checkpoints."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        """Return the checkpoints, oldest first."""
        return sorted(self.folder.glob("checkpoint-*.pt"))


def _sealed(payload: bytes) -> bytes:
    return MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload


def _read(path: Path, device: torch.device) -> Any:
    """Return what a checkpoint file holds, None when it is damaged or gone."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    payload = data.partition(b"\n")[2]
    if data != _sealed(payload):
        return None
    return torch.load(io.BytesIO(payload), map_location=device, weights_only=True)
