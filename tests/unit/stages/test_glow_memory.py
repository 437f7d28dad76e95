"""What a step of a flow costs: rows by axes, depth and way back; and its figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from hakken.core.tables import read_table
from hakken.figures import flow_memory as figure
from hakken.methods.glow.memory import MODES
from hakken.runs.learner import learner_of
from hakken.runs.model_file import save_model
from hakken.stages import glow_memory as stage
from hakken.stages.glow_memory import COLUMNS, glow_memory
from hakken.study import Study
from hakken.study.reading import parse_study
from hakken.training.method import Method

from ..figures.made import files


def study() -> Study:
    return parse_study(
        {
            "name": "films",
            "seed": 1,
            "method": "glow",
            "cohort": {"table": "cases.csv"},
            "channels": {"A": {"modality": "xray", "normalise": "percentile"}},
            "parameters": {"patch_size": 8, "levels": 1, "width": 4},
        }
    )


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stage, "DEPTHS", (1, 3))
    monkeypatch.setattr(stage, "REPEATS", 1)
    learner = learner_of(study())
    assert isinstance(learner, Method)
    weights = {name: network.state_dict() for name, network in learner.networks().items()}
    save_model(tmp_path / "selected.pt", weights, {}, study=study(), metadata={})
    save_model(tmp_path / "rule.pt", {}, {"level": 0.5}, study=study(), metadata={}, baseline="pixel_statistics")
    glow_memory(models=[tmp_path / "rule.pt", tmp_path / "selected.pt"], output=tmp_path / "memory.csv")
    return tmp_path / "memory.csv"


def test_memory_grows_with_depth_by_all_ways_but_one(measured: Path) -> None:
    rows = read_table(measured, COLUMNS).records()
    assert [(row["axes"], row["depth"], row["backward"]) for row in rows] == [
        (axes, depth, mode) for axes in "23" for depth in "13" for mode in MODES
    ]
    assert {row["shape"] for row in rows} == {"2x1x8x8", "2x1x4x4x4"}
    assert {row["peak_bytes"] for row in rows} == {"" if rows[0]["device"] == "cpu" else rows[0]["peak_bytes"]}
    kept = {(row["axes"], row["depth"], row["backward"]): int(row["kept_bytes"]) for row in rows}
    for axes in "23":
        assert kept[axes, "3", "plain"] > 2 * kept[axes, "1", "plain"]
        assert kept[axes, "3", "invert"] == kept[axes, "1", "invert"]
        assert kept[axes, "3", "plain"] > kept[axes, "3", "checkpoint"] > kept[axes, "3", "invert"]


def test_the_figure_shows_every_way(measured: Path) -> None:
    drawing = figure.draw(study(), files(memory=[measured]))
    assert len(drawing.table.rows) == 12
    assert drawing.words.count(" MB") == 3
    assert [len(axes.get_lines()) for axes in drawing.figure.axes] == [3, 3, 3, 3]


def test_without_a_flow_there_is_nothing_to_measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_model(tmp_path / "rule.pt", {}, {"level": 0.5}, study=study(), metadata={}, baseline="pixel_statistics")
    with pytest.raises(SystemExit):
        glow_memory(models=[tmp_path / "rule.pt"], output=tmp_path / "memory.csv")
    assert "none of the frozen models is a flow; leave out the figure `flow_memory`" in capsys.readouterr().err
