"""Figures of searches whose trainings pause at rungs, from the files of two jobs that are written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.core.files import write_json
from hakken.core.tables import table_text
from hakken.figures import comparison, learnt, search
from hakken.report.figure import read_trials
from hakken.runs.trials import job_of
from hakken.study import Study

from ..miniature import study
from .made import files, handed, record

RUNGS: dict[str, Any] = {"rungs": ["1/3"], "trials": 2, "slots": 1}
RATES = (0.02, 0.01, 0.04)


def at(second: float) -> str:
    return f"2026-01-01T12:00:{second:06.3f}+00:00"


def segment(place: int, job: int, training: int, ends: tuple[str, str], **more: Any) -> dict[str, Any]:
    """The record of a segment that takes as many seconds as it has thirds, from the second of its place on."""
    since, until = ends
    took = {"0": 0, "1/3": 1, "1": 3}[until] - {"0": 0, "1/3": 1, "1": 3}[since]
    return {
        **{"sweep": "search", "number": place, "place": place, "generation": "c0de", "reason": None},
        "segment": {"job": job, "training": training, "since": since, "until": until, "agreement": [], "whole": False},
        "parameters": {"learning_rate": RATES[training]},
        **{"start": at(10 * place), "end": at(10 * place + took), "seconds": float(took), "gpu_seconds": 2.0 * took},
        **{"host": "node1", "device": "cuda", "threads": 2},
        **more,
    }


def jobs(folder: Path, sweep: str = "search") -> list[Path]:
    """Write two jobs: the default at a stretch; two that pause, the better of which goes on."""
    first = [segment(0, 0, 0, ("0", "1"), state="complete", objective=0.4, by_rung={"1/3": 0.3, "1": 0.4})]
    second = [
        segment(1, 1, 1, ("0", "1/3"), state="paused", objective=0.2, by_rung={"1/3": 0.2}),
        segment(2, 1, 1, ("1/3", "1"), state="complete", objective=0.6, by_rung={"1/3": 0.2, "1": 0.6}),
    ]
    third = [segment(3, 2, 2, ("0", "1/3"), state="paused", objective=0.1, by_rung={"1/3": 0.1})]
    paths = []
    for number, own in enumerate((first, second, third)):
        paths.append(folder / sweep / "jobs" / f"{number:04d}.json")
        content = job_of(number, own)
        write_json(paths[-1], content | {"segments": [one | {"sweep": sweep} for one in own], "sweep": sweep})
    return paths


@pytest.fixture
def chosen() -> Study:
    space = {"learning_rate": {"type": "real", "low": 0.005, "high": 0.05, "scale": "log"}}
    compared = {"slots": [1], "repeats": 1, "trials": 2}
    return study(search={"space": space, **RUNGS, "comparison": compared}, training={"steps": 12})


def test_trainings_are_read_from_the_files_of_jobs(tmp_path: Path) -> None:
    found = read_trials(jobs(tmp_path))
    assert [(one.number, one.state, one.objective, one.seconds, one.gpu_seconds) for one in found] == [
        *((0, "complete", 0.4, 3.0, 6.0), (1, "complete", 0.6, 3.0, 6.0), (2, "paused", 0.1, 1.0, 2.0))
    ]
    assert [len(one.segments) for one in found] == [1, 2, 1]
    assert [span.cost for span in found[1].spans] == pytest.approx([1 / 3, 2 / 3])


def test_the_course_is_of_segments_and_the_cost_of_all(tmp_path: Path, chosen: Study, monkeypatch: Any) -> None:
    given = files(trials=jobs(tmp_path), default=record(tmp_path / "default.json", 0, objective=0.4))
    drawn, drawing = handed(monkeypatch, search, "draw_search", chosen, given)
    assert drawn.trainings == (0, 1, 1, 2)
    assert [bar.state for bar in drawn.trials] == ["complete", "paused", "complete", "paused"]
    assert drawing.words.startswith("3 trainings (1 paused, 1 promoted), 2.3 full spent, slots ")
    assert drawing.cost == {"seconds": 7.0, "gpu_seconds": 14.0}
    assert drawing.trials == [0, 1, 2]
    columns = drawing.table.columns
    rows = [dict(zip(columns, row, strict=True)) for row in drawing.table.rows]
    assert columns[-3:] == ("job", "since", "until")
    said = [(row["trial"], row["state"], row["job"], str(row["since"]), str(row["until"])) for row in rows[:-1]]
    assert said == [
        *((0, "complete", 0, "0", "1"), (1, "paused", 1, "0", "1/3")),
        *((1, "complete", 1, "1/3", "1"), (2, "paused", 2, "0", "1/3")),
    ]
    assert [row["best"] for row in rows[:-1]] == [0.4, 0.4, 0.6, 0.6]
    assert (rows[-1]["objective"], rows[-1]["job"]) == (0.4, None)


def test_what_was_trained_again_stands_beside_the_end_of_its_training(
    tmp_path: Path, chosen: Study, monkeypatch: Any
) -> None:
    again = tmp_path / "confirm" / "trials" / "0002.json"
    told = segment(4, 0, 1, ("0", "1"), state="complete", objective=0.5)
    content = {key: value for key, value in told.items() if key != "segment"} | {"sweep": "confirm", "number": 2}
    write_json(again, content | {"confirms": {"trial": 1, "seed": 1}})
    given = files(trials=jobs(tmp_path), confirm=again)
    drawn, _ = handed(monkeypatch, search, "draw_search", chosen, given)
    assert drawn.confirmed == {2: (0.6, 0.5)}, "the third segment is the end of training 1"


def test_what_was_learnt_is_of_the_last_rung_and_the_end(tmp_path: Path, chosen: Study, monkeypatch: Any) -> None:
    drawn, drawing = handed(monkeypatch, learnt, "draw_learnt", chosen, files(trials=jobs(tmp_path)))
    (parameter,) = drawn.parameters
    assert parameter.values == RATES
    assert parameter.objectives == pytest.approx((0.4, 0.6, 0.1 + 0.25)), "moved by the median of 0.1 and 0.4"
    assert parameter.complete == (True, True, False)
    assert drawn.hollow == "paused at the last rung, moved by the median step from there to the end"
    assert drawing.cost == {"seconds": 7.0, "gpu_seconds": 14.0}


TABLE = """\
sweep,sampler,slots,repeat,finished,seconds,best,trial,state,objective,start,began,host,device,threads,job,since,until
n1-r0,bayesian,1,0,1,3.0,0.4,0,complete,0.4,0.0,2026-01-01T12:00:00.000+00:00,node1,cuda,2,0,0,1
n1-r0,bayesian,1,0,2,11.0,0.4,1,paused,0.2,10.0,2026-01-01T12:00:00.000+00:00,node1,cuda,2,1,0,1/3
n1-r0,bayesian,1,0,3,22.0,0.6,1,complete,0.6,20.0,2026-01-01T12:00:00.000+00:00,node1,cuda,2,1,1/3,1
n1-r0,bayesian,1,0,4,31.0,0.6,2,paused,0.1,30.0,2026-01-01T12:00:00.000+00:00,node1,cuda,2,2,0,1/3
"""


def test_compared_sweeps_count_full_trainings(tmp_path: Path, chosen: Study, monkeypatch: Any) -> None:
    given = files(trials=jobs(tmp_path, "n1-r0"))
    drawn, drawing = handed(monkeypatch, comparison, "draw_comparison", chosen, given)
    assert table_text(drawing.table.columns, drawing.table.rows) == TABLE
    assert "of 2 trainings where all have one" in drawn.notes[0]
    assert drawn.notes[1] == "Where trainings pause at rungs, their segments count by their shares of a full training."
    (group,) = drawn.groups
    assert group.by_trials.at.tolist() == pytest.approx([1, 4 / 3, 2, 7 / 3])
    assert comparison.draw(chosen, given).table == drawing.table
