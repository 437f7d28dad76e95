"""A study that changed beside its results is stopped; what does not touch the results passes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.runs.guard import differences, require_source, require_unchanged, science, started_from
from hakken.search.settings import Settings
from hakken.study import Study

CONTENT: dict[str, Any] = {
    "name": "example",
    "seed": 1,
    "cohort": {"table": "cases.csv"},
    "channels": {"T1": {"modality": "mr"}},
    "reference": "T1",
    "training": {"steps": 12},
    "search": {"space": {"dropout": {"type": "real", "low": 0.1, "high": 0.5}}},
}
STUDY = Study.model_validate(CONTENT)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder in which a trial has begun."""
    for sweep in ("search", "default"):
        path = tmp_path / "sweeps" / sweep / "ledger" / "0123456789ab" / "sweep.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"context": "x", "details": science(STUDY)}))
    return tmp_path


def changed(**sections: Any) -> Study:
    content = json.loads(json.dumps(CONTENT))
    for section, value in sections.items():
        content[section] = content.get(section, {}) | value if isinstance(value, dict) else value
    return Study.model_validate(content)


def test_the_same_study_passes(results: Path) -> None:
    require_unchanged(STUDY, results)


def test_another_objective_is_another_study(results: Path) -> None:
    with pytest.raises(HakkenError, match="evaluation"):
        require_unchanged(changed(evaluation={"objective": "roc"}), results)


def test_without_results_every_study_passes(tmp_path: Path) -> None:
    require_unchanged(changed(seed=2), tmp_path / "nowhere")


@pytest.mark.parametrize(
    "study",
    [
        changed(title="Another title"),
        changed(data="other words"),
        changed(figures=["froc"]),
        changed(evaluation={"bootstrap": 200, "at": [2], "diameters_mm": [3], "strata": []}),
        changed(search={"trials": 99, "slots": 3, "stop_after_failures": 99}),
        changed(search={"comparison": {"slots": [1, 2]}}),
        changed(training={"checkpoint_seconds": 1}),
        changed(inference={"memory_mb": 128}),
        changed(published={"citation": "A", "system": "B", "result": "C"}),
    ],
)
def test_what_results_do_not_depend_on_may_change(study: Study, results: Path) -> None:
    require_unchanged(study, results)


@pytest.mark.parametrize(
    ("study", "line"),
    [
        (changed(seed=2), "seed: 1 then, 2 now"),
        (changed(training={"steps": 13}), "training.steps: 12 then, 13 now"),
        (changed(preparation={"margin_mm": 5}), "preparation.margin_mm: 4.0 then, 5.0 now"),
        (changed(registration={"method": "affine"}), "registration.method: 'rigid' then, 'affine' now"),
        (changed(evaluation={"hit": "inside"}), "evaluation.hit: 'distance' then, 'inside' now"),
        (changed(evaluation={"operating_point": 3}), "evaluation.operating_point: 8.4 then, 3.0 now"),
        (changed(search={"startup": 4}), "search.startup: 3 then, 4 now"),
        (changed(search={"sampler": "random"}), "search.sampler: 'bayesian' then, 'random' now"),
        (changed(search={"default_first": False}), "search.default_first: True then, False now"),
        (changed(search={"stopping": "median"}), "search.stopping: 'none' then, 'median' now"),
        (
            changed(search={"space": {"dropout": {"type": "real", "low": 0.1, "high": 0.6}}}),
            "search.space.dropout.high: 0.5 then, 0.6 now",
        ),
        (changed(parameters={"dropout": 0.3}), "parameters.dropout: 0.2 then, 0.3 now"),
        (changed(cohort={"table": "other.csv"}), "cohort.table: 'cases.csv' then, 'other.csv' now"),
    ],
)
def test_what_results_depend_on_may_not(study: Study, line: str, results: Path) -> None:
    before = sorted(results.rglob("*"))
    with pytest.raises(HakkenError) as caught:
        require_unchanged(study, results)
    assert str(caught.value) == (
        f"study `example` has changed since the trainings in {results}:\n  {line}\n"
        f"Nothing was touched. Restore these values, or copy the study to a new name, or move {results} away to "
        "start afresh."
    )
    assert sorted(results.rglob("*")) == before


def test_a_new_channel_or_parameter_is_a_change(results: Path) -> None:
    more = changed(channels={"FLAIR": {"modality": "mr"}})
    with pytest.raises(HakkenError, match=r"channels\.FLAIR: None then, \{'modality': 'mr'"):
        require_unchanged(more, results)


def test_a_key_that_came_with_a_newer_version_is_none(results: Path) -> None:
    for path in results.glob("sweeps/*/ledger/*/sweep.json"):
        content = json.loads(path.read_text())
        del content["details"]["training"]["focal_gamma"]
        path.write_text(json.dumps(content))
    require_unchanged(STUDY, results)


def test_what_a_search_started_from_is_left_to_the_trials_that_join_it(results: Path) -> None:
    for path in results.glob("sweeps/*/ledger/*/sweep.json"):
        content = json.loads(path.read_text())
        content["details"] |= started_from(Path("results/small/tiny/sweeps/search/trials.csv"), Settings({}, 0))
        path.write_text(json.dumps(content))
    require_unchanged(STUDY, results)


def test_what_was_taken_from_a_source_is_named_by_its_table() -> None:
    table = Path("results/small/tiny/sweeps/search/trials.csv")
    one, other = Settings({}, 0, first=({"dropout": 0.1},)), Settings({}, 0, first=({"dropout": 0.2},))
    assert started_from(None, one) == {}
    assert started_from(table, one) == started_from(table, replace(one, seed=1)) != started_from(table, other)
    assert list(started_from(table, one)["started_from"]) == [str(table)]


STARTING = changed(search={"warm_start": {"study": "small", "scale": "tiny"}})
TABLE = Path("results/small/tiny/sweeps/search/trials.csv")


def test_a_source_that_is_there_or_made_by_this_run_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    require_source(STUDY, {}, [])
    require_source(STARTING, {"small": "tiny"}, [])
    TABLE.parent.mkdir(parents=True)
    TABLE.touch()
    require_source(STARTING, {"small": "paper"}, [])


@pytest.mark.parametrize(
    ("known", "remedy"),
    [
        (["small"], "run that study first, with --config study=small scale=tiny"),
        (["smal"], "and there is no study `small`; did you mean `smal`?"),
    ],
)
def test_a_missing_source_is_named_with_what_makes_it(
    known: list[str], remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HakkenError) as caught:
        require_source(STARTING, {"small": "paper"}, known)
    assert str(caught.value) == f"study `example` starts from {TABLE}, which does not exist; {remedy}"


def test_differences_are_named_by_their_keys() -> None:
    old = {"a": {"b": 1, "c": [1, 2]}, "d": 4, "gone": 1}
    new = {"a": {"b": 2, "c": [1, 2]}, "d": {"e": 4}}
    assert list(differences(old, new)) == [("a.b", 1, 2), ("d", 4, {"e": 4}), ("gone", 1, None)]
