"""The course of a search and what it learnt, from the records of its trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.figures import learnt, search
from hakken.search import Space
from hakken.study import Study

from ..miniature import study
from .made import files, handed, record, trial

SPACE = {
    "learning_rate": {"type": "real", "low": 1e-5, "high": 1e-1, "scale": "log"},
    "convolutions": {"type": "integer", "low": 2, "high": 3},
    "growth": {"type": "real", "low": 1, "high": 2},
}


@pytest.fixture
def chosen() -> Study:
    return study(search={"trials": 8, "slots": 2, "space": SPACE}, parameters={"growth": 1.0})


def write(folder: Path, chosen: Study, number: int, sweep: str = "search", **more: Any) -> Path:
    """A trial with the study's own parameters but for the learning rate; number 2 fails."""
    rng = np.random.default_rng(number)
    defaults = chosen.parameters.model_dump()
    own = {name: defaults[name] for name in Space.from_mapping(SPACE).active(defaults)}
    failed = number == 2
    said: dict[str, Any] = {
        "state": "failed" if failed else "complete",
        "objective": None if failed else float(rng.random()),
    }
    said["parameters"] = own | {"learning_rate": float(10 ** rng.uniform(-5, -1))}
    return trial(folder, number, sweep, **said | more)


def test_every_trial_is_on_the_course_and_in_the_table(tmp_path: Path, chosen: Study, monkeypatch: Any) -> None:
    trials = [write(tmp_path, chosen, number) for number in range(8)]
    given = files(trials=trials, default=record(tmp_path / "default.json", 0, objective=0.25))
    drawn, drawing = handed(monkeypatch, search, "draw_search", chosen, given)
    assert [bar.number for bar in drawn.trials] == list(range(8))
    assert (drawn.slots, drawn.default, drawn.objective) == (
        *(2, 0.25),
        "Validation objective\n(partial AUC up to 10 FP/case)",
    )
    assert drawing.trials == list(range(8))
    assert drawing.cost == {"seconds": 8 * 90.0, "gpu_seconds": 16.0}
    # Each takes a minute and a half and begins a minute after the one before: 12 of 2 * 8.5 minutes.
    assert drawing.words == f"8 trials, slots {100 * 12 / 17:.0f} % busy"
    rows = [dict(zip(drawing.table.columns, row, strict=True)) for row in drawing.table.rows]
    assert [row["trial"] for row in rows] == [*range(8), None]
    assert (rows[2]["state"], rows[2]["objective"], rows[2]["start"], rows[2]["seconds"]) == ("failed", None, 120, 210)
    assert rows[-1]["objective"] == 0.25


def test_crossed_each_fold_has_a_course_of_its_own(tmp_path: Path, chosen: Study, monkeypatch: Any) -> None:
    trials = [write(tmp_path, chosen, number, f"search-f{fold}") for fold in range(2) for number in range(2)]
    defaults = [record(tmp_path / f"default-f{fold}.json", 0, objective=0.2 + 0.2 * fold) for fold in range(2)]
    drawn, drawing = handed(monkeypatch, search, "draw_search", chosen, files(trials=trials, default=defaults))
    assert (drawn.folds, drawn.default) == ((0, 0, 1, 1), pytest.approx(0.3))
    assert drawing.trials == {"search-f0": [0, 1], "search-f1": [0, 1]}


def learn(monkeypatch: Any, chosen: Study, trials: Sequence[Path]) -> tuple[Any, Any]:
    drawn, drawing = handed(monkeypatch, learnt, "draw_learnt", chosen, files(trials=trials))
    return drawn, drawing


def test_what_was_learnt_is_of_the_trials_that_were_measured(tmp_path: Path, chosen: Study, monkeypatch: Any) -> None:
    drawn, drawing = learn(monkeypatch, chosen, [write(tmp_path, chosen, number) for number in range(8)])
    assert {parameter.name for parameter in drawn.parameters} == set(SPACE)
    assert all(len(parameter.values) == 7 for parameter in drawn.parameters)
    assert drawing.trials == list(range(8))
    rows = [dict(zip(drawing.table.columns, row, strict=True)) for row in drawing.table.rows]
    tried = [row for row in rows if (row["parameter"], row["what"]) == ("learning_rate", "trial")]
    assert len(tried) == 7
    assert drawn.best == max(row["objective"] for row in tried)


def test_the_best_value_at_a_border_is_told(tmp_path: Path, chosen: Study, monkeypatch: Any) -> None:
    trials = [write(tmp_path, chosen, 0, objective=1.5), *(write(tmp_path, chosen, number) for number in (1, 3))]
    _, drawing = learn(monkeypatch, chosen, trials)
    assert drawing.words == "best value at the border of: convolutions, growth"


def test_a_pruned_trial_is_not_the_best(tmp_path: Path, chosen: Study, monkeypatch: Any) -> None:
    inside = {"learning_rate": 0.001, "convolutions": 2, "growth": 1.5}
    space = chosen.search.space | {"convolutions": chosen.search.space["convolutions"].model_copy(update={"low": 1.0})}
    wider = chosen.model_copy(update={"search": chosen.search.model_copy(update={"space": space})})
    trials = [
        write(tmp_path, chosen, 0, parameters=inside),
        write(tmp_path, chosen, 1, state="pruned", objective=1.5),
    ]
    _, drawing = learn(monkeypatch, wider, trials)
    assert drawing.words == "best values inside their ranges"


def test_a_broken_trial_is_named(tmp_path: Path, chosen: Study) -> None:
    path = tmp_path / "0000.json"
    path.write_text('{"number": 0}')
    for figure in (search, learnt):
        with pytest.raises(HakkenError, match=r"0000\.json: not a finished trial"):
            figure.draw(chosen, files(trials=[path]))  # type: ignore[attr-defined]


def test_trials_that_were_trained_again_show_their_seeds(tmp_path: Path, chosen: Study, monkeypatch: Any) -> None:
    trials = [write(tmp_path, chosen, number, objective=0.1 * number) for number in (3, 4, 5)]
    further = [
        write(tmp_path, chosen, 10 + seed, "confirm", objective=value, confirms={"trial": 4, "seed": seed})
        for seed, value in ((1, 0.2), (2, 0.3))
    ]
    shared = tmp_path / "0013.json"  # of a job that took the training of another
    shared.write_text(further[0].read_text())
    drawn, drawing = handed(
        monkeypatch, search, "draw_search", chosen, files(trials=trials, confirm=[*further, shared])
    )
    assert drawn.confirmed == {1: (0.4, 0.2, 0.3)}
    assert drawing.cost["seconds"] == 5 * 90.0
    rows = [dict(zip(drawing.table.columns, row, strict=True)) for row in drawing.table.rows]
    assert [(row["sweep"], row["trial"], row["objective"]) for row in rows[3:]] == [
        ("confirm", 4, 0.2),
        ("confirm", 4, 0.3),
    ]
