from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from hakken.core import publish
from hakken.core.errors import HakkenError


@pytest.fixture(params=["links", "no links"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test as it is and on a file system without hard links."""
    if request.param == "no links":

        def refuse(*_: Any, **__: Any) -> None:
            raise OSError(errno.EOPNOTSUPP, "no links here")

        monkeypatch.setattr(os, "link", refuse)


def at_once(path: Path, writers: int) -> list[bool]:
    """Publish {"x": n} at ``path`` from so many threads at the same moment; return what each was told."""
    told = [False] * writers
    together = threading.Barrier(writers)

    def place(number: int) -> None:
        together.wait()
        told[number] = publish.create(path, {"x": number})

    threads = [threading.Thread(target=place, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


@pytest.mark.usefixtures("file_system")
class TestOnEveryFileSystem:
    def test_the_first_writer_wins(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "trial-0001.json"
        assert publish.create(path, {"who": "first"})
        assert not publish.create(path, {"who": "second"})
        assert publish.read(path) == {"who": "first"}

    def test_nothing_else_is_left_behind(self, tmp_path: Path) -> None:
        publish.create(tmp_path / "a.json", {"x": 1})
        publish.create(tmp_path / "a.json", {"x": 2})
        assert [path.name for path in tmp_path.iterdir()] == ["a.json"]

    @pytest.mark.parametrize("torn", ["", "{", '{"state": "comp', "[1]"])
    def test_half_a_file_is_no_file_and_is_mended_once_its_writer_is_surely_dead(
        self, tmp_path: Path, torn: str
    ) -> None:
        path = tmp_path / "a.json"
        path.write_text(torn)
        os.utime(path, (1.0, 1.0))
        assert publish.read(path) is None
        assert publish.create(path, {"x": 1})
        assert publish.read(path) == {"x": 1}
        assert [path.name for path in tmp_path.iterdir()] == ["a.json"]

    def test_half_a_file_that_grows_is_waited_for(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        path.write_text('{"x": ')
        threading.Timer(0.3, lambda: path.write_text('{"x": 1}')).start()
        assert not publish.create(path, {"x": 2})
        assert publish.read(path) == {"x": 1}

    def test_of_many_who_mend_at_once_one_publishes(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        path.write_text("{")
        os.utime(path, (1.0, 1.0))
        told = at_once(path, 8)
        assert sum(told) == 1
        assert publish.read(path) == {"x": told.index(True)}

    def test_of_many_who_publish_at_once_one_succeeds(self, tmp_path: Path) -> None:
        for turn in range(20):
            told = at_once(tmp_path / f"{turn}.json", 4)
            assert sum(told) == 1
            assert publish.read(tmp_path / f"{turn}.json") == {"x": told.index(True)}

    def test_a_dead_one_s_file_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        publish.create(path, {"x": 1})
        assert publish.replace(path, {"x": 1}, {"x": 2})
        assert publish.read(path) == {"x": 2}
        assert not publish.replace(path, {"x": 1}, {"x": 3})
        assert publish.read(path) == {"x": 2}
        assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_every_proper_beginning_of_a_record_counts_as_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    whole = json.dumps({"state": "complete", "parameters": {"x": [1.5, None], "y": {}}, "objective": 0.25}, indent=2)
    for length in range(len(whole)):
        path.write_text(whole[:length])
        assert publish.read(path) is None
    path.write_text(whole)
    assert publish.read(path) is not None


def test_a_link_that_a_repeated_request_reports_as_taken_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def made_twice(*arguments: Any) -> None:
        link(*arguments)
        link(*arguments)

    monkeypatch.setattr(os, "link", made_twice)
    assert publish.create(tmp_path / "a.json", {"x": 1})


def test_numbers_that_json_does_not_know_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        publish.create(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HakkenError, match=r"a\.json: cannot be written: no space left on the disk"):
        publish.create(tmp_path / "a.json", {"x": 1})
    assert not list(tmp_path.iterdir())


def test_a_read_only_folder_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> int:
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(HakkenError, match=r"a\.json: cannot be written: that file system is read-only"):
        publish.create(tmp_path / "a.json", {"x": 1})


def test_a_file_that_another_node_takes_away_meanwhile_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(*_: Any, **__: Any) -> bytes:
        raise OSError(errno.ESTALE, "stale file handle")

    publish.create(tmp_path / "a.json", {"x": 1})
    monkeypatch.setattr(Path, "read_bytes", stale)
    monkeypatch.setattr(Path, "open", stale)
    assert publish.read(tmp_path / "a.json") is None
    assert publish.touched(tmp_path / "a.json") is None


def test_files_and_new_folders_are_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    flush = os.fsync

    def note(handle: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{handle}").readlink())
        flush(handle)

    monkeypatch.setattr(os, "fsync", note)
    publish.create(tmp_path / "new" / "ledger" / "a.json", {"x": 1})
    folders = [path for path in flushed if path.is_dir()]
    assert folders == [tmp_path, tmp_path / "new", tmp_path / "new" / "ledger"]
    assert [path.name.endswith("-a.json") for path in flushed if path not in folders] == [True]


def test_the_clock_of_the_file_system(tmp_path: Path) -> None:
    before = tmp_path.stat().st_mtime
    now = publish.server_time(tmp_path)
    publish.create(tmp_path / "a.json", {})
    assert publish.touched(tmp_path / "b.json") is None
    assert before <= now <= (publish.touched(tmp_path / "a.json") or 0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
