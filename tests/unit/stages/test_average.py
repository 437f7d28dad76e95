"""Averages of the best trials: who is in them, what they reach, what they cost, and the choice that follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken import plugins
from hakken.core.files import read_json, sha256_file, write_json
from hakken.runs.cases import read_cases
from hakken.runs.learner import learner_of
from hakken.runs.model_file import load_model, save_model
from hakken.runs.predictions import part_of, read_predictions, write_predictions
from hakken.seal.freeze import read_sealed
from hakken.stages.average import average
from hakken.stages.optimism import optimism
from hakken.stages.select import select
from hakken.study import Study

from ..miniature import prepare_case, publish_trial, study


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an untrained network answer as a middling one does: lesions in noise that is its own."""

    def answer(self: Any, model: Any, case: Any) -> dict[str, Any]:
        own = sum(float(weight.detach().abs().sum()) for weight in model.networks["network"].parameters())
        noise = np.random.default_rng([round(own * 1e3), ord(case.case_id[-1])]).random(case.labels().shape)
        scores = (0.02 * (case.labels() > 0) + 0.9 * noise).astype(np.float32)
        return {"scores": scores, "lattice": np.array([(0, 0, 0), (1, 1, 1)])}

    monkeypatch.setattr("hakken.methods.patch_classifier.learn.Learner.answer", answer)


@pytest.fixture
def chosen() -> Study:
    return study(evaluation={"bootstrap": 100})


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    for name, places in (("v0", [(9, 9, 9), (13, 17, 15)]), ("v1", [(7, 16, 8)])):
        prepare_case(tmp_path / "cases", name, list(places))
    return tmp_path / "cases"


def trial(cases: Path, chosen: Study, number: int, objective: float) -> Path:
    """An untrained network that says what it says; the objective is made up, which decides the ranks."""
    folder, known = cases.parent / f"trial-{number}", read_cases([cases])
    torch.manual_seed(number)
    learner: Any = learner_of(chosen)
    model = learner.export(learner.networks()).eval()
    weights = {name: network.state_dict() for name, network in model.networks.items()}
    folder.mkdir()
    save_model(folder / "model.pt", weights, model.values, study=chosen, metadata={})
    said = {case.case_id: learner.predict(model, case, ("candidates",)) for case in known}
    digest = write_predictions(folder / "predictions", said, chosen, known, ("candidates",))
    record: dict[str, Any] = {
        "sweep": "search",
        "state": "complete",
        "objective": objective,
        "parameters": {},
        "seconds": 10.0 + number,
        "gpu_seconds": 0.0,
        "model": {"path": str(folder / "model.pt"), "sha256": sha256_file(folder / "model.pt")},
        "predictions": {"path": str(folder / "predictions"), "sha256": digest},
    }
    return publish_trial(cases.parent / "search", number, record)


@pytest.fixture
def trials(cases: Path, chosen: Study) -> list[Path]:
    return [trial(cases, chosen, number, value) for number, value in enumerate([-0.3, -0.1, -0.5, -0.2])]


@pytest.fixture
def folder(tmp_path: Path, cases: Path, chosen: Study, trials: list[Path]) -> Path:
    average(study=chosen, trials=trials, cases=[cases], output=tmp_path / "averages", up_to=3)
    return tmp_path / "averages"


def test_the_best_are_averaged_two_and_three_at_a_time(
    folder: Path, cases: Path, chosen: Study, tmp_path: Path
) -> None:
    content = read_sealed(folder / "averages.json", "")
    two, three = content["averages"]
    assert [one["number"] for one in two["members"]] == [1, 3]
    assert [(one["number"], one["seed"], one["seconds"]) for one in three["members"]] == [
        *((1, 0, 11.0), (3, 0, 13.0), (0, 0, 10.0))
    ]
    assert [one["sha256"] for one in two["members"]] == [
        sha256_file(tmp_path / f"trial-{number}" / "model.pt") for number in (1, 3)
    ]
    assert all(one["seconds_per_case"] >= 0 for one in (content, two, three))
    known = read_cases([cases])
    part = part_of(chosen, "candidates", known)
    for one in (two, three):
        assert sha256_file(Path(one["model"]["path"])) == one["model"]["sha256"]
        found = read_predictions(Path(one["predictions"]["path"]), "candidates", part)
        assert plugins.load("outcomes", "candidates").objective(found, part) == one["objective"]
        said = load_model(Path(one["model"]["path"])).predict(known[0], ("candidates",))["candidates"]
        assert found[known[0].case_id].score.tolist() == said.score.tolist()
    assert two["objective"] != three["objective"]


def test_the_better_average_is_kept_with_all_that_was_tried(folder: Path, trials: list[Path], tmp_path: Path) -> None:
    select(trials=trials, averages=folder, model=tmp_path / "selected.pt", record=tmp_path / "selected.json")
    found, tried = read_json(tmp_path / "selected.json"), read_json(folder / "averages.json")["averages"]
    best = max(tried, key=lambda one: one["objective"])
    assert found["sha256"] == best["model"]["sha256"] == sha256_file(tmp_path / "selected.pt")
    assert found["objective"] == best["objective"]
    assert found["trial"]["number"] == 1
    assert found["ensemble"]["members"] == best["members"]
    assert [(one["size"], one["objective"]) for one in found["ensemble"]["tried"]] == [
        *((1, -0.1), (2, tried[0]["objective"]), (3, tried[1]["objective"]))
    ]


def test_one_trial_has_no_average_and_is_kept(cases: Path, chosen: Study, tmp_path: Path) -> None:
    alone = [trial(cases, chosen, 0, 0.4)]
    average(study=chosen, trials=alone, cases=[cases], output=tmp_path / "averages", up_to=3)
    select(
        trials=alone, averages=tmp_path / "averages", model=tmp_path / "selected.pt", record=tmp_path / "selected.json"
    )
    assert "ensemble" not in read_json(tmp_path / "selected.json")


def test_the_choice_among_trials_and_averages_is_repeated(
    folder: Path, cases: Path, chosen: Study, trials: list[Path], tmp_path: Path
) -> None:
    optimism(study=chosen, trials=trials, averages=folder, cases=[cases], output=tmp_path / "optimism.json")
    found = read_json(tmp_path / "optimism.json")
    assert (found["models"], found["averages"]) == (6, 2)
    # Here the objectives are those of what is predicted, and not made up.
    part = part_of(chosen, "candidates", read_cases([cases]))
    objective = plugins.load("outcomes", "candidates").objective
    folders = [tmp_path / f"trial-{number}" / "predictions" for number in range(4)]
    alone = [objective(read_predictions(one, "candidates", part), part) for one in folders]
    tried = [one["objective"] for one in read_json(folder / "averages.json")["averages"]]
    assert found["naive"]["value"] == pytest.approx(max([*alone, *tried]))
    assert found["size"] == (1 if max(alone) >= max(tried) else 2 + tried.index(max(tried)))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "2/model.pt").write_bytes(b"other"), "2/model.pt: missing or changed; delete the "),
        (
            lambda folder: write_json(
                folder / "averages.json", read_json(folder / "averages.json") | {"seconds_per_case": 0.0}
            ),
            "averages.json: was changed since it was written; delete the folder to average again",
        ),
    ],
)
def test_averages_that_were_changed_are_refused(  # noqa: PLR0917
    harm: Any, said: str, folder: Path, trials: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(folder)
    with pytest.raises(SystemExit):
        select(trials=trials, averages=folder, model=tmp_path / "selected.pt", record=tmp_path / "selected.json")
    assert said in capsys.readouterr().err
