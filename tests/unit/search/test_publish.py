from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from hakken.errors import HakkenError
from hakken.search import publish


@pytest.fixture(params=["links", "no links"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test as it is and on a file system without hard links."""
    if request.param == "no links":

        def refuse(*_: Any, **__: Any) -> None:
            raise OSError(errno.EOPNOTSUPP, "no links here")

        monkeypatch.setattr(os, "link", refuse)


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
    def test_half_a_file_is_no_file_and_is_mended(self, tmp_path: Path, torn: str) -> None:
        path = tmp_path / "a.json"
        path.write_text(torn)
        assert publish.read(path) is None
        assert publish.create(path, {"x": 1})
        assert publish.read(path) == {"x": 1}


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
