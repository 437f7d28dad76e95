"""`hakken tune-cpu`: the table, the file, and what is refused."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from hakken.cli import main
from hakken.runs import layout_pool
from hakken.training import layout
from hakken.training.layout import Layout, read_layout

ROW = re.compile(
    r"^(\d+) x (\d+) +(channels \w+) +(\w+) +([\d.]+)  ([\d.]+)-([\d.]+) +(\d) +([\d.]+)(.*)$", re.MULTILINE
)


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of two cores without bfloat16, where two processes are half as fast again as the default."""

    def seconds(self: layout_pool.Pool, chosen: Layout, steps: int) -> float:
        return chosen.processes / (150 if chosen == Layout(2, 1) else 100)

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(layout, "has_bfloat16", lambda: False)
    monkeypatch.setattr(layout_pool.Pool, "seconds", seconds)
    monkeypatch.setattr(layout_pool.Pool, "__enter__", lambda self: self)
    monkeypatch.setattr(layout_pool.Pool, "__exit__", lambda *_: None)


@pytest.mark.usefixtures("two_cores")
def test_the_fastest_layout_is_shown_and_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "layout.json"
    assert main(["tune-cpu", "--minutes", "0.1", "--output", str(path)]) == 0
    shown = capsys.readouterr()
    assert "2 cores, without instructions for bfloat16; 6 layouts" in shown.err
    assert shown.out.startswith("brain_metastasis at scale tiny: dense, 8 samples a step and process\n")
    rows = ROW.findall(shown.out)
    assert len(rows) == 6
    assert rows[0] == ("2", "1", "channels first", "float32", "1200.0", "1200.0", "1200.0", "7", "1.50", "  <- chosen")
    assert [row for row in rows if "default" in row[-1]] == [
        ("1", "2", "channels first", "float32", "800.0", "800.0", "800.0", "7", "1.00", "  default")
    ]
    assert [row[-3] for row in rows] == ["7"] * 4 + ["3"] * 2
    assert shown.out.endswith(f"kept in {path}\n")
    assert read_layout(path) == Layout(2, 1)
    kept = json.loads(path.read_text())
    assert kept["samples_per_second"][0] == {
        "layout": "2 x 1, channels first, float32",
        "rounds": [1200.0] * 7,
        "relative": 1.5,
    }
    assert main(["tune-cpu", "--show", "--output", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: 2 x 1, channels first, float32\n"


@pytest.mark.usefixtures("two_cores")
def test_an_equal_layout_does_not_displace_the_default(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(layout_pool.Pool, "seconds", lambda self, chosen, steps: chosen.processes / 100)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(project / "config-home"))
    monkeypatch.setattr("socket.gethostname", lambda: "node07")
    assert main(["tune-cpu", "--minutes", "0.1"]) == 0
    shown = capsys.readouterr().out
    assert "1.00  default  <- chosen\n" in shown
    assert "no layout was faster than the default beyond the spread of the rounds; the default is kept\n" in shown
    assert read_layout(project / "config-home" / "hakken" / "layouts" / "node07.json") == Layout(1, 2)


@pytest.mark.usefixtures("two_cores")
def test_on_a_busy_host_nothing_is_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds = iter(range(1000))
    monkeypatch.setattr(layout_pool.Pool, "seconds", lambda self, chosen, steps: 1.0 + next(rounds) % 5 / 5)
    assert main(["tune-cpu", "--minutes", "0.1", "--output", str(project / "layout.json")]) == 2
    shown = capsys.readouterr()
    assert shown.err.endswith(
        "hakken tune-cpu: the rounds of the default differ widely, so other work runs on this host; nothing is kept: "
        "measure again when it is quiet\n"
    )
    assert len(ROW.findall(shown.out)) == 6
    assert "chosen" not in shown.out
    assert not (project / "layout.json").exists()


def test_before_any_measurement_there_is_nothing_to_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune-cpu", "--show", "--output", str(tmp_path / "none.json")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/none.json: no such file; `hakken tune-cpu` makes it\n"


def test_several_studies_are_not_measured_at_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = project / "config" / "config.yaml"
    config.write_text("studies: {brain_metastasis: tiny, polyp: tiny}\ncases_per_job: 8\n")
    assert main(["tune-cpu"]) == 2
    assert capsys.readouterr().err == (
        "hakken tune-cpu: config/config.yaml names several studies (brain_metastasis, polyp); choose one with --study\n"
    )


@pytest.mark.parametrize("minutes", ["0", "-1", "soon", "nan", "inf", "1441"])
def test_minutes_that_are_none_are_refused(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["tune-cpu", f"--minutes={minutes}"])
    assert stopped.value.code == 2
    assert f"{minutes} is no number of minutes above 0 and up to 1440" in capsys.readouterr().err
