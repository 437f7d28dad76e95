"""What a stage says: on the terminal with its name, in its log with the time."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from hakken.core import console
from hakken.core.errors import HakkenError


def test_progress_goes_to_the_terminal_and_into_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "logs" / "trial.log"
    with console.console("trial 03", path):
        console.progress("step 5/10")
        console.log("a detail")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "[trial 03] step 5/10\n"
    lines = path.read_text().splitlines()
    assert [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines] == ["step 5/10", "a detail"]
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)


def test_a_line_is_in_the_log_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with console.console("stage", path):
        console.log("now")
        assert path.read_text().endswith("now\n")


def test_a_second_run_appends(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for word in ("first", "second"):
        with console.console("stage", path):
            console.log(word)
    assert [line.split()[1] for line in path.read_text().splitlines()] == ["first", "second"]


def test_outside_a_console_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    console.progress("nobody listens")
    console.log("nobody listens")
    assert capsys.readouterr().err == ""


def test_quiet_consoles_write_the_log_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with console.console("stage", tmp_path / "a.log", quiet=True):
        console.progress("silent")
    assert capsys.readouterr().err == ""
    assert "silent" in (tmp_path / "a.log").read_text()


def test_consoles_nest(capsys: pytest.CaptureFixture[str]) -> None:
    with console.console("outer", None):
        with console.console("inner", None):
            console.progress("one")
        console.progress("two")
    assert capsys.readouterr().err == "[inner] one\n[outer] two\n"


def test_a_log_that_cannot_be_opened_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(HakkenError, match=r"a\.log: cannot be written: that file system is read-only; "):
        console.console("stage", tmp_path / "a.log").__enter__()


class Full(io.StringIO):
    """A log on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        raise OSError(28, "No space left on device")


def test_a_full_disk_does_not_hide_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Path, "open", lambda *_, **__: Full())
    with console.console("stage", tmp_path / "a.log"):
        console.progress("error: no space left on the disk")
    assert capsys.readouterr().err == "[stage] error: no space left on the disk\n"
