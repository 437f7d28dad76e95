"""What a run will cost on a site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hakken.cluster.forecast import Forecast, describe_chain, forecasts
from hakken.cluster.requests import Request
from hakken.cluster.site import Site
from hakken.core.errors import HakkenError
from hakken.report.cost import StageCost

NAMES = (("cpu_queue", "short"), ("gpu_queue", "share"))
CHECK = Request("check", 1, 60, 2000, 0, 1, NAMES)
TRIAL = Request("trial", 4, 720, 16000, 4, 1, NAMES)
PREDICT = Request("predict", 4, 120, 16000, 1, 1, NAMES)
JOBS = {CHECK: 10, TRIAL: 51, PREDICT: 2}
COSTS = (
    StageCost("check", (360.0,), (300.0,), 1.0),
    StageCost("predict", (180.0, 180.0), (90.0, 90.0), 1.0, (180.0, 180.0)),
)


def site(**defaults: object) -> Site:
    submit = "profiles/pjm/submit {rule}"
    return Site(Path("profile.yaml"), {"cluster-generic-submit-cmd": submit, "default-resources": defaults})


def test_hours_and_tokens() -> None:
    check, trial, predict = forecasts(JOBS, site(tokens_per_gpu_hour=3.0, tokens_per_node_hour=1.5), COSTS, 7200.0)
    assert check == Forecast("check", "short", 10, 0, 60, 10 * 300 / 3600, 0.0, 1.0 * 1.5)
    assert trial == Forecast("trial", "share", 51, 4, 720, None, 102.0, 306.0)
    assert predict == Forecast("predict", "share", 2, 1, 120, 2 * 90 / 3600, 0.1, pytest.approx(0.3))


def test_what_no_earlier_run_tells_is_not_known() -> None:
    check, trial, predict = forecasts(JOBS, site(tokens_per_gpu_hour=3), (), None)
    assert (check.cpu_hours, check.gpu_hours, check.tokens) == (None, 0.0, None)
    assert (trial.gpu_hours, trial.tokens) == (None, None)
    assert predict.gpu_hours is None


def test_a_training_that_is_taken_over_costs_no_hour_of_a_gpu() -> None:
    (shared,) = forecasts({replace(TRIAL, stage="shared"): 3}, site(tokens_per_gpu_hour=3.0), (), 7200.0)
    assert (shared.jobs, shared.gpu_hours, shared.tokens) == (3, 0.0, 0.0)


def test_a_site_that_counts_nothing() -> None:
    assert [row.tokens for row in forecasts(JOBS, site(), COSTS, 7200.0)] == [None] * 3


def test_a_rate_that_is_no_number() -> None:
    with pytest.raises(HakkenError, match="`tokens_per_node_hour` is 'one', not a number of 0 or more"):
        forecasts(JOBS, site(tokens_per_node_hour="one"), (), None)


def test_the_longest_chain() -> None:
    chain = Site(Path("p"), {"preemptible-rules": ["trial"], "preemptible-retries": 20})
    allowed = "a training is a chain of at most 21 jobs of 720 minutes, 252.0 h in all"
    assert describe_chain(TRIAL, chain, None) == f"{allowed}; no earlier training tells how long one takes"
    assert describe_chain(TRIAL, chain, 5400.0) == f"{allowed}; the longest of the earlier run took 1.50 h"
    assert describe_chain(TRIAL, site(), 13 * 3600.0) == (
        "a training is one job of 720 minutes, 12.0 h; the longest of the earlier run took 13.00 h; "
        "that is not enough: allow more minutes, or more retries"
    )
