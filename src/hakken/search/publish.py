"""Small JSON files that appear at once, whole, and only for the first of several writers; also on NFS and Lustre.

A file is written beside its place under a temporary name, flushed, and linked into place: `link` fails where the name
is taken, on every POSIX file system, so of two writers exactly one succeeds and no reader meets half a file. Where
links are not supported the file itself is created exclusively; then a reader may meet half of it, which is no JSON
object and counts as absent, and a writer may replace it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from pathlib import Path
from typing import Any

from hakken.files import writing

TEMPORARY = ".tmp-"
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES}


def create(path: Path, value: dict[str, Any]) -> bool:
    """Publish ``value`` as JSON at ``path`` unless a whole file stands there; tell whether this call published it.

    Raises HakkenError with a remedy where the disk is full or the folder read-only.
    """
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}-{path.name}")
        try:
            _write_new(temporary, text)
            created = _place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        flush_folder(path.parent)
    return created


def read(path: Path) -> dict[str, Any] | None:
    """Return the JSON object at ``path``, or None where there is no file or not yet a whole one."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def flush_folder(folder: Path) -> None:
    """Make new names in ``folder`` survive a crash of the machine; file systems that cannot are left alone."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _write_new(path: Path, text: str) -> None:
    """Create ``path``, which must not exist, and flush it; raises FileExistsError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _place(temporary: Path, path: Path) -> bool:
    """Give the temporary file its name; False where another whole file has it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        # A repeated request over NFS reports a link that the first one made as already there.
        return temporary.stat().st_nlink == 2 or _mend(temporary, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _place_without_link(temporary, path)
    return True


def _place_without_link(temporary: Path, path: Path) -> bool:
    text = temporary.read_text()
    try:
        _write_new(path, text)
    except FileExistsError:
        return _mend(temporary, path)
    return bool(read(path) == json.loads(text))


def _mend(temporary: Path, path: Path) -> bool:
    """Replace what a killed writer left at ``path`` where that is no whole file."""
    if read(path) is not None:
        return False
    temporary.replace(path)
    return True
