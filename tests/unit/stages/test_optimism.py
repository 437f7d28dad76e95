"""The price of choosing the best: from the stored predictions of all complete trials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.files import read_json, sha256_file
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion
from hakken.inference.candidates import Candidates
from hakken.runs.cases import read_cases
from hakken.runs.predictions import write_predictions
from hakken.stages.optimism import optimism
from hakken.study import Study

from ..miniature import publish_trial, save_case, study

GRID = Geometry((12, 12, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


@pytest.fixture
def chosen() -> Study:
    return study(evaluation={"bootstrap": 1000})


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Two cases with a lesion each."""
    shape = GRID.shape_zyx
    for name in "ab":
        lesions = (Lesion(1, 4.0, 4.0, 4.0, 3.0, 14.0),)
        save_case(
            tmp_path / "cases", name, np.zeros((2, *shape)), geometry=GRID, labels=np.zeros(shape), lesions=lesions
        )
    return tmp_path / "cases"


def trial(  # noqa: PLR0917
    cases: Path, chosen: Study, number: int, found: str, state: str = "complete", sweep: str = "search", **more: Any
) -> Path:
    """A trial that marks the lesion of the cases in ``found``."""
    known, folder = read_cases([cases]), cases.parent / str(number)
    mark = Candidates(np.full((1, 3), 4.0), np.array([0.5]), np.ones(1), np.full((1, 3), 4.0), np.ones(1, np.int64))
    none = Candidates(np.zeros((0, 3)), np.zeros(0), np.zeros(0), np.zeros((0, 3)), np.zeros(0, np.int64))
    said = {case.case_id: {"candidates": mark if case.case_id in found else none} for case in known}
    record: dict[str, Any] = {"sweep": sweep, "state": state, "objective": len(found) / 2, "parameters": {}} | more
    if state == "complete":
        digest = write_predictions(folder, said, chosen, known, ("candidates",))
        record["predictions"] = {"path": str(folder), "sha256": digest}
    return publish_trial(cases.parent / sweep, number, record)


def test_the_choice_among_complete_trials_is_repeated(
    cases: Path, tmp_path: Path, chosen: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [(3, "", "failed"), (4, "a", "complete"), (6, "b", "complete")]
    trials = [trial(cases, chosen, *one) for one in given]
    optimism(study=chosen, trials=trials, cases=[cases], output=tmp_path / "out.json")
    found = read_json(tmp_path / "out.json")
    assert (found["chosen"], found["models"], found["naive"]["value"]) == (4, 2, 0.5)
    # Of both patients drawn, half of the resamples hold one twice: the better of two models is then 1, not 1/2.
    assert found["optimism"] == pytest.approx(0.25, abs=0.05)
    assert found["corrected"]["value"] == pytest.approx(0.5 - found["optimism"])
    assert found["objective"] == "partial AUC up to 10 FP/case"
    assert "best of 2 trials on validation: partial AUC up to 10 FP/case 0.500, " in capsys.readouterr().err


def test_the_price_of_one_trial_is_small(cases: Path, tmp_path: Path, chosen: Study) -> None:
    optimism(study=chosen, trials=[trial(cases, chosen, 7, "ab")], cases=[cases], output=tmp_path / "out.json")
    found = read_json(tmp_path / "out.json")
    assert (found["chosen"], found["models"], found["again"], found["naive"]["value"]) == (7, 1, 1.0, 1.0)
    assert found["optimism"] == 0


def test_changed_predictions_are_refused(
    cases: Path, tmp_path: Path, chosen: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    record, table = trial(cases, chosen, 4, "a"), tmp_path / "4" / "candidates.csv"
    table.write_text(table.read_text().replace("0.5", "0.6"))
    with pytest.raises(SystemExit):
        optimism(study=chosen, trials=[record], cases=[cases], output=tmp_path / "out.json")
    assert f"{table}: missing or changed since it was predicted" in capsys.readouterr().err


def test_predictions_that_are_not_those_of_the_record_are_refused(
    cases: Path, tmp_path: Path, chosen: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    record, manifest = trial(cases, chosen, 4, "a"), tmp_path / "4" / "manifest.json"
    content = read_json(manifest)
    content["files"]["candidates.csv"] = sha256_file(tmp_path / "4" / "candidates.csv")
    manifest.write_text(json.dumps(content | {"hakken": "9"}))
    with pytest.raises(SystemExit):
        optimism(study=chosen, trials=[record], cases=[cases], output=tmp_path / "out.json")
    assert f"{manifest}: missing or changed; delete the trial's JSON to redo it" in capsys.readouterr().err


def test_without_a_complete_trial_there_is_no_choice(
    cases: Path, tmp_path: Path, chosen: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        optimism(
            study=chosen, trials=[trial(cases, chosen, 1, "", "failed")], cases=[cases], output=tmp_path / "o.json"
        )
    assert "none of the 1 trials finished; see logs/trial/" in capsys.readouterr().err


def test_the_choice_by_the_mean_over_seeds_is_repeated(
    cases: Path, tmp_path: Path, chosen: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [trial(cases, chosen, 0, "ab"), trial(cases, chosen, 1, "a"), trial(cases, chosen, 2, "")]
    further = [
        trial(cases, chosen, number, found, sweep="confirm", confirms={"trial": of, "seed": seed})
        for number, found, of, seed in [(20, "", 0, 1), (21, "", 0, 2), (22, "a", 1, 1), (23, "a", 1, 2)]
    ]
    optimism(study=chosen, trials=trials, confirmations=further, confirm=2, cases=[cases], output=tmp_path / "out.json")
    found = read_json(tmp_path / "out.json")
    # Trial 0 finds both lesions once and none twice: 1/3. Trial 1 finds that of case a each time: 1/2.
    assert (found["chosen"], found["models"], found["confirmed"], found["trainings"]) == (1, 3, 2, 3)
    assert found["naive"]["value"] == 0.5
    # Of cases aa trial 1 is worth 1, of ab 1/2. Of bb trial 0 is chosen, for 1/3, which is what it is worth.
    assert found["optimism"] == pytest.approx(0.125, abs=0.03)
    assert found["again"] == pytest.approx(0.75, abs=0.05)
    said = capsys.readouterr().err
    assert "best of 3 trials on validation, of the best 2 by the mean over seeds: partial AUC" in said
