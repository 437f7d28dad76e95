"""Compared sweeps: the table worked by hand, what is said of them, and a study that has no default."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.core.tables import table_text
from hakken.figures import Files, comparison
from hakken.figures.comparison import draw
from hakken.plots.comparison import ComparisonInput
from hakken.study import Study

from ..miniature import study
from .made import files, record, trial


def at(second: float) -> str:
    minutes, seconds = divmod(second, 60)
    return f"2026-01-01T12:{int(minutes):02d}:{seconds:06.3f}+00:00"


@pytest.fixture
def compared() -> Study:
    return study(search={"comparison": {"slots": [2], "repeats": 1, "trials": 3}})


@pytest.fixture
def given(tmp_path: Path) -> Files:
    """A sweep with two slots, in which a trial fails and one is pruned, and random search; the untuned default."""
    said: list[tuple[str, int, float, float, str, float | None]] = [
        ("n2-r0", 0, 0, 8, "complete", 0.5),
        ("n2-r0", 1, 1.5, 4, "failed", None),
        ("n2-r0", 2, 4.25, 10, "pruned", 0.9),
        ("random-r0", 0, 20, 23, "complete", 0.25),
    ]
    trials = [
        trial(tmp_path, number, sweep, start=at(start), end=at(end), state=state, objective=value)
        for sweep, number, start, end, state, value in said
    ]
    return files(trials=trials, default=record(tmp_path / "default.json", 0, objective=0.4))


TABLE = """\
sweep,sampler,slots,repeat,finished,seconds,best,trial,state,objective,start,began,host,device,threads
n2-r0,bayesian,2,0,1,4.0,,1,failed,,1.5,2026-01-01T12:00:00.000+00:00,host,cpu,1
n2-r0,bayesian,2,0,2,8.0,0.5,0,complete,0.5,0.0,2026-01-01T12:00:00.000+00:00,host,cpu,1
n2-r0,bayesian,2,0,3,10.0,0.5,2,pruned,0.9,4.25,2026-01-01T12:00:00.000+00:00,host,cpu,1
random-r0,random,2,0,1,3.0,0.25,0,complete,0.25,0.0,2026-01-01T12:00:20.000+00:00,host,cpu,1
default,,,,,,,,,0.4,,,,,
"""


def test_the_table_by_hand(compared: Study, given: Files) -> None:
    drawing = draw(compared, given)
    assert table_text(drawing.table.columns, drawing.table.rows) == TABLE


def test_trials_and_cost_are_those_of_all_sweeps(compared: Study, given: Files) -> None:
    drawing = draw(compared, given)
    assert drawing.trials == {"n2-r0": [0, 1, 2], "random-r0": [0]}
    assert drawing.cost == {"seconds": 8 + 2.5 + 5.75 + 3, "gpu_seconds": 8.0}
    assert drawing.words == "0.250 reached after: bayesian N = 2: 8.0 s, random N = 2: 3.0 s"


def drawn(study: Study, given: Files, monkeypatch: pytest.MonkeyPatch) -> ComparisonInput:
    """What is handed to the drawing."""
    seen: list[Any] = []
    monkeypatch.setattr(comparison, "draw_comparison", seen.append)
    draw(study, given)
    return seen[0]  # type: ignore[no-any-return]


def test_the_notes_say_what_was_averaged_and_where_it_ran(
    compared: Study, given: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = drawn(compared, given, monkeypatch)
    assert found.notes == (
        "Lines: best so far, mean over 1 repeat of 1 to 3 trainings where all have one; bands: lowest to highest "
        "repeat. Failed and pruned trainings count and take their time.",
        "Best of all 1 training of random search: 0.250.",
        "Ran on one machine: CPU, 1 thread a training.",
    )
    assert (found.default, found.sweeps[0].began + 20) == (0.4, found.sweeps[1].began)
    assert found.objective == "Best validation objective so far\n(partial AUC up to 10 FP/case)"


def test_the_notes_warn_of_sweeps_that_shared_a_machine(
    compared: Study, given: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial(tmp_path, 0, "random-r0", start=at(3), end=at(6), objective=0.2)
    other = trial(tmp_path, 1, "random-r0", start=at(6), end=at(7), host="two", device="cuda", threads=4, objective=0.1)
    found = drawn(compared, files(trials=[*given.all("trials"), other]), monkeypatch)
    assert found.notes[-1] == (
        "Ran on 2 machines: CPU and CUDA, 1 to 4 threads a training. Sweeps ran at the same time on one machine: their "
        "times are longer than those of one alone."
    )
    assert found.default is None


def test_without_the_default_there_is_no_row_of_it(compared: Study, given: Files) -> None:
    drawing = draw(compared, files(trials=given.all("trials")))
    assert {row[0] for row in drawing.table.rows} == {"n2-r0", "random-r0"}


def test_a_sweep_that_the_study_does_not_have_is_told(given: Files) -> None:
    with pytest.raises(HakkenError, match="study `balls` has no sweep `n2-r0`"):
        draw(study(), given)


def test_a_broken_trial_file_is_named(compared: Study, tmp_path: Path) -> None:
    path = tmp_path / "0000.json"
    path.write_text('{"number": 0}')
    with pytest.raises(
        HakkenError, match=r"0000\.json: not a finished trial \(KeyError\('state'\)\); delete it to redo"
    ):
        draw(compared, files(trials=[path]))
