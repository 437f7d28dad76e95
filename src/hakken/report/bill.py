"""The bill of a run: what each figure has cost, with every job that it needs, and what that is in a site's tokens.

Which jobs a figure needs stands in tables of patterns of `<stage>/<job>`; a test compares them with the graph of jobs
of studies of every task. All figures wait for the opening of the test set, so all need what leads to the freeze.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hakken.report.cost import JobCost
from hakken.report.tokens import Rates

UNTIL_THE_OPENING = (
    "phantom_table/*",
    *(f"{stage}/{part}-*" for stage in ("phantom", "check", "register", "prepare") for part in ("train", "validation")),
    "separate/development",
    "patches/*",
    *(f"trial/{sweep}-*" for sweep in ("search", "default", "apart")),
    "select_trial/*",
    "colour_threshold/*",
    "gather_apart/*",
    *(f"evaluate{task}/validation-*" for task in ("", "_masks", "_classes")),
    "freeze/*",
    "unseal/*",
)
TEST_CHANNELS = ("phantom/test-*", "check/test-*", "register/test-*")
TEST_CASES = (*TEST_CHANNELS, "prepare/test-*")
SELECTED_ON_TEST = (*TEST_CASES, "separate/test", "predict/selected")
MEASURED_ON_TEST = (*SELECTED_ON_TEST, *(f"evaluate{task}/test-selected" for task in ("", "_masks", "_classes")))
BOTH_ON_TEST = (*MEASURED_ON_TEST, "predict/default", "evaluate/test-default")
NEEDS: dict[str, tuple[str, ...]] = {
    "froc": BOTH_ON_TEST,
    "roc": BOTH_ON_TEST,
    "search": (),
    "learnt": (),
    "strata": MEASURED_ON_TEST,
    "overlays": MEASURED_ON_TEST,
    "anomalies": (*MEASURED_ON_TEST, "reconstruct/*"),
    "registration": TEST_CHANNELS,
    "calibration": (*TEST_CASES, "expect/*-selected", "calibrate/*-selected"),
    "expectations": (*MEASURED_ON_TEST, "expect/test-selected"),
    "baseline": (*SELECTED_ON_TEST, "baseline/*"),
    "segmentations": MEASURED_ON_TEST,
    "sizes": (
        *MEASURED_ON_TEST,
        "predict/*",
        "evaluate_masks/test-*",
        "apply_threshold/*",
        "size_costs/*",
        "size_table/*",
    ),
    "confusion": MEASURED_ON_TEST,
    "grid": ("grid_crops/*", "grid_cell/*", "grid_table/*"),
}


@dataclass(frozen=True)
class Charge:
    """What some jobs have cost together; ``tokens`` are None where the site counts none."""

    name: str
    jobs: int
    cpu_hours: float
    gpu_hours: float
    tokens: float | None


def needs(figure: str, stage: str, job: str) -> bool:
    """Whether a figure is drawn from what a job has made, directly or through others; its own drawing is part of it."""
    patterns = (*UNTIL_THE_OPENING, *NEEDS[figure], f"figure_{figure}/*")
    return any(fnmatchcase(f"{stage}/{job}", pattern) for pattern in patterns)


def figure_charges(figures: Iterable[str], jobs: tuple[JobCost, ...], rates: Rates) -> tuple[Charge, ...]:
    """Return what each figure has cost, with all jobs that it needs: a job that several need is counted in each."""
    return tuple(
        charge(figure, [job for job in jobs if needs(figure, job.stage, job.job)], rates) for figure in figures
    )


def stage_charges(jobs: tuple[JobCost, ...], rates: Rates) -> tuple[Charge, ...]:
    """Return what each stage has cost, in the order of the jobs."""
    stages = dict.fromkeys(job.stage for job in jobs)
    return tuple(charge(stage, [job for job in jobs if job.stage == stage], rates) for stage in stages)


def charge(name: str, jobs: Iterable[JobCost], rates: Rates) -> Charge:
    """Return what jobs have cost together: a job with a GPU is charged for its GPUs, another for one node."""
    chosen = list(jobs)
    gpu_hours = sum(job.gpu_seconds for job in chosen) / 3600
    node_hours = sum(job.all_seconds for job in chosen if not job.gpu_seconds) / 3600
    return Charge(
        name,
        len(chosen),
        sum(job.all_cpu_seconds for job in chosen) / 3600,
        gpu_hours,
        rates.tokens(gpu_hours, node_hours) if rates.counted else None,
    )
