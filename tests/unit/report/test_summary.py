"""The last words of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hakken.report.result import gather
from hakken.report.summary import summarise
from hakken.study import Study
from hakken.study.variants import VariantSet

from ..opened import open_results
from .finished import BEST, candidates, write_measured, write_record


def test_the_whole_summary(study: Study, results: Path) -> None:
    write_measured(results, study, "test", "default", candidates(0.4, "few patients"))
    result = gather(study.model_copy(update={"baselines": ()}), results)
    assert result.opening is not None
    text = summarise(result)
    heads = "95 % intervals, patients resampled  validation            test (opening 1)      test, untuned default"
    assert text.splitlines() == [
        "",
        "Lesions & <others>",
        "study example at scale tiny, data: phantom; research use only",
        "",
        heads,
        "sensitivity at 1 FP/case            0.70 [0.60, 0.80]     0.60 [0.50, 0.70]     0.40 [0.30, 0.50]",
        "sensitivity at 3 FP/case            0.80 [0.70, 0.90]     0.70 [0.60, 0.80]     0.50 [0.40, 0.60]",
        "sensitivity at 8.4 FP/case          undefined             undefined             undefined",
        "partial AUC to 10 FP/case           0.750 [0.650, 0.850]  0.650 [0.550, 0.750]  0.450 [0.350, 0.550]",
        result.opening.words,
        "* warning: test, untuned default: few patients",
        "",
        "selected: trial 7 of 12 (11 complete, 1 failed)",
        "  learning_rate 0.01235",
        "  validation objective (partial AUC up to 10 FP/case) 0.612, corrected for the choice of the best 0.562 "
        "[0.450, 0.650], untuned default 0.400",
        "",
        "cost: 2 jobs, 2.00 CPU-hours, 2.00 GPU-hours, at most 1024 MB in one job",
        "",
        f"froc figure:  {results}/figures/froc.pdf (.svg, .png)",
        f"more figures: search in {results}/figures",
        f"report:       {results}/report.html",
    ]
    assert text.endswith("\n")


def test_a_study_without_title_goes_by_its_name(study: Study, results: Path) -> None:
    text = summarise(gather(study.model_copy(update={"title": ""}), results))
    assert text.splitlines()[1] == "example"


def test_variants_are_named_with_their_objective_where_they_are_measured_on_test(study: Study, results: Path) -> None:
    factors = {"depth": {"key": "parameters.convolutions", "values": [2, 3]}}
    depths = study.model_copy(update={"variants": {"depth": VariantSet.model_validate({"factors": factors})}})
    for part, model, value in (
        ("validation", "depth-2", 0.3),
        ("test", "depth-2", 0.2),
        ("validation", "depth-3", 0.1),
    ):
        write_measured(results, study, part, model, candidates(value))
    lines = summarise(gather(depths, results)).splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("variants: "))
    assert lines[place : place + 3] == [
        f"variants: 2, measured in {results}/measured.csv",
        "variant depth-2: validation, partial AUC to 10 FP/case 0.350 [0.250, 0.450]; "
        "test, partial AUC to 10 FP/case 0.250 [0.150, 0.350]",
        "",
    ]


def test_a_baseline_has_a_column(study: Study, results: Path) -> None:
    heads, first = summarise(gather(study, results)).splitlines()[4:6]
    assert heads.endswith("  test, brightest components")
    assert first.endswith("0.40 [0.30, 0.50]      0.30 [0.20, 0.40]")


def test_every_parameter_is_told_four_on_a_line(study: Study, results: Path) -> None:
    write_record(results, "selected", BEST | {"parameters": {"a": 1, "b": 0.25, "c": True, "d": "x", "e": 1e-5}})
    lines = summarise(gather(study, results)).splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("selected: "))
    assert [" ".join(line.split()) for line in lines[place + 1 : place + 3]] == ["a 1 b 0.25 c True d x", "e 1e-05"]


def test_what_was_chosen_in_each_fold(study: Study, results: Path) -> None:
    evaluation = study.evaluation.model_copy(update={"design": "cross_validation", "folds": 2})
    for fold, objective in enumerate((0.2, 0.6)):
        trial = {"number": fold + 3, "objective": objective, "parameters": {}, "fold": fold}
        write_record(results, f"selected-f{fold}", trial)
        (results / "models" / "selected.json").unlink(missing_ok=True)
    (results / "optimism.json").unlink()
    folds = tuple({"candidates": candidates(level)} for level in (0.1, 0.3))
    write_measured(results, study, "test", "selected", candidates(0.6), folds=folds)
    lines = summarise(gather(study.model_copy(update={"evaluation": evaluation}), results)).splitlines()
    assert "by fold, test: 0.150 [0.050, 0.250]; 0.350 [0.250, 0.450]" in lines
    place = lines.index("selected in fold 0: trial 3 of 12 (11 complete, 1 failed)")
    assert lines[place + 1 : place + 3] == [
        "selected in fold 1: trial 4 of 12 (11 complete, 1 failed)",
        "  validation objective (partial AUC up to 10 FP/case) 0.400",
    ]


def test_figures_that_are_not_drawn_are_not_promised(
    study: Study, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = summarise(gather(study.model_copy(update={"figures": ("strata",)}), results))
    assert f"strata figure: {results}/figures/strata.pdf (.svg, .png)" in one
    assert "more figures" not in one
    monkeypatch.setattr(Study, "drawn", ())
    none = summarise(gather(study, results))
    assert none.splitlines()[-1] == f"report: {results}/report.html"
    assert "figures:" not in none
    assert " figure:" not in none


def test_a_later_opening_shows(study: Study, results: Path) -> None:
    open_results(results, Path(str(study.cohort.openings)), selected="bb")
    for model in ("selected", "default", "brightest_components"):
        write_measured(results, study, "test", model, candidates(0.5))
    text = summarise(gather(study, results))
    assert "test (opening 2)" in text
    assert "\ntest opening 2 known to this ledger, begun on 20" in text


def test_why_opened_cases_train_is_said(study: Study, results: Path) -> None:
    again = study.model_copy(update={"cohort": study.cohort.model_copy(update={"reuse_opened": "another task"})})
    text = summarise(gather(again, results))
    assert "\ncases that were test cases of an earlier opening train here: another task\n" in text
