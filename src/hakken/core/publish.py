"""Small JSON files that appear at once, whole, and only for the first of several writers; also on NFS and Lustre.

A file is written beside its place under a temporary name, flushed, and linked into place: `link` fails where the name
is taken, on every POSIX file system, so of two writers exactly one succeeds and no reader meets half a file. Where
links are not supported the file itself is created exclusively; then a reader may meet half of it, which is no JSON
object and counts as absent. What a killed writer left of it is replaced once it is `TORN_SECONDS` old: no living writer
needs so long, and one that was suspended finds that another's file stands in its place.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

from hakken.core.files import json_text, writing

TEMPORARY = ".tmp-"
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES}
ABSENT = {errno.ENOENT, errno.ESTALE}  # ESTALE: removed or replaced from another node while it was opened
TORN_SECONDS = 10.0
SETTLE_SECONDS = 0.1  # far more than the time between a look at a file and its replacement
POLL_SECONDS = 0.05


def create(path: Path, value: dict[str, Any]) -> bool:
    """Publish ``value`` as JSON at ``path`` unless a whole file stands there; tell whether this call published it.

    Raises HakkenError with a remedy where the disk is full or the folder read-only.
    """
    text = json_text(value)
    with writing(path):
        _make_folder(path.parent)
        temporary = _write_beside(path, text)
        try:
            while (created := _place(temporary, path)) is None:
                time.sleep(POLL_SECONDS)
        finally:
            temporary.unlink(missing_ok=True)
        flush_folder(path.parent)
    return created


def replace(path: Path, dead: dict[str, Any], value: dict[str, Any]) -> bool:
    """Put ``value`` in place of ``dead``, which a dead writer left at ``path``; tell whether it stands there.

    Half a file is read as {}. Of several who do so at the same moment the last one's stays, and every other is told
    False. Raises as `create`.
    """
    text = json_text(value)
    with writing(path):
        temporary = _write_beside(path, text)
        try:
            return (read(path) or {}) == dead and _replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any] | None:
    """Return the JSON object at ``path``, or None where there is no file or not yet a whole one."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        return None
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return None
    return value if isinstance(value, dict) else None


def touched(path: Path) -> float | None:
    """Return when a file was last touched, None where there is none.

    Opening it makes a network file system ask its server.
    """
    try:
        with path.open("rb") as stream:
            return os.fstat(stream.fileno()).st_mtime
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        return None


def server_time(folder: Path) -> float:
    """Return the time of the file system that holds ``folder``; clocks of a cluster's nodes differ.

    Raises HakkenError with a remedy where nothing can be written there.
    """
    probe = folder / f"{TEMPORARY}{secrets.token_hex(8)}-clock"
    with writing(probe):
        try:
            probe.touch()
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Make new names in ``folder`` survive a crash of the machine; file systems that cannot are left alone."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each of which survives a crash of the machine as well."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush_folder(folder.parent)


def _write_beside(path: Path, text: str) -> Path:
    """Write a temporary file in the folder of ``path`` and return its path."""
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}-{path.name}")
    try:
        _write_new(temporary, text)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _write_new(path: Path, text: str) -> None:
    """Create ``path``, which must not exist, and flush it; raises FileExistsError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _place(temporary: Path, path: Path) -> bool | None:
    """Give the temporary file its name; False where another whole file has it, None where half a file may yet grow."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        # A repeated request over NFS reports a link that the first one made as already there.
        return _same_file(temporary, path) or _mend(temporary, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _place_without_link(temporary, path)
    return True


def _place_without_link(temporary: Path, path: Path) -> bool | None:
    text = temporary.read_text()
    try:
        _write_new(path, text)
    except FileExistsError:
        return _mend(temporary, path)
    return bool(read(path) == json.loads(text))


def _mend(temporary: Path, path: Path) -> bool | None:
    """Replace half a file that is too old to be still in the writing; False where there is a whole one."""
    if read(path) is not None:
        return False
    since = touched(path)
    if since is None or abs(server_time(path.parent) - since) < TORN_SECONDS or read(path) is not None:
        return None
    return _replace(temporary, path)


def _replace(temporary: Path, path: Path) -> bool:
    """Rename ``temporary`` to ``path`` and tell whether it still stands there after a moment."""
    mine = read(temporary)
    temporary.replace(path)
    flush_folder(path.parent)
    time.sleep(SETTLE_SECONDS)
    return read(path) == mine


def _same_file(one: Path, other: Path) -> bool:
    """Whether two names are one file; opening them makes a network file system ask its server."""
    with contextlib.suppress(FileNotFoundError), one.open("rb") as first, other.open("rb") as second:
        return os.path.samestat(os.fstat(first.fileno()), os.fstat(second.fileno()))
    return False
