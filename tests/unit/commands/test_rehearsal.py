"""A study tried for a moment: what is timed, what a job then costs, and that nothing stops it or is left behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from hakken.commands.rehearsal import Rehearsal, costs_of, rehearse
from hakken.runs.configured import plan_of
from hakken.runs.plan import Plan
from hakken.study.reading import load_study

from ..miniature import study
from ..runs.plans import FOLDS, PARTS, planned

SMOKE = Path(__file__).resolve().parents[2] / "workflow" / "studies" / "smoke.yaml"
EVERY = {
    "start": (1.0, 2.0),
    "start with torch": (3.0, 4.0),
    "step": (0.5, 0.25),
    "objective": (2.0, 1.0),
    "prediction": (4.0, 2.0),
    "prepare": (0.5, 1.0),
    "patches": (0.2, 0.2),
}


def seconds(plan: Plan, jobs: dict[str, int], spent: dict[str, tuple[float, float]] | None = None) -> dict[str, float]:
    found = Rehearsal(dict(EVERY if spent is None else spent))
    return {cost.stage: cost.typical_cpu_seconds * jobs[cost.stage] for cost in costs_of(plan, jobs, found)}


def test_jobs_cost_their_start_and_their_cases() -> None:
    plan = planned(study(training={"steps": 10, "validate_every": 4}), PARTS)
    jobs = {"prepare": 4, "patches": 1, "trial": 2, "shared": 1, "predict": 2, "report": 1, "baseline": 1}
    assert seconds(plan, jobs) == {
        "prepare": 4 * 1 + 5 * 0.5,
        "patches": 1 + 3 * 0.2,
        "trial": 2 * (3 + 10 * 0.5 + 3 * 1 * 2),  # measured at 4, 8 and 10 steps on one case
        "shared": 3,  # the start alone
        "predict": 2 * (3 + 1 * 4),
        "report": 1,
    }  # of a baseline nothing is known


def test_what_was_not_timed_is_not_known() -> None:
    plan, jobs = planned(study(), PARTS), {"prepare": 4, "trial": 2, "report": 1}
    assert seconds(plan, jobs, {"start": (1.0, 1.0)}) == {"report": 1.0}
    assert seconds(plan, jobs, {}) == {}


def test_with_folds_each_is_measured_in_turn() -> None:
    crossed = study(evaluation={"design": "cross_validation", "folds": 3}, training={"steps": 4, "validate_every": 4})
    plan = planned(crossed, FOLDS)
    assert seconds(plan, {"trial": 3}) == {"trial": pytest.approx(3 * (3 + 4 * 0.5 + 5 / 3 * 2))}


def test_watched_on_fewer_cases_all_are_measured_once_at_the_end() -> None:
    training = {"steps": 8, "validate_every": 4, "validate_cases": 1}
    plan = planned(study(evaluation={"design": "cross_validation", "folds": 3}, training=training), FOLDS)
    assert seconds(plan, {"trial": 1}) == {"trial": pytest.approx(3 + 8 * 0.5 + (2 * 1 + 5 / 3) * 2)}


def test_lines_that_are_cut_off_are_passed_over() -> None:
    found = Rehearsal()
    lines = ('{"what": "step", "spent": [1, 2]}', '{"what": "st', "", '{"what": "x", "failed": "no"}', '{"gpu": true}')
    for line in lines:
        found.note(line)
    assert (found.spent, found.failed, found.on_gpu, found.ended) == ({"step": (1.0, 2.0)}, {"x": "no"}, True, False)


def test_a_study_is_tried_in_a_folder_that_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    found = rehearse(plan_of(load_study(SMOKE, "tiny"), 8), 1, 300)
    assert found.ended
    assert found.failed == {}
    timed = {"start", "start with torch", "step", "phantom", "check", "register", "prepare", "patches"}
    assert set(found.spent) == timed | {"objective", "prediction"}
    assert all(cpu > 0 for cpu, _ in found.spent.values())
    assert list((tmp_path / "scratch").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]


def test_it_ends_when_its_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = rehearse(plan_of(load_study(SMOKE, "tiny"), 8), 1, 0.2)
    assert not found.ended
    assert "prediction" not in found.spent
