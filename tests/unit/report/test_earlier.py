"""The plan of a study: jobs of each stage, and hours from earlier timings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.batches import plan_cohort
from hakken.report.cost import StageCost
from hakken.report.plan import count_jobs, describe_search, earlier_costs, earlier_run, plan_stages
from hakken.study import Study

PHANTOM = {"generator": "brain_metastasis", "cases": {"train": 5, "validation": 2, "test": 3}}


@pytest.fixture
def study() -> Study:
    """A phantom study of 10 cases and 4 trials with two figures."""
    content: dict[str, Any] = {
        "name": "example",
        "seed": 1,
        "cohort": {"phantom": PHANTOM},
        "channels": {"T1POST": {"modality": "mr"}},
        "reference": "T1POST",
        "search": {"trials": 4},
        "figures": ["froc", "search"],
    }
    return Study.model_validate(content)


def test_jobs_of_a_phantom_study(study: Study) -> None:
    jobs = count_jobs(plan_cohort(study, 2))
    batches = 3 + 1 + 2
    assert jobs == {
        "phantom_table": 1,
        "phantom": batches,
        "check": batches,
        "separate": 2,
        "register": batches,
        "prepare": batches,
        "patches": 1,
        "trial": 5,
        "sweep_table": 1,
        "select_trial": 1,
        "freeze": 1,
        "unseal": 1,
        "predict": 2,
        "evaluate": 4,
        "optimism": 1,
        "figure_froc": 1,
        "figure_search": 1,
        "summary": 1,
        "report": 1,
    }


def test_an_anomaly_study_has_tables_of_cases_and_errors(study: Study) -> None:
    jobs = count_jobs(plan_cohort(study.model_copy(update={"task": "anomaly", "figures": ("roc", "anomalies")}), 2))
    assert [stage for stage in jobs if stage not in count_jobs(plan_cohort(study, 2))] == [
        "case_table",
        "reconstruct",
        "figure_roc",
        "figure_anomalies",
    ]
    assert (jobs["case_table"], jobs["reconstruct"]) == (4, 1)


def test_a_study_of_expectation_has_a_calibration_and_a_baseline(study: Study) -> None:
    changed = {"training": study.training.model_copy(update={"network": "expectation_unet"}), "figures": ("baseline",)}
    jobs = count_jobs(plan_cohort(study.model_copy(update=changed), 2))
    more = {stage: jobs[stage] for stage in jobs if stage not in count_jobs(plan_cohort(study, 2))}
    assert more == {"expect": 2, "calibrate": 2, "baseline": 1, "figure_baseline": 1}


def searching(study: Study, **keys: Any) -> Study:
    content = study.model_dump(mode="json")
    return Study.model_validate(content | {"search": content["search"] | keys})


def test_a_segmentation_study_measures_masks_and_trains_each_depth_apart(study: Study) -> None:
    sizes = study.training.sizes.model_copy(update={"levels": (2, 3)})
    training = study.training.model_copy(update={"network": "unet", "sizes": sizes})
    changed = study.model_copy(update={"task": "segmentation", "training": training, "figures": ("sizes",)})
    before, jobs = count_jobs(plan_cohort(study, 2)), count_jobs(plan_cohort(changed, 2))
    assert (jobs["gather_apart"], jobs["evaluate_masks"], jobs["figure_sizes"]) == (2, 9, 1)
    assert jobs["trial"] == before["trial"] + 2
    assert jobs["predict"] == before["predict"] + 2
    assert "evaluate" not in jobs


def test_how_the_search_goes(study: Study) -> None:
    assert describe_search(study) == [
        "search: 4 trials, 8 trainings at once, proposed by `bayesian`",
        "  begins with the study's own parameters; stops after 10 failures in a row",
    ]
    plain = searching(study, default_first=False, sampler="sobol", stopping="median", stop_after_failures=3)
    assert describe_search(plain) == [
        "search: 4 trials, 8 trainings at once, proposed by `sobol`",
        "  stops after 3 failures in a row, ends trainings below the median of the others",
    ]


def test_what_the_search_starts_from_and_what_is_not_counted(study: Study) -> None:
    chosen = searching(study, warm_start={"study": "small", "scale": "tiny", "top": 5}, comparison={"repeats": 2})
    assert describe_search(chosen)[1:] == [
        "  begins with the study's own parameters and the 5 best of small at scale tiny; "
        "stops after 10 failures in a row",
        "target `comparison`, not counted here: 500 trials in 10 sweeps",
    ]
    assert (
        "all trials, as a prior, of small at scale paper"
        in describe_search(searching(study, warm_start={"study": "small", "mode": "prior"}))[1]
    )


def test_hours_come_from_a_typical_job(study: Study) -> None:
    costs = (StageCost("check", (9.0, 9.0, 9.0), (3.0, 6.0, 60.0), 1.0),)
    stages = {stage.stage: stage for stage in plan_stages(plan_cohort(study, 2), costs, gpu_seconds=720.0)}
    assert stages["check"].cpu_hours == pytest.approx(6 * 6.0 / 3600)
    assert stages["check"].gpu_hours is None
    assert stages["trial"].cpu_hours is None
    assert stages["trial"].gpu_hours == pytest.approx(5 * 720 / 3600)


def test_without_timings_hours_are_unknown(study: Study) -> None:
    for stage in plan_stages(plan_cohort(study, 2), (), None):
        assert (stage.cpu_hours, stage.gpu_hours) == (None, None)


def test_the_nearest_earlier_run_is_taken(tmp_path: Path) -> None:
    assert earlier_run(tmp_path, "a", "tiny") is None
    expected = []
    for name in ("b/paper", "b/tiny", "a/small", "a/tiny"):
        (tmp_path / name / "logs").mkdir(parents=True)
        found = earlier_run(tmp_path, "a", "tiny")
        assert found is not None
        expected.append(found.relative_to(tmp_path).as_posix())
    assert expected == ["b/paper", "b/tiny", "a/small", "a/tiny"]


def test_costs_of_an_earlier_run(tmp_path: Path) -> None:
    for number, seconds in enumerate((100.0, 300.0)):
        path = tmp_path / "sweeps" / "search" / "trials" / f"{number:04d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"gpu_seconds": seconds}))
    (tmp_path / "logs" / "trial").mkdir(parents=True)
    (tmp_path / "logs" / "trial" / "a.cost.json").write_text('{"seconds": 5, "cpu_seconds": 9, "peak_mb": 100}')
    costs, gpu_seconds = earlier_costs(tmp_path)
    assert costs == (StageCost("trial", (5.0,), (9.0,), 100.0),)
    assert gpu_seconds == 200.0
    assert earlier_costs(tmp_path / "nowhere") == ((), None)


def test_a_run_without_a_gpu_tells_nothing_of_gpu_hours(tmp_path: Path) -> None:
    path = tmp_path / "sweeps" / "search" / "trials" / "0000.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"gpu_seconds": 0.0}))
    assert earlier_costs(tmp_path) == ((), None)
