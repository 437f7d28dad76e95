"""Files are whole or absent, and refusals of the system come with a remedy."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.core import files, publish
from hakken.core.errors import HakkenError
from hakken.core.files import (
    _indented,
    read_json,
    replacing,
    require_same,
    require_writable,
    sha256_file,
    sha256_json,
    write_json,
    write_text,
    writing,
    writing_somewhere,
)

FULL = "no space left on the disk; free some, or make `results` a link to a folder on another disk"
READ_ONLY = "that file system is read-only; make `results` a link to a folder of your own"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    write_text(path, "発見\n")
    assert path.read_bytes() == "発見\n".encode()
    assert names(path.parent) == ["c.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o027, 0o640), (0o077, 0o600)])
def test_who_may_read_it_is_what_the_umask_says(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_text(tmp_path / "new" / "a.txt", "text")
        publish.create(tmp_path / "new" / "b.json", {"a": 1})
        write_text(tmp_path / "new" / "a.txt", "again")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()] == [mode, mode]
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o777 & ~umask


def test_the_temporary_name_keeps_the_endings_that_writers_go_by(tmp_path: Path) -> None:
    with replacing(tmp_path / "image.nii.gz") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".image.nii.gz.")
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("new")
    assert names(tmp_path) == ["image.nii.gz"]


def test_until_the_end_readers_see_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("half of the new")
        assert path.read_text() == "old"
    assert path.read_text() == "half of the new"


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys; from pathlib import Path; from hakken.core.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert all(name == "a.txt" or name.startswith(".a.txt.") for name in names(tmp_path))


def refusing(number: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", sorted(files.REASONS))
@pytest.mark.parametrize("step", ["open", "fsync"])
def test_a_refusal_of_the_system_comes_with_a_remedy(
    number: int, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(files.os, step, refusing(number))
    with pytest.raises(HakkenError) as caught:
        write_text(path, "new")
    assert str(caught.value) == f"{path}: cannot be written: {files.REASONS[number]}"
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_words_of_the_refusals() -> None:
    assert files.REASONS[errno.ENOSPC] == FULL
    assert files.REASONS[errno.EROFS] == READ_ONLY
    assert files.REASONS[errno.EACCES].startswith("no permission to write there; ")
    assert files.REASONS[errno.EDQUOT].startswith("your quota is used up; ")


def test_other_errors_of_the_system_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "fsync", refusing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        write_text(tmp_path / "a.txt", "new")
    assert names(tmp_path) == []


def test_a_full_disk_keeps_the_old_file(small_disk: Path) -> None:
    path = small_disk / "a.txt"
    write_text(path, "old")
    with pytest.raises(HakkenError) as caught:
        write_text(path, "x" * 200_000)
    assert str(caught.value) == f"{path}: cannot be written: {FULL}"
    assert path.read_text() == "old"
    assert names(small_disk) == ["a.txt"]


def test_a_read_only_disk(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    path = small_disk / "new" / "a.txt"
    with pytest.raises(HakkenError) as caught:
        write_text(path, "text")
    assert str(caught.value) == f"{path}: cannot be written: {READ_ONLY}"


def test_anywhere_in_a_block_a_full_disk_is_explained() -> None:
    with pytest.raises(HakkenError) as caught, writing_somewhere():
        raise OSError(errno.ENOSPC, "No space left on device", "there.bin")
    assert str(caught.value) == f"there.bin: cannot be written: {FULL}"
    with pytest.raises(HakkenError) as caught, writing_somewhere():
        raise OSError(errno.EROFS, "Read-only file system")
    assert str(caught.value) == f"a file: cannot be written: {READ_ONLY}"


def test_a_missing_permission_may_be_one_to_read() -> None:
    with pytest.raises(PermissionError), writing_somewhere():
        raise PermissionError(errno.EACCES, "Permission denied", "scan.nii.gz")
    with (
        pytest.raises(HakkenError, match=r"scan\.nii\.gz: cannot be written: no permission"),
        writing(Path("scan.nii.gz")),
    ):
        raise PermissionError(errno.EACCES, "Permission denied", "scan.nii.gz")


def test_json_there_and_back(tmp_path: Path) -> None:
    value = {"text": "é", "list": [1, 2.5, None, True], "nested": {"a": {}}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_text().endswith("}\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_without_numbers_that_json_has_not(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"value": value})
    assert names(tmp_path) == []


def test_reading_json_that_is_missing_or_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(HakkenError) as caught:
        read_json(path)
    assert str(caught.value) == f"{path}: no such file"
    for content in (b'{"a": ', b"\xff\xfe", b""):
        path.write_bytes(content)
        with pytest.raises(HakkenError, match="not valid JSON"):
            read_json(path)


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    assert sha256_json({"b": [1, 2], "a": None}) == hashlib.sha256(b'{"a":null,"b":[1,2]}').hexdigest()
    assert sha256_json({"a": 1, "b": 2}) == sha256_json(json.loads('{"b": 2, "a": 1}'))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_json_comes_back_as_it_was(value: object) -> None:
    assert json.loads(_indented(value, "\n")) == value


def test_json_is_indented_and_a_list_of_numbers_takes_one_line(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [1, 2.5, None], "b": {"c": [[1, 2], {}], "d": []}, 3: True})
    assert (tmp_path / "a.json").read_text() == (
        '{\n  "a": [1, 2.5, null],\n  "b": {\n    "c": [\n      [1, 2],\n      {}\n    ],\n    "d": []\n  },\n'
        '  "3": true\n}\n'
    )


def test_a_file_is_used_only_as_it_was_written_down(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    digest = sha256_file(path)
    assert require_same(path, digest, "run again") == path
    path.write_text("other")
    for changed in (path, tmp_path / "none.txt", tmp_path):
        with pytest.raises(HakkenError) as caught:
            require_same(changed, digest, "run again")
        assert str(caught.value) == f"{changed}: missing or changed; run again"


def test_whether_a_folder_can_be_written_is_known_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a" / "b"
    require_writable(folder)
    assert names(tmp_path) == []
    monkeypatch.setattr(files.tempfile, "TemporaryFile", refusing(errno.EROFS))
    with pytest.raises(HakkenError) as caught:
        require_writable(folder)
    assert str(caught.value) == f"{folder}: cannot be written: {READ_ONLY}"


def test_json_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(HakkenError) as caught:
        read_json(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read (is a directory); look at its permissions and at the disk"
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(HakkenError, match=r"a\.json: cannot be read \(permission denied\); look at"):
        read_json(tmp_path / "a.json")
