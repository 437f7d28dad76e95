"""A finished study gathered from its files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hakken.core.errors import HakkenError
from hakken.outcomes import Measured, Row
from hakken.report.result import (
    besides_of,
    counted,
    gather,
    head_of,
    measured_rows,
    measured_table,
    plain,
    variants_table,
    with_interval,
)
from hakken.study import Study
from hakken.study.variants import VariantSet

from ..opened import edit
from .finished import BEST, candidates, write_measured, write_record

SHOWN = (("validation", "selected"), ("test", "selected"), ("test", "default"), ("test", "brightest_components"))


def test_everything_is_gathered(study: Study, results: Path) -> None:
    found = gather(study, results)
    assert found.cpu_hours == 2.0
    assert found.gpu_hours == 2.0
    assert found.peak_mb == 1024.4
    assert found.opening is not None
    assert (found.opening.number, found.opening.models) == (1, {"selected": "aa"})
    assert set(found.records) == {"selected", "default"}
    assert list(found.measurements) == [SHOWN[0], SHOWN[1], ("validation", "default"), *SHOWN[2:]]
    assert found.main == SHOWN
    assert found.measurements["test", "default"].rows[0].value == 0.4
    assert found.objectives == {"selected": 0.612345, "default": 0.4}
    assert found.chosen("selected") == (found.records["selected"],)
    assert found.hashes == {"sealed_study": "5tudy", "case_table": "7able", "code": {"trial": "c0de"}}
    assert (found.by_fold, found.warnings, found.shares) == ({}, (), {})


def test_the_largest_shares_of_time_that_trainings_did_not_learn(study: Study, results: Path) -> None:
    write_record(results, "selected", BEST | {"waited_share": 0.25, "validation_share": 0.0625})
    write_record(results, "default", BEST | {"validation_share": 0.125})
    assert gather(study, results).shares == {"waited for data": 0.25, "measured its objective": 0.125}


def test_what_a_model_learnt_from_its_own_errors_is_said(study: Study, results: Path) -> None:
    assert gather(study, results).besides == ()
    mining = {"cases": ["a", "b"], "training_cases": 9, "false_candidates": 31, "step": 50}
    second = {"seconds": 12.4, "found": {"hits": 8, "false_candidates": 30}, "objective_before": 0.5}
    told = {"hard_mining": mining, "second_stage": second, "second_stage_weight": 0.25, "review_share": 0.03}
    write_record(results, "selected", BEST | told)
    found = gather(study, results)
    assert found.besides == (
        "After 50 steps 31 false candidates were found in 2 of 9 training cases, and windows put on them "
        "(hard mining).",
        "A second stage learnt in 12 s from 8 hits and 30 false candidates; its weight in the scores, chosen on "
        "validation, is 0.25. Before it the validation objective was 0.500.",
    )
    assert found.shares == {"looked for its own errors": 0.03}


def test_of_one_candidate_or_none_it_is_said_in_words() -> None:
    mining = {"cases": ["a"], "training_cases": 1, "step": 1}
    second = {"seconds": 1.0, "found": {"hits": 1, "false_candidates": 0}, "objective_before": 0.5}
    assert besides_of({"hard_mining": mining | {"false_candidates": 1}}) == [
        "After 1 step 1 false candidate was found in 1 of 1 training case, and windows put on it (hard mining)."
    ]
    assert besides_of({"hard_mining": mining | {"false_candidates": 0}}) == [
        "After 1 step no false candidate was found in 1 of 1 training case, and windows drawn as before (hard mining)."
    ]
    (said,) = besides_of({"second_stage": second, "second_stage_weight": 0.5})
    assert said.startswith("A second stage learnt in 1 s from 1 hit and 0 false candidates; its weight")


def test_variants_stand_in_a_table_of_their_own(study: Study, results: Path) -> None:
    factors = {"depth": {"key": "parameters.convolutions", "values": [2, 3]}}
    depths = study.model_copy(update={"variants": {"depth": VariantSet.model_validate({"factors": factors})}})
    write_measured(results, study, "validation", "depth-2", candidates(0.3, "few"), Measured(None, ()))
    write_measured(results, study, "test", "depth-2", candidates(0.2, "few"))
    write_measured(results, study, "test", "depth-3", candidates(0.1, "fewer"))
    write_measured(results, study, "test", "no_more", candidates(0.9))
    found = gather(depths, results)
    assert found.main == SHOWN
    heads, rows = variants_table(found)
    assert heads == ("validation, partial AUC to 10 FP/case", "test, partial AUC to 10 FP/case")
    assert rows == [
        ("depth-2", "0.350 [0.250, 0.450]", "0.250 [0.150, 0.350]"),
        ("depth-3", "", "0.150 [0.050, 0.250]"),
    ]
    assert found.warnings == ()
    assert found.warnings_of_variants == {
        "few": ["validation, depth-2", "test, depth-2"],
        "fewer": ["test, depth-3"],
    }


def test_without_measured_jobs_the_cost_is_nothing(study: Study, results: Path) -> None:
    for path in results.glob("logs/*/*"):
        path.unlink()
    found = gather(study, results)
    assert (found.costs, found.cpu_hours, found.peak_mb) == ((), 0, 0.0)


def test_what_a_study_without_cases_has_not(study: Study, results: Path) -> None:
    for name in ("optimism.json", "freeze.json", "test/opening.json"):
        (results / name).unlink()
    found = gather(study, results)
    assert (found.optimism, found.hashes, found.opening) == (None, {}, None)


def test_of_folds_the_mean_objective_and_each(study: Study, results: Path) -> None:
    crossed = {"design": "cross_validation", "folds": 3}
    evaluation = study.evaluation.model_copy(update=crossed)
    for fold, objective in enumerate((0.2, 0.6, 0.7)):
        write_record(results, f"selected-f{fold}", BEST | {"objective": objective, "fold": fold})
    undefined = Measured(None, ())
    folds = tuple({"candidates": one} for one in (candidates(0.1), undefined, candidates(0.3)))
    write_measured(results, study, "test", "selected", candidates(0.6), folds=folds)
    found = gather(study.model_copy(update={"evaluation": evaluation}), results)
    assert found.objectives == {"selected": pytest.approx(0.5)}  # of the untuned default there is none
    assert [one["trial"]["fold"] for one in found.chosen("selected")] == [0, 1, 2]
    assert found.by_fold == {"test": ["0.150 [0.050, 0.250]", "", "0.350 [0.250, 0.450]"]}


def test_a_warning_says_what_it_warns_of(study: Study, results: Path) -> None:
    write_measured(results, study, "test", "default", candidates(0.4, "few patients"))
    write_measured(results, study, "test", "selected", candidates(0.4), candidates(0.1, "no mask"))
    write_measured(results, study, "validation", "default", candidates(0.4, "not shown"))
    assert gather(study, results).warnings == ("test: no mask", "test, untuned default: few patients")


def test_a_number_that_only_one_model_has(study: Study, results: Path) -> None:
    more = Measured(None, (Row("Dice", 0.5, digits=1),))
    write_measured(results, study, "test", "selected", candidates(0.6), more)
    heads, rows = measured_table(gather(study, results))
    assert heads == ("validation", "test", "test, untuned default", "test, brightest components")
    assert [row[0] for row in rows] == [
        *(f"sensitivity at {rate} FP/case" for rate in ("1", "3", "8.4")),
        "partial AUC to 10 FP/case",
        "Dice",
    ]
    assert rows[1] == ("sensitivity at 3 FP/case", *(f"0.{n}0 [0.{n - 1}0, 0.{n + 1}0]" for n in (8, 7, 5, 4)))
    assert rows[2][1:] == ("undefined",) * 4
    assert rows[-1] == ("Dice", "", "0.5", "", "")


def test_a_line_for_each_number_of_each_model(study: Study, results: Path) -> None:
    indented = Measured(None, (Row("  of a group", text="none"),))
    write_measured(results, study, "test", "selected", candidates(0.6), indented)
    lines = list(measured_rows(gather(study, results)))
    assert len(lines) == 5 * 4 + 1
    at = pytest.approx
    assert lines[0] == (
        "validation",
        "selected",
        "candidates",
        "sensitivity at 1 FP/case",
        0.7,
        at(0.6),
        at(0.8),
        "",
        "",
    )
    undefined = ("validation", "selected", "candidates", "sensitivity at 8.4 FP/case", None, None, None, "", "")
    assert lines[2] == undefined
    assert lines[8] == ("test", "selected", "masks", "of a group", None, None, None, "none", "")


def test_what_was_counted(study: Study, results: Path) -> None:
    other = replace(candidates(0.3), counts={"cases": 9})
    write_measured(results, study, "test", "brightest_components", other)
    assert counted(gather(study, results)) == ("cases, lesions", ["10, 23", "10, 23", "10, 23", "9, "])


@pytest.mark.parametrize(
    ("key", "head"),
    [
        (("validation", "selected"), "validation"),
        (("test", "selected"), "test"),
        (("test", "default"), "test, untuned default"),
        (("test", "toy_coin"), "test, toy coin"),
        (("records", "selected"), "selected"),
    ],
)
def test_the_head_of_a_column(key: tuple[str, str], head: str) -> None:
    assert head_of(*key) == head


def test_a_measurement_of_another_version(study: Study, results: Path) -> None:
    path = results / "measurements" / "test" / "selected" / "measurement.json"
    path.write_text('{"study": "example"}')
    with pytest.raises(HakkenError) as caught:
        gather(study, results)
    assert str(caught.value) == f"{path}: no measurement of this version of hakken ('scale'); measure again"


def test_a_missing_ledger_is_no_ledger(study: Study, results: Path) -> None:
    shutil.rmtree(str(study.cohort.openings))
    with pytest.raises(HakkenError, match="opening 1 of the test set is missing, but results of it are here"):
        gather(study, results)


def test_no_report_rests_on_a_freeze_that_was_changed(study: Study, results: Path) -> None:
    edit(results / "freeze.json", models={})
    with pytest.raises(HakkenError, match=r"freeze.json: was changed since it was written"):
        gather(study, results)


def test_no_report_rests_on_an_opening_that_was_changed(study: Study, results: Path) -> None:
    edit(results / "test/opening.json", number=0)
    with pytest.raises(HakkenError, match="an opening of the test set that was changed since it was written"):
        gather(study, results)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"value": 0.714, "low": 0.62, "high": 0.8}, "0.71 [0.62, 0.80]"),
        ({"value": 0.0, "low": 0.0, "high": 1.0}, "0.00 [0.00, 1.00]"),
        ({"value": 0.714, "low": 0.62, "high": None}, "0.71"),
        ({"value": 0.714}, "0.71"),
        ({"value": None, "low": None, "high": None}, "undefined"),
        (None, "undefined"),
    ],
)
def test_intervals_in_words(entry: dict[str, float] | None, text: str) -> None:
    assert with_interval(entry) == text


def test_more_digits() -> None:
    assert with_interval({"value": 0.7144, "low": 0.6199, "high": 0.8}, 3) == "0.714 [0.620, 0.800]"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.01235"), (1e-05, "1e-05"), (3, "3"), (True, "True"), ("adamw", "adamw")]
)
def test_values_in_words(value: object, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize("name", ["optimism.json", "models/selected.json"])
def test_numbers_of_the_choice_that_were_edited_are_not_shown(name: str, study: Study, results: Path) -> None:
    path = results / name
    text = path.read_text()
    path.write_text(text.replace("0.612345", "0.99").replace("0.562345", "0.99"))
    assert path.read_text() != text
    with pytest.raises(HakkenError, match=f"{name}: was changed since it was written; delete it"):
        gather(study, results)
