"""Batches: a run keeps the number of cases a job that it was begun with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.batches import begun_with, kept_batches, plan_cohort, record_batches
from hakken.core.errors import HakkenError
from hakken.study import Study

PHANTOM = {"generator": "brain_metastasis", "cases": {"train": 5, "validation": 2, "test": 3}}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A phantom study of 10 cases, and an empty working folder."""
    monkeypatch.chdir(tmp_path)
    content: dict[str, Any] = {
        "name": "example",
        "scale": "tiny",
        "seed": 1,
        "cohort": {"phantom": PHANTOM},
        "channels": {"T1POST": {"modality": "mr"}},
        "reference": "T1POST",
    }
    return Study.model_validate(content)


def test_a_new_run_has_the_batches_that_were_asked_for(study: Study) -> None:
    plan = plan_cohort(study, 2)
    assert [len(cases) for cases in plan.batches["train"].values()] == [2, 2, 1]
    assert kept_batches(plan, 2) is None
    assert not Path("results").exists()  # a plan writes nothing


def test_a_run_that_was_begun_keeps_its_batches_and_says_so(study: Study) -> None:
    first = plan_cohort(study, 2)
    record_batches(first)
    again = plan_cohort(study, 64)
    assert again.batches == first.batches
    assert again.cohort == first.cohort  # a phantom's folders are named by batch
    record_batches(again)
    assert begun_with(Path("results/example/tiny")) == 2
    assert kept_batches(again, 64) == (
        "results/example/tiny: begun with 2 cases a job, and goes on so, not with 64, so that finished batches count; "
        "move results/example/tiny away to start afresh with 64"
    )


def test_another_scale_is_another_run(study: Study) -> None:
    record_batches(plan_cohort(study, 2))
    assert plan_cohort(study.model_copy(update={"scale": "paper"}), 64).cases_per_job == 64


def test_a_record_that_is_no_number(study: Study) -> None:
    path = Path("results/example/tiny/batches.json")
    path.parent.mkdir(parents=True)
    path.write_text('{"cases_per_job": "many"}')
    with pytest.raises(HakkenError) as caught:
        plan_cohort(study, 8)
    assert str(caught.value) == (
        "results/example/tiny/batches.json: `cases_per_job` is 'many' and no number of cases; "
        "move results/example/tiny away to start afresh"
    )
