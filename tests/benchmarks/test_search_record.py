"""Recording trainings for the replay: what is drawn, what is kept of a curve, and that a stopped recording goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.search.rungs import Rungs
from hakken.study import Study

from ..unit.miniature import prepare_case, study

BALLS = [(6.0, 7.0, 8.0), (15.0, 16.0, 12.0)]
SPACE = {"learning_rate": {"type": "real", "low": 0.001, "high": 0.01, "scale": "log"}}
RUNGS = Rungs.of(["1/9", "1/3"])


def a_study(**training: Any) -> Study:
    base = {"name": "balls", "seed": 5, "method": "dense", "cohort": {"table": "cases.csv"}}
    return study(
        {**base, "channels": {"A": {"modality": "mr"}, "B": {"modality": "mr"}}},
        preparation={"spacing_mm": [1.5, 1.5, 1.5], "mask": "none"},
        parameters={"batch_size": 2, "patch_size": 12, "levels": 3, "base_features": 4},
        search={"space": SPACE},
        training={"steps": 9, "validate_every": 9} | training,
    )


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    for part in ("train", "validation"):
        prepare_case(tmp_path / "prepared" / f"{part}-000", part, BALLS)
    return tmp_path


def test_a_recording_that_was_stopped_goes_on_and_can_be_replayed(benchmark: Any, prepared: Path) -> None:
    record, replay = benchmark("search_record"), benchmark("search_replay")
    output, chosen = prepared / "recorded.json", a_study()
    content = record.begun(chosen, RUNGS, {})
    for count in (2, 3):
        record.record_all(chosen, content, RUNGS, prepared, output, count=count, seconds=float("inf"))
        assert len(read_json(output)["trainings"]) == count
    recording = replay.read_recording(output)
    assert recording.parameters[0] == {"learning_rate": chosen.parameters.learning_rate}, "the untuned default"
    assert len({one["learning_rate"] for one in recording.parameters}) == 3
    for curve in recording.curves:
        assert curve[:, 0].tolist() == [1, 3, 9]
        assert (curve[:, 1] == sorted(curve[:, 1])).all(), "the best so far"
        assert (curve[:, 2] > 0).all()
    assert recording.start_seconds > 0
    again = record.recorded(chosen, RUNGS, recording.parameters[1], 1, prepared)
    assert [point[:2] for point in again["curve"]] == recording.curves[1][:, :2].tolist()
    other = a_study(steps=18)
    with pytest.raises(HakkenError, match=r"recorded\.json: was recorded with other `steps`; name another file"):
        record.record_all(other, record.begun(other, RUNGS, {}), RUNGS, prepared, output, count=3, seconds=0.0)


def test_with_no_time_left_nothing_is_begun(benchmark: Any, prepared: Path) -> None:
    record = benchmark("search_record")
    output, chosen = prepared / "recorded.json", a_study()
    record.record_all(chosen, record.begun(chosen, RUNGS, {}), RUNGS, prepared, output, count=2, seconds=0.0)
    assert not output.exists()


def test_a_training_that_fails_by_its_own_parameters_has_no_curve(
    benchmark: Any, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = benchmark("search_record")

    def diverges(*given: Any) -> None:
        raise FloatingPointError("the loss was nan")

    monkeypatch.setattr(record, "fit", diverges)
    found = record.recorded(a_study(), RUNGS, {"learning_rate": 0.01}, 0, prepared)
    assert found == {"parameters": {"learning_rate": 0.01}, "failed": "diverged"}


def test_a_training_that_ended_early_is_at_its_end_from_then_on(benchmark: Any) -> None:
    record = benchmark("search_record")
    curve = [{"step": 2, "objective": 0.5}, {"step": 4, "objective": 0.25}]
    early = {"curve": curve, "clock": [1.0, 3.0], "seconds": 4.0, "objective": 0.5}
    assert record._curve(early, (1, 3, 9), "best", spent=8.0) == [[3, 0.5, 2.0], [9, 0.5, 8.0]]
    assert record._curve(early | {"objective": 0.25}, (2, 6, 9), "last", spent=4.0)[1] == [6, 0.25, 3.0]


def test_what_is_fixed_is_not_drawn(benchmark: Any) -> None:
    record = benchmark("search_record")
    assert [record.assigned(text) for text in ("depth=3", 'norm="group"')] == [("depth", 3), ("norm", "group")]
    dropout = {"dropout": {"type": "real", "low": 0.0, "high": 0.5}}
    chosen = a_study()
    content = record.begun(chosen, RUNGS, dropout, {"learning_rate": 0.01})
    assert (content["space"], content["fixed"]) == (dropout, {"learning_rate": 0.01})
    assert "fixed" not in record.begun(chosen, RUNGS, {})


def test_parameters_are_widened_to_what_is_searched_on_paper(benchmark: Any) -> None:
    record = benchmark("search_record")
    path = Path(__file__).parents[2] / "config" / "studies" / "brain_metastasis.yaml"
    assert record.widened(path, "tiny", ["dropout"]) == {"dropout": {"type": "real", "low": 0.0, "high": 0.5}}
    with pytest.raises(HakkenError, match="--wide depth: the study does not search it at the scale `paper`"):
        record.widened(path, "tiny", ["depth"])
