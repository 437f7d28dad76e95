"""What a model says of a part, measured: with points that are chosen here, frozen, or chosen by each fold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.files import read_json
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.inference.candidates import Candidates
from hakken.runs.cases import read_cases
from hakken.runs.measurement import Measurement, read_measurement, table_of
from hakken.runs.predictions import manifest_digest, read_predictions, write_predictions
from hakken.seal.freeze import write_sealed
from hakken.stages.measure import measure

from .. import miniature
from .vectors import checked, said, study

pytestmark = pytest.mark.usefixtures("toys")


def marked(case: PreparedCase, score: float) -> Candidates:
    """One candidate where the lesion of a case is."""
    voxel = np.array([[8.0, 9, 10]])
    return Candidates(case.geometry.to_world(voxel), np.array([score]), np.ones(1), voxel)


SCORES = {"a": 0.9, "b": 0.5, "c": 0.4, "d": 0.1}  # a and b are ill


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    return checked(tmp_path / "cases" / "checked.json", ill="ab", well="cd")


def measured(
    folder: Path, cases: Path, scores: Mapping[str, float] = SCORES, part: str = "validation", **more: Any
) -> Measurement:
    """Measure the scores as the workflow does, and return what was written."""
    predictions = said(folder / f"said-{part}", scores, read_cases([cases]))  # type: ignore[arg-type]
    output = folder / f"measured-{part}"
    measure(study=study(), predictions=predictions, cases=[cases], model="selected", part=part, output=output, **more)
    return read_measurement(output)


def test_what_was_measured_says_of_what(tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(tmp_path, cases)
    assert (found.study, found.scale, found.model, found.part, found.objective) == (
        *("vectors", "paper", "selected", "validation"),
        "case_scores",
    )
    assert found.hashes == {"predictions": manifest_digest(tmp_path / "said-validation")}
    assert found.main.objective is not None
    assert (found.main.objective.value, found.folds) == (1.0, ())
    assert found.main.point == {"chosen_by": "youden", "threshold": 0.5}
    assert capsys.readouterr().err == (
        "[measure] selected on validation: 4 cases, 2 abnormal, 2 normal, 4 patients, AUC of the cases "
        f"{found.main.objective.cell}\n"
    )


def test_the_frozen_point_is_used_as_it_is(tmp_path: Path, cases: Path) -> None:
    freeze = tmp_path / "freeze.json"
    point = {"chosen_by": "youden", "threshold": 0.45}
    write_sealed(freeze, {"models": {"selected": {"points": {"case_scores": point}}}})
    found = measured(tmp_path, cases, SCORES | {"b": 0.42, "c": 0.46}, "test", points=freeze)
    assert found.main.point == point
    assert [row.value for row in found.rows[1:3]] == [0.5, 0.5]
    assert found.main.details["operating_point"]["chosen"] == "elsewhere"


def test_a_model_that_was_not_frozen_is_told(tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sealed(tmp_path / "freeze.json", {"models": {"default": {"points": {}}, "other": {"points": {}}}})
    with pytest.raises(SystemExit):
        measured(tmp_path, cases, points=tmp_path / "freeze.json")
    said = f"error: {tmp_path}/freeze.json: holds no model `selected`, only default, other\n"
    assert capsys.readouterr().err.endswith(said)


FOLDS = {"a": 0, "c": 0, "b": 1, "d": 1}


def test_each_fold_is_measured_by_itself_and_all_together_at_the_points_of_the_folds(
    tmp_path: Path, cases: Path
) -> None:
    found = measured(tmp_path, cases, folds=FOLDS)
    assert [fold["case_scores"].point for fold in found.folds] == [
        {"chosen_by": "youden", "threshold": 0.9},
        {"chosen_by": "youden", "threshold": 0.5},
    ]
    assert [fold["case_scores"].counts["cases"] for fold in found.folds] == [2, 2]
    assert found.main.counts["cases"] == 4
    table = table_of(tmp_path / "measured-validation", "case_scores", "cases", ("case_id", "called"))
    assert dict(zip(table.text("case_id"), table.text("called"), strict=True)) == {
        "a": "1",
        "b": "1",
        "c": "0",
        "d": "0",
    }


def test_the_points_that_each_fold_has_chosen_are_those_of_its_test_cases(tmp_path: Path, cases: Path) -> None:
    """On validation the model of fold 0 chooses 0.9, that of fold 1 chooses 0.5; on test they have other cases."""
    measured(tmp_path, cases, folds=FOLDS)
    points = tmp_path / "measured-validation"
    tested = {"a": 1, "c": 1, "b": 0, "d": 0}
    found = measured(tmp_path, cases, SCORES | {"b": 0.8}, "test", folds=tested, points=points)
    assert [fold["case_scores"].point["threshold"] for fold in found.folds] == [0.9, 0.5]  # type: ignore[index]
    table = table_of(tmp_path / "measured-test", "case_scores", "cases", ("case_id", "called"))
    # b has 0.8 and is judged at 0.9; a has 0.9 and is judged at 0.5.
    assert dict(zip(table.text("case_id"), table.text("called"), strict=True)) == {
        "a": "1",
        "b": "0",
        "c": "0",
        "d": "0",
    }
    assert [row.value for row in found.rows[1:3]] == [0.5, 1.0]


def test_a_fold_that_could_choose_no_point_is_told(
    tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured(tmp_path, cases, folds={"a": 0, "c": 0, "d": 0, "b": 1})  # fold 1 has chosen on b alone
    with pytest.raises(SystemExit):
        measured(tmp_path, cases, part="test", folds=FOLDS, points=tmp_path / "measured-validation")
    said = (
        f"error: {tmp_path}/measured-validation: fold 1 has no operating point for case_scores: the cases that it "
        "chooses on are all of one kind, or nothing is found in them; lower evaluation.folds\n"
    )
    assert capsys.readouterr().err.endswith(said)


def test_a_part_of_one_kind_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = checked(tmp_path / "checked.json", ill="ab", well="")
    with pytest.raises(SystemExit) as ended:
        measured(tmp_path, cases, {"a": 0.9, "b": 0.5}, "test")
    assert ended.value.code == 2
    said = "the part `test` has no case without lesions; specificity is measured on these"
    assert said in capsys.readouterr().err
    assert not (tmp_path / "measured-test").exists()


def test_changed_predictions_are_refused(tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = said(tmp_path / "said", SCORES, read_cases([cases]))  # type: ignore[arg-type]
    table = folder / "case_scores.csv"
    table.write_text(table.read_text().replace("0.9", "0.2"))
    with pytest.raises(SystemExit):
        measure(study=study(), predictions=folder, cases=[cases], model="m", part="test", output=tmp_path / "out")
    assert f"{table}: missing or changed since it was predicted; delete the folder" in capsys.readouterr().err


def test_warnings_are_written_down_and_logged(tmp_path: Path, cases: Path) -> None:
    found = measured(tmp_path, cases, log=tmp_path / "log")
    assert found.warnings
    log = (tmp_path / "log").read_text()
    assert all(f"warning: {line}" in log for line in found.warnings)


def test_outcomes_are_measured_in_the_order_of_the_study_and_one_may_ask_for_the_threshold_of_another(
    tmp_path: Path,
) -> None:
    """The candidates' threshold is that of the cases, which are measured first because they are maximised."""
    chosen = miniature.study(
        miniature.without("parameters", "search"),
        method="autoencoder",
        parameters={"patch_size": 8},
        outcomes={"candidates": {"operating_point": "case_scores"}, "case_scores": {}},
        evaluation={"objective": "case_scores", "bootstrap": 100, "strata": []},
    )
    cases = [miniature.prepare_case(tmp_path / "cases", name, places) for name, places in
             (("a", [(8, 9, 10)]), ("b", [(8, 9, 10)]), ("c", []))]  # fmt: skip
    found = {}
    for case, score in zip(cases, (0.9, 0.5, 0.4), strict=True):
        found[case.case_id] = {"case_scores": score, "candidates": marked(case, score)}
    write_predictions(tmp_path / "said", found, chosen, cases, ("candidates", "case_scores"))
    measure(
        study=chosen, predictions=tmp_path / "said", cases=[tmp_path / "cases"], model="selected", part="validation",
        output=tmp_path / "out",
    )  # fmt: skip
    content = read_json(tmp_path / "out" / "measurement.json")
    assert list(content["outcomes"]) == ["candidates", "case_scores"]
    assert content["outcomes"]["candidates"]["point"]["threshold"] == 0.5
    assert next(row.name for row in read_measurement(tmp_path / "out").rows) == "AUC of the cases"


