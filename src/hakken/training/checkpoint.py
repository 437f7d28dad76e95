"""Checkpoints of a training: written in one step, the last two kept, a damaged one recognised and passed over.

A file is one line with the SHA-256 of all that follows, then what `torch.save` wrote. It is only ever read with
``weights_only=True``, so a checkpoint holds tensors and plain values.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from hakken.core.console import log
from hakken.core.files import replacing

KEPT = 2
SEQUEL = "sequel"
"""The folder of the checkpoints of what is learnt after a training, within that of the training's."""
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
        """Write the checkpoint of ``step`` and delete all but it and the one before.

        Later ones are damaged or of another training, for this one went on from an earlier step. Raises HakkenError
        when the disk is full.
        """
        self._saved = time.monotonic()
        if not self.mine():
            return
        buffer = io.BytesIO()
        torch.save({"identity": self.identity, "content": dict(content)}, buffer)
        newest = self.folder / f"checkpoint-{step:09d}.pt"
        with replacing(newest) as temporary:
            temporary.write_bytes(_sealed(buffer.getvalue()))
        files = checkpoint_files(self.folder)
        kept = [path for path in files if path <= newest][-KEPT:]
        for path in files:
            if path not in kept:
                path.unlink(missing_ok=True)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the content of the newest sound checkpoint of this training, None where there is none."""
        for path in reversed(checkpoint_files(self.folder)):
            found = _read(path, device)
            if found is None:
                log(f"checkpoint {path.name} is damaged; the one before is used")
            elif found["identity"] != self.identity:
                log(f"checkpoint {path.name} is of another training; it is not used")
            else:
                return dict(found["content"])
        return None


def checkpoint_files(folder: Path) -> list[Path]:
    """Return the checkpoints in ``folder``, by step."""
    return sorted(folder.glob("checkpoint-*.pt"))


def checkpoints_of(folder: Path) -> list[list[Path]]:
    """Return the checkpoints of the training in ``folder``, and of its sequel, by step."""
    return [checkpoint_files(folder), checkpoint_files(folder / SEQUEL)]


def clear_checkpoints(folder: Path) -> None:
    """Delete all checkpoints of the training in ``folder``, and of its sequel."""
    for files in checkpoints_of(folder):
        for path in files:
            path.unlink(missing_ok=True)
    with suppress(OSError):
        (folder / SEQUEL).rmdir()


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
