"""Digests of large files, remembered as long as nothing has touched them.

Beside the files of a folder stands `files.seen`: of each its size, its times of modification and of change, its inode
and its SHA-256. A file with the same state as there is not read again; any other is, and is remembered from then on,
so a copied or archived folder is read in full once. The time of change cannot be set: a file that was altered under
its old size and time of modification is read, too. What only reading tells (bytes that the disk has lost) is found by
a full check.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from hakken.core.errors import HakkenError
from hakken.core.files import replacing, sha256_file

SEEN = "files.seen"
State = tuple[int, int, int, int]
_Seen = dict[str, tuple[State, str]]


def digests_of(folder: Path, names: Iterable[str], *, full: bool = False) -> dict[str, str]:
    """Return the SHA-256 of files of ``folder`` by name; only those are read that were touched since they were seen.

    With ``full`` all are read. Where the folder cannot be written, nothing is remembered. Raises HakkenError naming a
    file that cannot be read.
    """
    seen = read_seen(folder)
    found: _Seen = {}
    for name in names:
        state = _state(folder / name)
        known, digest = seen.get(name, (None, ""))
        found[name] = (state, digest if known == state and not full else _read(folder / name))
    if any(seen.get(name) != one for name, one in found.items()):
        with suppress(HakkenError, OSError):
            _write(folder, seen | found)
    return {name: digest for name, (_, digest) in found.items()}


def read_seen(folder: Path) -> _Seen:
    """Return what is remembered of the files of ``folder``: state and digest; nothing where the record is damaged."""
    try:
        content = json.loads((folder / SEEN).read_text(encoding="utf-8"))
        return {name: (_four(state), str(digest)) for name, (state, digest) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _four(state: Iterable[int]) -> State:
    size, modified, changed, inode = state
    return (size, modified, changed, inode)


def _state(path: Path) -> State:
    try:
        found = path.stat()
    except OSError as error:
        raise HakkenError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _read(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise HakkenError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None


def _write(folder: Path, seen: _Seen) -> None:
    """Write the record; the folder's own time stays, by which a workflow may tell whether it is newer than a result."""
    before = folder.stat()
    with replacing(folder / SEEN) as temporary:
        temporary.write_text(json.dumps(seen, indent=0, sort_keys=True), encoding="utf-8")
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
