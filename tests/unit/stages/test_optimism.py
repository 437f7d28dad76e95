"""The price of choosing the best: from the stored candidates of all complete trials."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.files import sha256_file
from hakken.imaging.lesions import Lesion
from hakken.imaging.prepared import PreparedCase, save_prepared
from hakken.stages.optimism import optimism
from hakken.study import Study
from hakken.core.volume import Geometry

GRID = Geometry((12, 12, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


@pytest.fixture
def study() -> Study:
    """A study of one channel."""
    space = {"dropout": {"type": "real", "low": 0, "high": 0.5}}
    return Study.model_validate(
        {
            "name": "example",
            "seed": 1,
            "cohort": {"table": "cases.csv"},
            "channels": {"T1": {"modality": "mr"}},
            "reference": "T1",
            "search": {"space": space},
        }
    )


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Two cases with a lesion each."""
    for name in "ab":
        lesion = Lesion(1, 4.0, 4.0, 4.0, 3.0, 14.0)
        case = PreparedCase(name, name, {}, ("T1",), GRID, GRID, {}, "0" * 64, True, (lesion,))
        image = np.zeros((1, *GRID.shape_zyx))
        save_prepared(tmp_path / "prepared", case, image, np.ones(GRID.shape_zyx), np.zeros(GRID.shape_zyx))
    return tmp_path / "prepared"


def trial(folder: Path, number: int, found: str, state: str = "complete") -> Path:
    """A trial that marks the lesion of the cases in ``found``."""
    table = folder / f"{number}.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case_id", "x", "y", "z", "score"])
        writer.writerows([case, 4, 4, 4, 0.5] for case in found)
    record: dict[str, Any] = {"number": number, "state": state, "objective": len(found) / 2}
    record["prediction"] = {"path": str(table), "sha256": sha256_file(table)} if state == "complete" else None
    path = folder / f"{number}.json"
    path.write_text(json.dumps(record))
    return path


def test_the_choice_among_complete_trials_is_repeated(prepared: Path, tmp_path: Path, study: Study) -> None:
    trials = [trial(tmp_path, 3, "", "failed"), trial(tmp_path, 4, "a"), trial(tmp_path, 6, "b")]
    optimism(study=study, trials=trials, prepared=[prepared], output=tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["chosen"], found["models"], found["naive"]["value"]) == (4, 2, 0.5)
    assert found["optimism"] == pytest.approx(0.25, abs=0.05)
    assert found["corrected"]["value"] == pytest.approx(0.5 - found["optimism"])
    assert found["max_fp"] == study.evaluation.maximum_fp


def test_changed_candidates_are_refused(
    prepared: Path, tmp_path: Path, study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    record = trial(tmp_path, 4, "a")
    (tmp_path / "4.csv").write_text("case_id,x,y,z,score\n")
    with pytest.raises(SystemExit):
        optimism(study=study, trials=[record], prepared=[prepared], output=tmp_path / "out.json")
    assert f"{tmp_path}/4.csv: missing or changed; delete the trial's JSON to redo it" in capsys.readouterr().err


def test_without_a_complete_trial_there_is_no_choice(
    prepared: Path, tmp_path: Path, study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        optimism(
            study=study, trials=[trial(tmp_path, 1, "", "failed")], prepared=[prepared], output=tmp_path / "out.json"
        )
    assert "none of the 1 trials finished; see logs/trial/" in capsys.readouterr().err
