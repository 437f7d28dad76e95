"""The bill: what a figure needs, and what it has cost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hakken.core.errors import HakkenError
from hakken.report.bill import Charge, figure_charges, needed, stage_charges
from hakken.report.cost import JobCost, by_stage, read_jobs
from hakken.report.tokens import Rates, read_rates

HOUR = 3600.0


def job(stage: str, name: str, seconds: float, *costs: float, made_of: str = "", makes: str = "") -> JobCost:
    """A job; its files are letters."""
    cpu, gpu, peak, *unfinished = costs
    found = JobCost(stage, name, seconds, cpu, gpu, peak, inputs=tuple(made_of), outputs=tuple(makes))
    if not unfinished:
        return found
    number, lost, lost_cpu = unfinished
    return replace(found, unfinished=int(number), unfinished_seconds=lost, unfinished_cpu_seconds=lost_cpu)


JOBS = (
    job("figure", "froc", HOUR / 2, HOUR / 4, 0.0, 90, made_of="pt", makes="f"),
    job("figure", "search", HOUR, HOUR, 0.0, 90, made_of="mt", makes="s"),
    job("predict", "selected", HOUR, HOUR, HOUR, 300, made_of="mb", makes="p"),
    job("prepare", "test-000", HOUR, 2 * HOUR, 0.0, 100, made_of="t", makes="b"),
    job("prepare", "train-000", HOUR, HOUR, 0.0, 100, made_of="t", makes="a"),
    job("trial", "n4-r1-0003", HOUR, HOUR, HOUR, 500, made_of="a", makes="c"),
    job("trial", "search-0000", 2 * HOUR, HOUR, 4 * HOUR, 500, 1, HOUR, 0.5 * HOUR, made_of="a", makes="mn"),
)


def test_a_figure_needs_what_its_files_were_made_from() -> None:
    froc, search, predict, test, train, other, trial = JOBS
    assert needed(froc, JOBS) == (froc, predict, test, train, trial)
    assert needed(search, JOBS) == (search, train, trial)  # no test case
    assert needed(train, JOBS) == (train,)
    assert needed(other, JOBS) == (train, other)  # of the comparison of numbers of slots


def test_jobs_that_are_made_of_each_other_end() -> None:
    """Whatever the records say, walking back ends: a trial reads and writes the ledger of its sweep."""
    one, other = (
        job("trial", "0", 1, 1, 0, 1, made_of="y", makes="x"),
        job("trial", "1", 1, 1, 0, 1, made_of="x", makes="y"),
    )
    assert needed(one, (one, other)) == (one, other)


def test_jobs_that_figures_share_are_counted_in_each() -> None:
    froc, search = figure_charges(["froc", "search"], JOBS, Rates())
    assert froc == Charge("froc", 5, 1 + 2 + 1.5 + 1 + 0.25, 5.0, None)
    assert search == Charge("search", 3, 1 + 1.5 + 1, 4.0, None)


def test_a_figure_without_a_record_of_its_cost_is_not_charged() -> None:
    assert [charge.name for charge in figure_charges(["strata", "search"], JOBS, Rates())] == ["search"]


def test_a_job_is_charged_for_its_gpus_or_for_its_node() -> None:
    charges = {charge.name: charge.tokens for charge in stage_charges(JOBS, Rates(3.0, 1.0))}
    assert charges == {"figure": 1.5, "predict": 3.0, "prepare": 2.0, "trial": 15.0}
    assert stage_charges(JOBS, Rates(gpu_hour=3.0))[2].tokens == 0.0


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
        "predict/selected": attempt
        | {"unfinished": [attempt, attempt], "files": {"inputs": ["a", "b"], "outputs": ["c"]}},
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
    files = (("a", "b"), ("c",))
    assert predict == JobCost("predict", "selected", 60.0, 50.0, 180.0, 400.0, 2, 120.0, 100.0, *files)
    assert trial == JobCost("trial", "search-0003", 60.0, 50.0, 480.0, 400.0, 1, 60.0, 50.0)
    stages = {stage.stage: stage for stage in by_stage((check, predict, trial))}
    assert stages["predict"].cpu_hours == pytest.approx(150 / 3600)
    assert stages["predict"].typical_cpu_seconds == 50.0  # a typical job has no unfinished attempt
    assert stages["predict"].gpu_hours == pytest.approx(180 / 3600)
    assert stages["check"].gpu_seconds == ()
