"""Small files, written so that a reader or a killed writer never leaves half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hakken.core.errors import HakkenError

REASONS = {
    errno.ENOSPC: "no space left on the disk; free some, or make `results` a link to a folder on another disk",
    errno.EDQUOT: "your quota is used up; free some, or make `results` a link to a folder on another disk",
    errno.EACCES: "no permission to write there; make `results` a link to a folder of your own",
    errno.EPERM: "no permission to write there; make `results` a link to a folder of your own",
    errno.EROFS: "that file system is read-only; make `results` a link to a folder of your own",
}


LONGEST_SHOWN = 200  # letters of what cannot be written


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; flush it and rename it to ``path`` when the block succeeds.

    The file's permissions are what the user's umask leaves of those to read and write. Raises HakkenError with a remedy
    when the disk is full, the quota used up or the folder read-only.
    """
    if path.is_dir():
        raise HakkenError(f"{path}: is a folder; name a file")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(path)
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write at ``path`` into errors with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in REASONS:
            raise _refusal(path, error) from error
        raise


@contextmanager
def writing_somewhere() -> Iterator[None]:
    """Turn a full disk or a read-only file system, wherever the block meets it, into an error with a remedy.

    A missing permission passes: it may as well be one to read.
    """
    try:
        yield
    except OSError as error:
        if error.errno in REASONS and error.errno not in (errno.EACCES, errno.EPERM):
            raise _refusal(error.filename or "a file", error) from error
        raise


@contextmanager
def spelling_names() -> Iterator[None]:
    """Turn a name that the locale, or a text file, has no letters for into an error with a remedy."""
    try:
        yield
    except UnicodeEncodeError as error:
        letters = error.object[error.start : error.end]
        remedy = "rename it, or set LC_ALL=C.UTF-8 (the locale that names files in UTF-8) and try again"
        shown = error.object if len(error.object) <= LONGEST_SHOWN else f"...{letters}..."
        raise HakkenError(f"`{shown}`: {error.encoding} has no letter {letters!a}; {remedy}") from None


def require_writable(folder: Path) -> None:
    """Raise HakkenError with a remedy where ``folder``, or the folder that it would be made in, cannot be written."""
    existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    with writing(folder), tempfile.TemporaryFile(dir=existing):
        pass


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in one step."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, a list of plain values on one line.

    NaN and infinity are refused, since JSON has neither.
    """
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Return ``value`` as indented JSON, a list of plain values on one line."""
    return _indented(value, "\n") + "\n"


def _indented(value: Any, line: str) -> str:
    """Return JSON whose lines begin with ``line``; the standard library would put every number on a line of its own."""
    inner = f"{line}  "
    if isinstance(value, dict) and value:
        parts = [f"{json.dumps(_key(key))}: {_indented(item, inner)}" for key, item in value.items()]
        return f"{{{inner}{f',{inner}'.join(parts)}{line}}}"
    if isinstance(value, list | tuple) and any(isinstance(item, dict | list | tuple) for item in value):
        return f"[{inner}{f',{inner}'.join(_indented(item, inner) for item in value)}{line}]"
    return json.dumps(value, allow_nan=False)


def _key(key: Any) -> str:
    """Return a key as JSON knows it: text."""
    return key if isinstance(key, str) else json.dumps(key)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; raises HakkenError naming one that is missing, broken or not to be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HakkenError(f"{path}: no such file") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise HakkenError(f"{path}: cannot be read ({reason}); look at its permissions and at the disk") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise HakkenError(f"{path}: not valid JSON ({error})") from None


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_same(path: Path, sha256: str, remedy: str) -> Path:
    """Return ``path``; raises HakkenError with the ``remedy`` where it is missing or not the file of that digest."""
    if not path.is_file() or sha256_file(path) != sha256:
        raise HakkenError(f"{path}: missing or changed; {remedy}")
    return path


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON, in hexadecimal."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _refusal(path: Path | str, error: OSError) -> HakkenError:
    return HakkenError(f"{path}: cannot be written: {REASONS[error.errno or 0]}")


def _beside(path: Path) -> Path:
    """Create an empty file of a new name in the folder of ``path`` and return its path.

    `tempfile` would close it to the user's group, whatever the umask says.
    """
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{''.join(path.suffixes)}")
        with suppress(FileExistsError):
            temporary.touch(exist_ok=False)
            return temporary


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
