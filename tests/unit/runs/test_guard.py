"""A study that changed beside its results is stopped; what does not touch the results passes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.runs.guard import DEFAULT, differences, require_source, require_unchanged, science, started_from
from hakken.runs.table import runs_of_set
from hakken.search.settings import Settings
from hakken.study import Study

from ..miniature import content_of

CONTENT: dict[str, Any] = {
    "name": "example",
    "seed": 1,
    "method": "patch_classifier",
    "cohort": {"table": "cases.csv"},
    "channels": {"T1": {"modality": "mr"}},
    "training": {"steps": 12},
    "search": {"space": {"dropout": {"type": "real", "low": 0.1, "high": 0.5}}},
}
STUDY = Study.model_validate(CONTENT)


def begun(results: Path, run: str, study: Study) -> None:
    """Let a trial of the run have begun, of the study as the run trains it."""
    path = results / "sweeps" / run / "ledger" / "0123456789ab" / "sweep.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"context": "x", "details": science(study)}))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder in which a trial has begun."""
    for run in ("search", "default"):
        begun(tmp_path, run, STUDY)
    return tmp_path


def changed(**sections: Any) -> Study:
    return Study.model_validate(content_of(CONTENT, **sections))


def test_the_same_study_passes(results: Path) -> None:
    require_unchanged(STUDY, results)


def test_another_objective_is_another_study(tmp_path: Path) -> None:
    both = {"method": "autoencoder", "outcomes": {"case_scores": {}, "candidates": {}}}
    begun(tmp_path, "search", changed(**both))
    with pytest.raises(HakkenError) as caught:
        require_unchanged(changed(**both, evaluation={"objective": "candidates"}), tmp_path)
    assert "  evaluation.objective: the default then, 'candidates' now\n" in str(caught.value)


def test_without_results_every_study_passes(tmp_path: Path) -> None:
    require_unchanged(changed(seed=2), tmp_path / "nowhere")


@pytest.mark.parametrize(
    "study",
    [
        changed(title="Another title"),
        changed(data="other words"),
        changed(figures=["froc"]),
        changed(evaluation={"bootstrap": 200, "strata": []}),
        changed(outcomes={"candidates": {"at": [2], "diameters_mm": [3]}}),
        changed(baselines=["brightest_components"]),
        changed(variants={"grid": {"factors": {"depth": {"one": {"parameters.convolutions": 1}}}}}),
        changed(scaling={"processes": [1, 2]}),
        changed(description="What it is for."),
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
        (changed(training={"steps": 4000}), "training.steps: 12 then, the default now"),
        (changed(preparation={"margin_mm": 5}), "preparation.margin_mm: the default then, 5.0 now"),
        (changed(registration={"method": "affine"}), "registration.method: the default then, 'affine' now"),
        (
            changed(outcomes={"candidates": {"hit": "inside"}}),
            "outcomes.candidates.hit: the default then, 'inside' now",
        ),
        (
            changed(outcomes={"candidates": {"operating_point": 3}}),
            "outcomes.candidates.operating_point: the default then, 3.0 now",
        ),
        (changed(search={"startup": 4}), "search.startup: the default then, 4 now"),
        (changed(search={"sampler": "random"}), "search.sampler: the default then, 'random' now"),
        (changed(search={"default_first": False}), "search.default_first: the default then, False now"),
        (changed(search={"stopping": "median"}), "search.stopping: the default then, 'median' now"),
        (
            changed(search={"space": {"dropout": {"type": "real", "low": 0.1, "high": 0.6}}}),
            "search.space.dropout.high: 0.5 then, 0.6 now",
        ),
        (changed(parameters={"dropout": 0.3}), "parameters.dropout: the default then, 0.3 now"),
        (changed(inference={"threshold": 0.3}), "inference.threshold: the default then, 0.3 now"),
        (changed(cohort={"table": "other.csv"}), "cohort.table: 'cases.csv' then, 'other.csv' now"),
        (
            changed(evaluation={"design": "cross_validation"}),
            "evaluation.design: the default then, 'cross_validation' now",
        ),
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
    with pytest.raises(HakkenError, match=r"channels\.FLAIR\.modality: the default then, 'mr' now"):
        require_unchanged(more, results)


def test_a_key_at_its_default_is_not_written_down_so_that_one_of_a_newer_version_is_no_change(results: Path) -> None:
    assert science(STUDY)["training"] == {"steps": 12}
    require_unchanged(changed(training={"patience": 3}, parameters={"dropout": 0.2}), results)


def test_how_many_mini_batches_make_an_update_counts_and_not_where_its_processes_run(tmp_path: Path) -> None:
    begun(tmp_path, "search", changed(training={"nodes": 2, "gpus_per_node": 2}))
    require_unchanged(changed(training={"nodes": 1, "gpus_per_node": 4}), tmp_path)
    with pytest.raises(HakkenError, match=r"training\.minibatches: 4 then, 8 now"):
        require_unchanged(changed(training={"nodes": 2, "gpus_per_node": 4}), tmp_path)


def varied(depth: int) -> Study:
    return changed(variants={"grid": {"factors": {"depth": {"a": {"parameters.convolutions": depth}}}}})


def test_the_training_of_a_variant_is_compared_with_the_variant(tmp_path: Path) -> None:
    (run,) = runs_of_set(varied(2), "grid")
    begun(tmp_path, "grid-a", run.study(varied(2)))
    require_unchanged(varied(2), tmp_path)
    with pytest.raises(HakkenError, match=r"parameters\.convolutions: 2 then, 1 now"):
        require_unchanged(varied(1), tmp_path)


def test_a_run_that_the_study_has_no_more_hinders_nothing(tmp_path: Path) -> None:
    begun(tmp_path, "grid-a", varied(2))
    require_unchanged(STUDY, tmp_path)


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
    old = {"a": {"b": 1, "c": [1, 2]}, "d": 4, "gone": 1, "section": {"x": 1}}
    new = {"a": {"b": 2, "c": [1, 2]}, "d": {"e": 4}, "more": {"y": {"z": 2}}}
    assert list(differences(old, new)) == [
        ("a.b", 1, 2),
        ("d", 4, {"e": 4}),
        ("gone", 1, DEFAULT),
        ("more.y.z", DEFAULT, 2),
        ("section.x", 1, DEFAULT),
    ]
