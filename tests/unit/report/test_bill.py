"""The bill: what a figure needs, and what it has cost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hakken.core.errors import HakkenError
from hakken.report.bill import NEEDS, Charge, figure_charges, needs, stage_charges
from hakken.report.cost import JobCost, by_stage, read_jobs
from hakken.report.page import CAPTIONS
from hakken.report.tokens import Rates, read_rates

HOUR = 3600.0
JOBS = (
    JobCost("prepare", "train-000", HOUR, HOUR, 0.0, 100),
    JobCost("prepare", "test-000", HOUR, 2 * HOUR, 0.0, 100),
    JobCost("trial", "search-0000", 2 * HOUR, HOUR, 4 * HOUR, 500, 1, HOUR, 0.5 * HOUR),
    JobCost("predict", "selected", HOUR, HOUR, HOUR, 300),
    JobCost("figure_froc", "froc", HOUR / 2, HOUR / 4, 0.0, 90),
    JobCost("figure_search", "search", HOUR, HOUR, 0.0, 90),
)


def test_every_figure_has_its_needs() -> None:
    assert set(NEEDS) == set(CAPTIONS)


def test_a_figure_of_the_search_needs_no_test_case() -> None:
    assert needs("search", "prepare", "train-000")
    assert not needs("search", "prepare", "test-000")
    assert not needs("search", "figure_froc", "froc")
    assert not needs("froc", "trial", "n4-r1-0003")  # of the comparison of numbers of slots


def test_jobs_that_figures_share_are_counted_in_each() -> None:
    froc, search = figure_charges(["froc", "search"], JOBS, Rates())
    assert froc == Charge("froc", 5, 1 + 2 + 1.5 + 1 + 0.25, 5.0, None)
    assert search == Charge("search", 3, 1 + 1.5 + 1, 4.0, None)


def test_a_job_is_charged_for_its_gpus_or_for_its_node() -> None:
    charges = {charge.name: charge.tokens for charge in stage_charges(JOBS, Rates(3.0, 1.0))}
    assert charges == {"prepare": 2.0, "trial": 12.0, "predict": 3.0, "figure_froc": 0.5, "figure_search": 1.0}
    assert stage_charges(JOBS, Rates(gpu_hour=3.0))[0].tokens == 0.0


@pytest.mark.parametrize("value", ["many", -1, "nan", "inf"])
def test_a_rate_that_is_no_number(value: object) -> None:
    with pytest.raises(HakkenError) as caught:
        read_rates(value, None)
    assert str(caught.value) == (
        f"the profile's `default-resources`: `tokens_per_gpu_hour` is {value!r}, not a number of 0 or more"
    )


def test_a_site_may_count_parts_of_a_token() -> None:
    assert read_rates("1.5", 2) == Rates(1.5, 2.0)
    assert not read_rates(None, None).counted


def test_jobs_are_read_with_their_unfinished_attempts(tmp_path: Path) -> None:
    attempt = {"seconds": 60.0, "cpu_seconds": 50.0, "gpu_seconds": 60.0, "peak_mb": 400.0}
    for job, content in {
        "predict/selected": attempt | {"unfinished": [attempt, attempt]},
        "trial/search-0003": attempt | {"unfinished": [attempt]},
        "check/train-000": {"seconds": 1, "cpu_seconds": 2, "peak_mb": 3},  # as an earlier version wrote it
    }.items():
        path = tmp_path / "logs" / f"{job}.cost.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    record = tmp_path / "sweeps" / "search" / "trials" / "0003.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"gpu_seconds": 480.0}))  # of four GPUs
    short = tmp_path / "logs" / "trial" / "search-0004.cost.json"  # of one GPU, whose lost work no record knows
    short.write_text(json.dumps(attempt | {"unfinished": [attempt]}))
    (record.parent / "0004.json").write_text(json.dumps({"gpu_seconds": 70.0}))
    check, predict, trial, interrupted = read_jobs(tmp_path / "logs")
    assert interrupted.gpu_seconds == 120.0
    assert check == JobCost("check", "train-000", 1.0, 2.0, 0.0, 3.0)
    assert predict == JobCost("predict", "selected", 60.0, 50.0, 180.0, 400.0, 2, 120.0, 100.0)
    assert trial == JobCost("trial", "search-0003", 60.0, 50.0, 480.0, 400.0, 1, 60.0, 50.0)
    stages = {stage.stage: stage for stage in by_stage((check, predict, trial))}
    assert stages["predict"].cpu_hours == pytest.approx(150 / 3600)
    assert stages["predict"].typical_cpu_seconds == 50.0  # a typical job has no unfinished attempt
    assert stages["predict"].gpu_hours == pytest.approx(180 / 3600)
    assert stages["check"].gpu_seconds == ()
