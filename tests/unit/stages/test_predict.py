"""What models say of the cases of a part: the frozen ones alone of the test set, each fold's of its own cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.core.files import read_json, sha256_file
from hakken.imaging.prepared import load_prepared
from hakken.runs.cases import read_cases
from hakken.runs.learner import learner_of
from hakken.runs.model_file import load_model, save_model
from hakken.runs.predictions import part_of, read_predictions
from hakken.seal.freeze import write_sealed
from hakken.stages.predict import predict

from .. import miniature
from .vectors import checked, coin, model, study

pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    return checked(tmp_path / "cases" / "checked.json", ill="ab", well="cd")


def scores(folder: Path, cases: Path) -> dict[str, float]:
    return read_predictions(folder, "case_scores", part_of(study(), "case_scores", read_cases([cases])))


def test_a_model_says_something_of_every_case(tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model(tmp_path / "selected.pt")
    predict(study=study(), models=[path], cases=[cases], output=tmp_path / "said")
    trained = load_model(path)
    expected = {case.case_id: trained.predict(case, ("case_scores",))["case_scores"] for case in read_cases([cases])}
    assert scores(tmp_path / "said", cases) == expected
    assert min(expected[name] for name in "ab") > max(expected[name] for name in "cd")
    assert capsys.readouterr().err.startswith("[predict] said: 4 cases, ")


def test_each_fold_predicts_its_own_cases(tmp_path: Path, cases: Path) -> None:
    models = [model(tmp_path / f"selected-f{fold}.pt", middle) for fold, middle in enumerate((2.0, 5.0))]
    whose = [["a", "c"], ["b", "d"]]
    predict(study=study(), models=models, cases=[cases], whose=whose, output=tmp_path / "said")
    known = {case.case_id: case for case in read_cases([cases])}
    found = scores(tmp_path / "said", cases)
    for path, own in zip(models, whose, strict=True):
        trained = load_model(path)
        assert [found[name] for name in own] == [
            trained.predict(known[name], ("case_scores",))["case_scores"] for name in own
        ]


def test_a_model_that_is_not_the_chosen_one_is_refused(
    tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its record says which one that is, on validation as well."""
    path = model(tmp_path / "selected.pt")
    (tmp_path / "selected.json").write_text(json.dumps({"sha256": sha256_file(path)}))
    predict(study=study(), models=[path], cases=[cases], output=tmp_path / "said")
    model(path, 5.0)
    with pytest.raises(SystemExit):
        predict(study=study(), models=[path], cases=[cases], output=tmp_path / "said")
    reason = f"is not the model that {tmp_path}/selected.json was written for; delete both to choose it again"
    assert capsys.readouterr().err.endswith(f"error: {path}: {reason}\n")


