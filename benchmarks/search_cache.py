"""Finished pieces of work in one file of JSON lines, so that a comparison may be stopped, resumed and added to.

A line holds a key and its content. Lines are only ever appended, under a lock, so several commands may share a file; a
line that a kill has cut short is passed over, and what it would have held is done again.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class Cache:
    """What the file at ``path`` holds, by key; None keeps nothing beyond this process."""

    path: Path | None
    found: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path and self.path.is_file():
            for line in self.path.read_text().splitlines():
                try:
                    entry = json.loads(line)
                    self.found[entry["key"]] = entry["content"]
                except (ValueError, KeyError, TypeError):
                    continue

    def get(self, key: str) -> Any:
        """Return the content stored under ``key``, None where there is none."""
        return self.found.get(key)

    def put(self, key: str, content: Any) -> None:
        """Store ``content``, numbers to nine digits."""
        self.found[key] = _rounded(content)
        if not self.path:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"key": key, "content": self.found[key]}) + "\n"
        with self.path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.tell() and not _ends_a_line(file):
                line = "\n" + line
            file.write(line.encode())
            file.flush()


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def _rounded(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    return float(np.format_float_scientific(content, 8)) if isinstance(content, float) else content
