"""What a figure was made from, and the trials that some figures draw."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file, sha256_json
from hakken.report.figure import Machine, TrialRecord, cost, digest, provenance, read_trials
from hakken.search.course import TimedTrial
from hakken.search.trial import Trial
from hakken.study import Study

from ..opened import freeze_of, opening_of

RECORD: dict[str, Any] = {
    "sweep": "search",
    "number": 3,
    "parameters": {"growth": 1.5},
    "state": "complete",
    "objective": 0.5,
    "start": "2026-01-01T00:00:00.000+00:00",
    "end": "2026-01-01T00:01:30.500+00:00",
    "gpu_seconds": 2.0,
    "host": "host",
    "device": "cuda",
    "threads": 4,
}
MIDNIGHT = 1767225600.0


def write(folder: Path, number: int, **changes: Any) -> Path:
    path = folder / f"{number:04d}.json"
    path.write_text(json.dumps(RECORD | {"number": number} | changes))
    return path


def test_a_trial_is_read(tmp_path: Path) -> None:
    (trial,) = read_trials([write(tmp_path, 3)])
    machine = Machine("host", "cuda", 4)
    times = (MIDNIGHT, MIDNIGHT + 90.5)
    assert trial == TrialRecord("search", 3, {"growth": 1.5}, "complete", 0.5, *times, 2.0, machine)
    assert trial.seconds == 90.5
    assert trial.timed == TimedTrial(3, "complete", 0.5, *times)
    assert trial.trial == Trial(3, {"growth": 1.5}, "complete", 0.5)


def test_trials_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    paths = [write(tmp_path, number) for number in (11, 2, 5)]
    assert [trial.number for trial in read_trials(paths)] == [2, 5, 11]


@pytest.mark.parametrize(
    ("changes", "objective"),
    [
        ({"state": "pruned"}, 0.5),
        ({"state": "failed"}, None),
        ({"objective": None}, None),
        ({"objective": float("nan")}, None),
    ],
)
def test_what_counts_as_an_objective(changes: dict[str, Any], objective: float | None, tmp_path: Path) -> None:
    (trial,) = read_trials([write(tmp_path, 0, **changes)])
    assert trial.objective == objective


@pytest.mark.parametrize("changes", [{"state": "running"}, {"start": "yesterday"}, {"threads": None}])
def test_what_is_no_finished_trial(changes: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path, 0, **changes)
    with pytest.raises(HakkenError) as caught:
        read_trials([path])
    assert str(caught.value).startswith(f"{path}: not a finished trial (")
    assert str(caught.value).endswith("); delete it to redo the trial")


def test_what_is_missing_in_a_trial_is_named(tmp_path: Path) -> None:
    path = tmp_path / "0000.json"
    path.write_text(json.dumps({key: value for key, value in RECORD.items() if key != "host"}))
    with pytest.raises(HakkenError) as caught:
        read_trials([path])
    assert str(caught.value) == f"{path}: not a finished trial (KeyError('host')); delete it to redo the trial"


def test_what_trials_have_cost(tmp_path: Path) -> None:
    trials = read_trials([write(tmp_path, number) for number in range(3)])
    assert cost(trials) == {"seconds": 271.5, "gpu_seconds": 6.0}
    assert cost([]) == {"seconds": 0, "gpu_seconds": 0}


def test_what_a_figure_was_made_from(study: Study, tmp_path: Path) -> None:
    table, folder = tmp_path / "cases.csv", tmp_path / "measured"
    table.write_text("case_id\n")
    folder.mkdir()
    (folder / "measurement.json").write_text("{}")
    opening = replace(opening_of(freeze_of(selected="aa")), number=1)
    found = provenance(
        study,
        figure="froc",
        inputs=[folder, table],
        code="c0de",
        opening=opening,
        trials=(7,),
        spent={"gpu_seconds": 1.5},
        warnings=["few"],
    )
    assert found == {
        "figure": "froc",
        "study": "example",
        "title": "Lesions & <others>",
        "scale": "tiny",
        "data": "phantom",
        "opening": {"number": 1, "begun": opening.begun, "hash": opening.hash},
        "trials": [7],
        "cost": {"gpu_seconds": 1.5},
        "warnings": ["few"],
        "hashes": {
            "drawn_study": sha256_json(study.model_dump(mode="json")),
            "code": "c0de",
            "inputs": {folder.as_posix(): digest(folder), table.as_posix(): sha256_file(table)},
        },
    }
    untitled = study.model_copy(update={"title": ""})
    several = provenance(untitled, figure="f", inputs=[], code="c", opening=None, trials={"n1-r0": (0, 1)})
    assert (several["title"], several["trials"], several["cost"]) == ("example", {"n1-r0": (0, 1)}, {})


def test_the_digest_of_a_folder_is_that_of_its_documents_and_tables(tmp_path: Path) -> None:
    for name in ("measurement.json", "masks.cases.csv", "case.npy"):
        (tmp_path / name).write_text(name)
    hashes = [f"{name} {sha256_file(tmp_path / name)}" for name in ("masks.cases.csv", "measurement.json")]
    before = digest(tmp_path)
    assert before == hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    (tmp_path / "masks.cases.csv").write_text("changed")  # what a figure draws stands in the tables
    assert digest(tmp_path) != before


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HakkenError) as caught:
        digest(tmp_path / "none.csv")
    assert str(caught.value) == f"{tmp_path}/none.csv: no such file; the figure needs it"
