"""What a study will cost: jobs of each stage, and hours from the timings of earlier runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hakken.cohort.batches import CohortPlan
from hakken.files import read_json
from hakken.report.cost import StageCost, read_costs
from hakken.study import Study
from hakken.training.grid_plan import cells_of
from hakken.training.sweep import SEARCH, apart_sweeps, comparison_sweeps, settings_of


@dataclass(frozen=True)
class PlannedStage:
    """The jobs of one stage; hours are None where no earlier run tells."""

    stage: str
    jobs: int
    cpu_hours: float | None
    gpu_hours: float | None


def count_jobs(plan: CohortPlan) -> dict[str, int]:
    """Return the number of jobs of each stage of a study, in the order in which they run."""
    total = sum(len(batches) for batches in plan.batches.values())
    apart = len(apart_sweeps(plan.study))
    phantom = {"phantom_table": 1, "phantom": total} if plan.study.cohort.phantom else {}
    return phantom | {
        "check": total,
        "separate": 2,
        "register": total,
        "prepare": total,
        "patches": 1,
        "trial": plan.study.search.trials + 1 + apart,  # the untuned default beside the search, depths trained apart
        "sweep_table": 1,
        "select_trial": 1,
        "freeze": 1,
        "unseal": 1,
        "predict": 2 + apart,
        **_evaluations(plan.study, apart),
        **_grid(plan.study),
        **{f"figure_{figure}": 1 for figure in plan.study.figures},
        "summary": 1,
        "report": 1,
    }


def _evaluations(study: Study, apart: int) -> dict[str, int]:
    """Return the jobs that measure predictions, by the rules of the task; ``apart`` depths are trained apart."""
    if study.task == "segmentation":
        baseline = {"gather_apart": apart, "colour_threshold": 1, "apply_threshold": 1}
        measured = 2 * (2 + apart) + 1  # every model on validation and on the test set, and there the threshold too
        return {"evaluate_masks": measured, "optimism": 1, **baseline, "size_costs": 1, "size_table": 1}
    if study.task == "classification":
        return {"evaluate_classes": 4, "optimism": 1}
    cases = {"case_table": 4, "reconstruct": 1} if study.of_cases else {}
    expected = {"expect": 2, "calibrate": 2, "baseline": 1} if study.expects else {}
    return {"evaluate": 4, "optimism": 1, **cases, **expected}


def _grid(study: Study) -> dict[str, int]:
    """Return the jobs of the grid, where a study has one and draws it."""
    if "grid" not in study.figures:
        return {}
    return {"grid_crops": 1, "grid_cell": len(cells_of(study)), "grid_table": 1}


def describe_search(study: Study) -> list[str]:
    """Return in two or three lines who proposes, what the search begins with, and when it stops."""
    search, start = study.search, study.search.warm_start
    begins = ["the study's own parameters"] if settings_of(study, SEARCH).first else []
    if start is not None and study.source is not None:
        what = f"the {start.top} best" if start.mode == "first" else "all trials, as a prior,"
        begins.append(f"{what} of {study.source[0]} at scale {study.source[1]}")
    begin = f"begins with {' and '.join(begins)}; " if begins else ""
    early = ", ends trainings below the median of the others" if search.stopping == "median" else ""
    lines = [
        f"search: {search.trials} trials, {search.slots} trainings at once, proposed by `{search.sampler}`",
        f"  {begin}stops after {search.stop_after_failures} failures in a row{early}",
    ]
    if sweeps := comparison_sweeps(study):
        total = sum(sweep.trials for sweep in sweeps)
        lines.append(f"target `comparison`, not counted here: {total} trials in {len(sweeps)} sweeps")
    return lines


def plan_stages(plan: CohortPlan, costs: tuple[StageCost, ...], gpu_seconds: float | None) -> list[PlannedStage]:
    """Combine the jobs of a study with the typical cost of a job; ``gpu_seconds`` is that of one training."""
    known = {cost.stage: cost for cost in costs}
    return [
        PlannedStage(
            stage,
            jobs,
            jobs * known[stage].typical_cpu_seconds / 3600 if stage in known else None,
            jobs * gpu_seconds / 3600 if stage == "trial" and gpu_seconds is not None else None,
        )
        for stage, jobs in count_jobs(plan).items()
    ]


def earlier_run(results: Path, study: str, scale: str) -> Path | None:
    """Return the results folder whose timings fit best: this study at this scale, at another scale, any study."""
    folders = [path.parent for path in sorted(results.glob("*/*/logs"))]
    ranks = {folder: (folder.parent.name == study, folder.name == scale) for folder in folders}
    return max(folders, key=lambda folder: ranks[folder], default=None)


def earlier_costs(folder: Path) -> tuple[tuple[StageCost, ...], float | None]:
    """Return the costs of an earlier run and the mean GPU-seconds of its trainings, None where it used no GPU."""
    trials = [read_json(path) for path in sorted(folder.glob("sweeps/*/trials/*.json"))]
    seconds = [float(trial["gpu_seconds"]) for trial in trials]
    return read_costs(folder / "logs"), sum(seconds) / len(seconds) if any(seconds) else None


def longest_training(folder: Path) -> float | None:
    """Return the seconds of the longest training of an earlier run, None where it has none."""
    trials = (read_json(path) for path in sorted(folder.glob("sweeps/*/trials/*.json")))
    return max((float(trial["seconds"]) for trial in trials if "seconds" in trial), default=None)
