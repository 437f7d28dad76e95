"""Digests that are remembered: which files are read again, and which alterations are noticed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from hakken.core import digests
from hakken.core.digests import SEEN, digests_of, read_seen
from hakken.core.errors import HakkenError

FIRST, OTHER = b"hakken" * 99, b"nekkah" * 99


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("a", "b"):
        (tmp_path / "data" / name).write_bytes(FIRST)
    return tmp_path / "data"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []

    def reading(path: Path) -> str:
        names.append(path.name)
        return sha(path.read_bytes())

    monkeypatch.setattr(digests, "sha256_file", reading)
    return names


def test_what_nothing_has_touched_is_read_once(folder: Path, read: list[str]) -> None:
    for _ in range(3):
        assert digests_of(folder, ["a", "b"]) == {"a": sha(FIRST), "b": sha(FIRST)}
    assert read == ["a", "b"]
    assert digests_of(folder, ["b"], full=True) == {"b": sha(FIRST)}
    assert read == ["a", "b", "b"]
    assert read_seen(folder).keys() == {"a", "b"}


def test_a_file_that_was_altered_under_its_old_size_and_time_is_read_again(folder: Path, read: list[str]) -> None:
    digests_of(folder, ["a", "b"])
    before = (folder / "a").stat()
    time.sleep(0.02)  # the clock of a file system ticks every few milliseconds
    (folder / "a").write_bytes(OTHER)
    os.utime(folder / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (folder / "a").stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    assert digests_of(folder, ["a", "b"]) == {"a": sha(OTHER), "b": sha(FIRST)}
    assert read == ["a", "b", "a"]


def test_what_no_state_tells_is_found_by_a_full_check(folder: Path, read: list[str]) -> None:
    digests_of(folder, ["a"])
    (folder / "a").write_bytes(OTHER)
    seen = read_seen(folder)
    now = (folder / "a").stat()
    state = (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
    (folder / SEEN).write_text(json.dumps({"a": (state, seen["a"][1])}), encoding="utf-8")  # as after bytes were lost
    assert digests_of(folder, ["a"]) == {"a": sha(FIRST)}
    assert digests_of(folder, ["a"], full=True) == {"a": sha(OTHER)}


@pytest.mark.parametrize("how", ["touched", "copied", "replaced"])
def test_what_was_touched_or_copied_is_read_once_more(folder: Path, read: list[str], how: str, tmp_path: Path) -> None:
    digests_of(folder, ["a"])
    time.sleep(0.02)
    if how == "touched":
        (folder / "a").touch()
    elif how == "copied":
        folder = Path(shutil.copytree(folder, tmp_path / "copy"))
    else:
        shutil.copy2(folder / "a", folder / "new")
        (folder / "new").replace(folder / "a")
    for _ in range(2):
        assert digests_of(folder, ["a"]) == {"a": sha(FIRST)}
    assert read == ["a", "a"]


def test_the_folder_s_own_time_stays(folder: Path) -> None:
    os.utime(folder, ns=(10**18, 10**18))
    digests_of(folder, ["a"])
    assert folder.stat().st_mtime_ns == 10**18


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": [[1, 2], "x"]}', '{"a": [[1, 2, 3, 4]]}', "null"])
def test_a_damaged_record_is_none(folder: Path, text: str) -> None:
    (folder / SEEN).write_text(text, encoding="utf-8")
    assert digests_of(folder, ["a"]) == {"a": sha(FIRST)}
    assert read_seen(folder)["a"][1] == sha(FIRST)


def test_where_nothing_can_be_written_everything_is_read(
    folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise HakkenError(f"{path}: cannot be written")

    monkeypatch.setattr(digests, "replacing", refused)
    for _ in range(2):
        assert digests_of(folder, ["a"]) == {"a": sha(FIRST)}
    assert read == ["a", "a"]


def test_a_missing_file_is_named(folder: Path) -> None:
    with pytest.raises(HakkenError) as caught:
        digests_of(folder, ["a", "c"])
    assert str(caught.value) == f"{folder / 'c'}: cannot be read (no such file or directory)"
