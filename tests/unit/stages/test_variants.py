"""The variants of a set beside each other: by folds of the development cases, and by models on one part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.items import Item
from hakken.core.files import read_json, write_json
from hakken.core.tables import read_table
from hakken.runs.cases import read_cases
from hakken.runs.table import runs_of_set
from hakken.stages.variants import variants

from .vectors import checked, said, study

pytestmark = pytest.mark.usefixtures("toys")

FACTORS = {"shrink": {"none": {}, "half": {"parameters.shrink": 0.5}}}
ILL, WELL = "abcd", "efgh"
FOLDS = ("abef", "cdgh")
GOOD = {name: 0.9 if name in ILL else 0.1 for name in ILL + WELL}
BAD = GOOD | {"a": 0.05, "g": 0.95}  # of 16 pairs, a loses 4, g wins against 3 more


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    return checked(tmp_path / "cases" / "checked.json", ill=ILL, well=WELL)


def known(cases: Path) -> list[Item]:
    return read_cases([cases])  # type: ignore[return-value]


def trial(folder: Path, cases: Path, run: Any, scores: dict[str, float] | None) -> Path:
    """The record of a training that held out a fold; without scores it has failed."""
    path = folder / f"{run.name}.json"
    record: dict[str, Any] = {"sweep": run.name, "fold": run.fold, "seconds": 2.0, "objective": None}
    if scores is None:
        write_json(path, record | {"state": "failed", "reason": "diverged"})
        return path
    held = [case for case in known(cases) if case.case_id in FOLDS[run.fold]]
    own = {case.case_id: scores[case.case_id] for case in held}
    predictions = {"path": str(said(folder / run.name, own, held)), "sha256": "x"}
    write_json(path, record | {"state": "complete", "objective": 0.5, "predictions": predictions})
    return path


def of_folds(folder: Path, cases: Path, failed: str = "", **more: Any) -> dict[str, Any]:
    """Compare two variants in two folds, and what stands beside them; return what was written."""
    chosen = study(variants={"grid": {"factors": FACTORS, "folds": 2, **more}})
    runs = runs_of_set(chosen, "grid")
    scores = {"none": GOOD, "half": BAD, "flat": BAD}
    trials = [
        trial(folder, cases, run, None if run.name == failed else scores[run.kind.removeprefix("grid-")])
        for run in runs
    ]
    variants(
        study=study(), name="grid", runs=list(runs), trials=trials, cases=[cases],
        output=folder / "grid.json", table=folder / "grid.csv",
    )  # fmt: skip
    return dict(read_json(folder / "grid.json"))


def test_all_folds_of_a_variant_are_measured_together(
    tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = of_folds(tmp_path, cases)
    assert (found["set"], found["factors"]) == ("grid", {"shrink": ["none", "half"]})
    assert [(cell["label"], cell["levels"]) for cell in found["cells"]] == [
        ("none", {"shrink": "none"}),
        ("half", {"shrink": "half"}),
    ]
    assert [cell["objective"]["value"] for cell in found["cells"]] == pytest.approx([1, 9 / 16])
    assert [cell["counts"]["cases"] for cell in found["cells"]] == [8, 8]
    (difference,) = found["differences"]
    assert (difference["level"], difference["against"]) == ("half", "none")
    assert difference["over_all"]["value"] == pytest.approx(9 / 16 - 1)
    said = "[variants] grid: 2 of 2 combinations; best none, AUC of the cases 1.000\n"
    assert capsys.readouterr().err == said


def test_every_training_stands_in_the_table_with_what_was_measured_of_its_fold(tmp_path: Path, cases: Path) -> None:
    of_folds(tmp_path, cases)
    table = read_table(tmp_path / "grid.csv", ("variant", "shrink", "fold", "state", "AUC of the cases"))
    rows = [(row["variant"], row["shrink"], row["fold"], row["AUC of the cases"]) for row in table.records()]
    # In fold 0 (a, b, e, f) a loses both pairs; in fold 1 (c, d, g, h) g wins both.
    assert rows == [
        ("none", "none", "0", "1.0"),
        ("none", "none", "1", "1.0"),
        ("half", "half", "0", "0.5"),
        ("half", "half", "1", "0.5"),
    ]


def test_what_the_factors_matter_is_tested_and_the_test_is_warned_of(tmp_path: Path, cases: Path) -> None:
    found = of_folds(tmp_path, cases)
    assert found["anova"][0]["response"] == "AUC of the cases"
    assert found["anova"][0]["type_ii"][0]["ss"] == pytest.approx(4 * 0.25**2)
    assert (
        "anova: folds share training cases, so they are not quite independent and p is too small" in found["warnings"]
    )


def test_a_failed_training_is_told_and_its_variant_left_out(tmp_path: Path, cases: Path) -> None:
    found = of_folds(tmp_path, cases, failed="grid-half-f1")
    assert [cell["label"] for cell in found["cells"]] == ["none"]
    assert "half: 1 of 2 trainings failed" in found["warnings"]
    assert found["factors"] == {"shrink": ["none", "half"]}
    assert found["differences"] == []
    table = read_table(tmp_path / "grid.csv")
    assert [(row["state"], row["reason"]) for row in table.records()][-1] == ("failed", "diverged")


def test_what_stands_beside_the_factors_is_measured_and_compared_too(tmp_path: Path, cases: Path) -> None:
    found = of_folds(tmp_path, cases, beside={"flat": {"parameters.shrink": 1.0}})
    assert [(cell["label"], cell["levels"]) for cell in found["cells"]][-1] == ("flat", {})
    against = {(one["level"], one["against"]): one["over_all"]["value"] for one in found["differences"]}
    assert against["none", "flat"] == pytest.approx(7 / 16)
    assert against["half", "flat"] == 0


def test_models_are_compared_on_one_part_without_a_test(tmp_path: Path, cases: Path) -> None:
    chosen = study(variants={"grid": {"factors": FACTORS}})
    runs = list(runs_of_set(chosen, "grid"))
    predictions = [
        said(tmp_path / run.name, scores, known(cases)) for run, scores in zip(runs, (GOOD, BAD), strict=True)
    ]
    variants(
        study=study(), name="grid", runs=runs, predictions=predictions, cases=[cases],
        output=tmp_path / "grid.json", table=tmp_path / "grid.csv",
    )  # fmt: skip
    found = read_json(tmp_path / "grid.json")
    assert [cell["objective"]["value"] for cell in found["cells"]] == pytest.approx([1, 9 / 16])
    assert found["anova"] == []
    few = "8 patients: intervals from so few are rough and rather too narrow; they are no certainty"
    assert found["warnings"][0] == f"none and half: roc: {few}"
    assert len(found["differences"]) == 1


def test_crossed_several_runs_make_the_models_of_one_variant(tmp_path: Path, cases: Path) -> None:
    crossed = {"design": "cross_validation", "folds": 3}
    chosen = study(variants={"grid": {"factors": FACTORS}}, evaluation=crossed)
    runs = list(runs_of_set(chosen, "grid"))
    assert len(runs) == 6
    predictions = [said(tmp_path / name, scores, known(cases)) for name, scores in (("none", GOOD), ("half", BAD))]
    variants(
        study=chosen, name="grid", runs=runs, predictions=predictions, cases=[cases],
        output=tmp_path / "grid.json", table=tmp_path / "grid.csv",
    )  # fmt: skip
    assert [cell["label"] for cell in read_json(tmp_path / "grid.json")["cells"]] == ["none", "half"]


def test_where_all_failed_there_is_nothing_and_that_is_said(
    tmp_path: Path, cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = study(variants={"grid": {"factors": FACTORS, "folds": 2}})
    runs = list(runs_of_set(chosen, "grid"))
    trials = [trial(tmp_path, cases, run, None) for run in runs]
    variants(
        study=study(), name="grid", runs=runs, trials=trials, cases=[cases],
        output=tmp_path / "grid.json", table=tmp_path / "grid.csv",
    )  # fmt: skip
    found = read_json(tmp_path / "grid.json")
    assert (found["cells"], found["differences"], found["anova"]) == ([], [], [])
    assert "[variants] grid: 0 of 2 combinations\n" in capsys.readouterr().err