def test_predictions_are_read_once_whatever_is_made_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealed, measured as a whole and by its folds."""
    chosen = miniature.study(evaluation={"bootstrap": 100, "strata": []})
    cases = [miniature.prepare_case(tmp_path / "cases", name, [(8, 9, 10)]) for name in "abcd"]
    marks = {case.case_id: marked(case, 0.9 - 0.1 * number) for number, case in enumerate(cases)}
    found = {name: {"candidates": one} for name, one in marks.items()}
    write_predictions(tmp_path / "said", found, chosen, cases, ("candidates",))
    asked: list[str] = []
    monkeypatch.setattr(
        "hakken.stages.measure.read_predictions",
        lambda folder, name, part: asked.append(name) or read_predictions(folder, name, part),
    )
    measure(
        study=chosen, predictions=tmp_path / "said", cases=[tmp_path / "cases"], model="selected", part="validation",
        output=tmp_path / "out", folds={"a": 0, "b": 1, "c": 0, "d": 1},
    )  # fmt: skip
    assert asked == ["candidates"]
    folds = read_measurement(tmp_path / "out").folds
    assert [fold["candidates"].counts["cases"] for fold in folds] == [2, 2]
    assert [fold["candidates"].point["threshold"] for fold in folds] == [0.7, 0.6]  # type: ignore[index]


def test_cases_without_an_optional_channel_are_counted_and_measured_apart(tmp_path: Path) -> None:
    """The lesions of a and b are found at 0.9 and 0.8; c and d lack B, and one of their two lesions is not found."""
    chosen = miniature.study(
        channels={"A": {"modality": "mr"}, "B": {"modality": "mr", "optional": True}},
        evaluation={"bootstrap": 100, "strata": []},
        outcomes={"candidates": {"operating_point": 1.0}},
    )
    image = np.zeros((3, *miniature.GEOMETRY.shape_zyx))
    lesion = Lesion(1, *miniature.GEOMETRY.to_world([(8, 9, 10)])[0].tolist(), 7.5, 200.0)
    cases = [
        miniature.save_case(
            tmp_path / "cases", name, image, channels=chosen.layers, labels=image[0], lesions=(lesion,),
            optional={"B": name in "ab"},
        )
        for name in "abcd"
    ]  # fmt: skip
    marks = [marked(case, 0.9 - 0.1 * number) for number, case in enumerate(cases)]
    far = np.array([[1.0, 1, 1]])
    marks[3] = Candidates(cases[3].geometry.to_world(far), np.array([0.95]), np.ones(1), far)
    found = {case.case_id: {"candidates": one} for case, one in zip(cases, marks, strict=True)}
    write_predictions(tmp_path / "said", found, chosen, cases, ("candidates",))
    (tmp_path / "cases.csv").write_text(
        "case_id,patient,A,B,lesion_mask,scanner\na,a,x,x,none,1\nb,b,x,x,none,1\nc,c,x,,none,1\nd,d,x,,none,1\n"
    )
    for table in (None, tmp_path / "cases.csv"):
        measure(
            study=chosen, predictions=tmp_path / "said", cases=[tmp_path / "cases"], model="selected",
            part="validation", output=tmp_path / "out", table=table,
        )  # fmt: skip
        main = read_measurement(tmp_path / "out").main
        assert main.counts == {"cases": 4, "patients": 4, "lesions": 4, "without B": 2}
        names = ("group", "stratum", "cases", "lesions", "found")
        rows = table_of(tmp_path / "out", "candidates", "strata", names)
        strata = zip(*(rows.text(name) for name in names), strict=True)
        assert list(strata)[-2:] == [("B", "with B", "2", "2", "2"), ("B", "without B", "2", "2", "1")]


def test_an_outcome_of_which_nothing_was_said_is_left_out(tmp_path: Path) -> None:
    chosen = miniature.study(
        miniature.without("parameters", "search"), method="autoencoder", parameters={"patch_size": 8}
    )
    cases = [miniature.prepare_case(tmp_path / "cases", name, [(8, 9, 10)] * (name == "a")) for name in "ab"]
    found = {"a": {"case_scores": 0.9}, "b": {"case_scores": 0.1}}
    write_predictions(tmp_path / "said", found, chosen, cases, ("case_scores",))
    measure(
        study=chosen, predictions=tmp_path / "said", cases=[tmp_path / "cases"], model="baseline", part="test",
        output=tmp_path / "out",
    )  # fmt: skip
    assert list(read_measurement(tmp_path / "out").outcomes) == ["case_scores"]


def test_candidates_are_measured_by_fold(tmp_path: Path) -> None:
    """The table of predictions holds the cases of all folds."""
    study = miniature.study(outcomes={"candidates": {"at": [1.0]}})
    for name in "abcd":
        miniature.prepare_case(tmp_path / "cases", name, [(8, 9, 10)])
    known = read_cases([tmp_path / "cases"])
    mark = Candidates(np.array([[1.0, 2.0, 3.0]]), np.array([0.7]), np.array([8.0]), np.array([[8.0, 9.0, 10.0]]))
    said = {case.case_id: {"candidates": mark} for case in known}
    write_predictions(tmp_path / "said", said, study, known, ("candidates",))
    folds = {"a": 0, "b": 1, "c": 0, "d": 1}
    output = tmp_path / "measured"
    measure(
        study=study,
        predictions=tmp_path / "said",
        cases=[tmp_path / "cases"],
        model="selected",
        part="validation",
        folds=folds,
        output=output,
    )
    assert [fold["candidates"].counts["cases"] for fold in read_measurement(output).folds] == [2, 2]
