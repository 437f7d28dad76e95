"""The command line as a whole: help, examples, exit codes, and how fast it answers."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import hakken
from hakken import cli
from hakken.cli import build_parser, main
from hakken.core.errors import HakkenError

COMMANDS = (
    "doctor",
    "init",
    "check",
    "plan",
    "search",
    "predict",
    "froc",
    "roc",
    "agreement",
    "overlap",
    "readers",
    "redraw",
    "anova",
    "open-ms",
    "openings",
    "verify",
    "chest-xray",
    "clinic-db",
    "luna16",
    "node21",
    "export",
    "profile",
    "tune-cpu",
    "schema",
)
HEAVY = ("torch", "numpy", "pandas", "SimpleITK", "pydantic", "scipy", "yaml", "jinja2")


def test_every_command_is_named_with_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert tuple(re.findall(r"^    ([a-z0-9-]+)(?: |$)", shown, flags=re.MULTILINE)) == COMMANDS
    assert "Research use" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_shows_an_example_that_parses(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    _, _, example = capsys.readouterr().out.partition("example:\n")
    words = shlex.split(example.replace("\\\n", " "))
    assert words[:2] == ["hakken", command]
    assert build_parser().parse_args(words[1:]).command == command


def test_help_comes_before_anything_heavy_is_loaded() -> None:
    code = (
        "import sys\nfrom hakken.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in sys.argv[1:] if name in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == "[]"


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"hakken {hakken.__version__}\n"
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    assert f'version = "{hakken.__version__}"' in text
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hakken.nothing


@pytest.mark.parametrize("arguments", [[], ["predcit"], ["check"], ["predict", "--image", "a=b"]])
def test_what_is_no_command_is_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: hakken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (HakkenError("a.csv: row 2: bad; mend it"), 2, "hakken doctor: a.csv: row 2: bad; mend it\n"),
        (KeyboardInterrupt(), 130, "hakken doctor: interrupted\n"),
    ],
)
def test_errors_end_with_a_message_and_a_status(
    error: BaseException,
    code: int,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(cli.doctor, "run", fail)
    assert main(["doctor"]) == code
    assert capsys.readouterr().err == shown


def test_the_status_of_a_command_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.doctor, "run", lambda _: 1)
    assert main(["doctor"]) == 1
    monkeypatch.setattr(cli.doctor, "run", lambda _: None)
    assert main(["doctor"]) == 0


def test_it_is_installed_as_a_command() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "hakken.cli", "predict", "--model", "nowhere.pt", "--image", "a=b"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("hakken predict: nowhere.pt: no such model; ")
    assert "Traceback" not in run.stderr


def test_an_output_that_cannot_be_is_named_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["schema", "--output", str(tmp_path / "file" / "reference")]) == 2
    said = capsys.readouterr().err
    assert said == f"hakken schema: {tmp_path / 'file' / 'reference'}: Not a directory; check the path\n"