def test_the_model_of_another_fold_does_not_predict(
    tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has learnt from these cases, whatever its file is called."""
    sweeps = ("search-f1", "search-f0")
    models = [model(tmp_path / f"selected-f{fold}.pt", sweep=sweep) for fold, sweep in enumerate(sweeps)]
    with pytest.raises(SystemExit):
        predict(study=study(), models=models, cases=[cases], whose=[["a", "c"], ["b", "d"]], output=tmp_path / "said")
    assert capsys.readouterr().err.endswith(
        f"error: {models[0]}: was trained as search-f1 and not without fold 0; delete it to choose it again\n"
    )


def test_a_baseline_is_predicted_as_a_model_is(tmp_path: Path, cases: Path) -> None:
    predict(study=study(), models=[coin(tmp_path / "toy_coin.pt")], cases=[cases], output=tmp_path / "said")
    assert all(0 <= score < 1 for score in scores(tmp_path / "said", cases).values())


def test_the_same_study_used_otherwise_is_what_counts(tmp_path: Path) -> None:
    """The model is the one that was trained; how it is used on a case is for the study of now to say."""
    learner: Any = learner_of(miniature.study())
    torch.manual_seed(0)
    weights = {"network": learner.networks()["network"].state_dict()}
    save_model(tmp_path / "m.pt", weights, {}, study=miniature.study(), metadata={})
    miniature.prepare_case(tmp_path / "cases", "a", [(8, 9, 10)])
    counts = []
    for most in (100, 1):
        chosen = miniature.study(inference={"maximum_candidates": most})
        predict(study=chosen, models=[tmp_path / "m.pt"], cases=[tmp_path / "cases"], output=tmp_path / str(most))
        part = part_of(chosen, "candidates", read_cases([tmp_path / "cases"]))
        counts.append(len(read_predictions(tmp_path / str(most), "candidates", part)["a"]))
    assert counts[0] > counts[1] == 1


def test_channels_that_are_not_those_of_the_training_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learner: Any = learner_of(miniature.study())
    weights = {"network": learner.networks()["network"].state_dict()}
    save_model(tmp_path / "m.pt", weights, {}, study=miniature.study(), metadata={})
    shape = miniature.GEOMETRY.shape_zyx
    miniature.save_case(tmp_path / "cases", "a", np.zeros((2, *shape)), channels=("B", "A"))
    assert load_prepared(tmp_path / "cases", "a").channels == ("B", "A")
    with pytest.raises(SystemExit) as ended:
        predict(study=miniature.study(), models=[tmp_path / "m.pt"], cases=[tmp_path / "cases"], output=tmp_path / "s")
    assert ended.value.code == 2
    said = "error: case a: has the channels B, A, the model was trained on A, B\n"
    assert capsys.readouterr().err.endswith(said)


def test_only_the_frozen_model_may_see_the_test_set(
    tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, freeze = model(tmp_path / "selected.pt"), tmp_path / "freeze.json"
    given: dict[str, Any] = {"study": study(), "models": [path], "cases": [cases], "freeze": freeze}
    write_sealed(freeze, {"models": {"selected": {"sha256": "0" * 64}, "other": {"sha256": sha256_file(path)}}})
    with pytest.raises(SystemExit) as ended:
        predict(**given, output=tmp_path / "said")
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"[predict] error: {path}: is not the model that {freeze} names; delete {freeze} to freeze this one\n"
    )
    assert not (tmp_path / "said").exists()
    write_sealed(freeze, {"models": {"selected": {"sha256": sha256_file(path)}}})
    predict(**given, output=tmp_path / "said")
    assert (tmp_path / "said" / "manifest.json").is_file()


def test_a_model_that_the_freeze_does_not_name_is_refused(tmp_path: Path, cases: Path) -> None:
    freeze = tmp_path / "freeze.json"
    write_sealed(freeze, {"models": {"default": {"sha256": "0"}}})
    with pytest.raises(SystemExit):
        predict(
            study=study(), models=[model(tmp_path / "late.pt")], cases=[cases], freeze=freeze, output=tmp_path / "s"
        )


def test_crossed_the_frozen_plan_names_no_models(tmp_path: Path, cases: Path) -> None:
    write_sealed(tmp_path / "freeze.json", {"models": {}})
    given: dict[str, Any] = {"models": [model(tmp_path / "m.pt")], "cases": [cases], "freeze": tmp_path / "freeze.json"}
    predict(study=study(), **given, output=tmp_path / "said")
    assert len(scores(tmp_path / "said", cases)) == 4


def test_only_outcomes_that_all_models_know_are_written(tmp_path: Path) -> None:
    """A baseline says nothing of what it does not know."""
    chosen = miniature.study(
        miniature.without("parameters", "search", "channels", "patches"),
        method="expectation",
        channels={"A": {"modality": "ct"}, "B": {"modality": "pet", "target": True}},
        patches={"axes": 2, "size_voxel": 16},
    )
    save_model(tmp_path / "b.pt", {}, {"share": 0.5}, study=chosen, metadata={}, baseline="brightest_components")
    miniature.prepare_case(tmp_path / "cases", "a", [(8, 9, 10)])
    predict(study=chosen, models=[tmp_path / "b.pt"], cases=[tmp_path / "cases"], output=tmp_path / "said")
    assert read_json(tmp_path / "said" / "manifest.json")["outcomes"] == ["candidates"]


def test_a_model_that_says_nothing_of_the_study_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = miniature.study()
    save_model(tmp_path / "b.pt", {}, {}, study=chosen, metadata={}, baseline="toy_coin")
    miniature.prepare_case(tmp_path / "cases", "a", [])
    with pytest.raises(SystemExit):
        predict(study=chosen, models=[tmp_path / "b.pt"], cases=[tmp_path / "cases"], output=tmp_path / "said")
    assert f"error: {tmp_path}/b.pt: says nothing of candidates\n" in capsys.readouterr().err


def test_a_study_without_cases_is_predicted_once(tmp_path: Path) -> None:
    content = {"name": "records", "seed": 4, "method": "toy_integral", "cohort": {"kind": "none"}}
    chosen = miniature.parse_study(content)
    save_model(tmp_path / "m.pt", {}, {"area": 0.75, "points": 9}, study=chosen, metadata={})
    predict(study=chosen, models=[tmp_path / "m.pt"], cases=[], output=tmp_path / "said")
    assert read_json(tmp_path / "said" / "manifest.json")["cases"] == ["drawn"]
