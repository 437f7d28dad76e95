"""When a sweep gives up, and what it says then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.runs.streak import failing_streak, require_progress


def record(number: int, end: int, reason: str | None = None) -> dict[str, Any]:
    """A trial that ended in minute ``end``, failed where there is a reason."""
    state = "failed" if reason else "complete"
    return {"number": number, "state": state, "reason": reason, "end": f"2026-01-01T00:{end:02d}:00+00:00"}


def test_the_streak_is_what_failed_since_the_last_success_in_order_of_finishing() -> None:
    records = [record(0, 1, "diverged"), record(1, 9, "invalid"), record(2, 5), record(3, 6, "diverged")]
    assert [failed["number"] for failed in failing_streak(records)] == [3, 1]
    assert failing_streak([*records, record(4, 10)]) == []
    assert failing_streak([]) == []


def test_a_pruned_trial_is_no_failure() -> None:
    pruned = record(1, 2) | {"state": "pruned", "reason": "median rule"}
    assert failing_streak([record(0, 1, "diverged"), pruned]) == []


def test_of_segments_the_trainings_and_the_log_of_the_job_are_named() -> None:
    failed = record(7, 1, "diverged") | {"segment": {"training": 4, "job": 2}}
    with pytest.raises(HakkenError, match=r"1 diverged \(trial 4\).*\n.*logs/search-0002\.log"):
        require_progress("search", 1, [failed], Path("logs"))


def test_below_the_limit_the_sweep_goes_on() -> None:
    records = [record(number, number, "diverged") for number in range(3)]
    require_progress("search", 4, records, Path("logs"))
    require_progress("search", 3, [*records[:2], record(2, 2)], Path("logs"))


def test_at_the_limit_reasons_trials_logs_and_remedies_are_named() -> None:
    records = [
        record(0, 1),
        record(1, 2, "diverged"),
        record(3, 3, "out of memory"),
        record(2, 4, "diverged"),
        record(4, 5, "strange"),
    ]
    with pytest.raises(HakkenError) as caught:
        require_progress("search", 4, records, Path("results/a/tiny/logs/trial"))
    assert str(caught.value) == (
        "the last 4 trials of the sweep `search` failed, so no other is started:\n"
        "  2 diverged (trial 1, 2): lower the highest `learning_rate` of search.space\n"
        "  1 out of memory (trial 3): lower the highest `batch_size`, `patch_size` or `base_features`, or take a "
        "larger machine\n"
        "  1 strange (trial 4): see the logs\n"
        "Their logs stand in results/a/tiny/logs/trial, the last of them in "
        "results/a/tiny/logs/trial/search-0004.log.\n"
        "Nothing is lost. Mend the cause, then raise search.stop_after_failures (now 4) and start again: the sweep "
        "goes on.\nOr copy the study to a new name and change its space there."
    )
