"""What a run has cost, from the files that every stage leaves beside its log."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hakken.core.files import read_json

COST = ".cost.json"
TRIAL = "trial"


@dataclass(frozen=True)
class JobCost:
    """One job: wall-clock, CPU and GPU seconds of the attempt that ended well and of the earlier ones that did not.

    ``gpu_seconds`` are those of all its GPUs together. ``unfinished`` attempts were killed or failed. ``inputs`` and
    ``outputs`` are the paths of its files.
    """

    stage: str
    job: str
    seconds: float
    cpu_seconds: float
    gpu_seconds: float
    peak_mb: float
    unfinished: int = 0
    unfinished_seconds: float = 0.0
    unfinished_cpu_seconds: float = 0.0
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def all_seconds(self) -> float:
        """Wall-clock seconds of all attempts."""
        return self.seconds + self.unfinished_seconds

    @property
    def all_cpu_seconds(self) -> float:
        """CPU seconds of all attempts."""
        return self.cpu_seconds + self.unfinished_cpu_seconds


@dataclass(frozen=True)
class StageCost:
    """The finished jobs of one stage: wall-clock and CPU seconds of each, and the largest resident memory in MB.

    ``gpu_seconds`` are of those jobs that used a GPU. The costs of ``unfinished`` attempts stand apart: a typical job
    has none.
    """

    stage: str
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    peak_mb: float
    gpu_seconds: tuple[float, ...] = ()
    unfinished: int = 0
    unfinished_cpu_seconds: float = 0.0

    @property
    def jobs(self) -> int:
        """Number of finished jobs."""
        return len(self.seconds)

    @property
    def typical_seconds(self) -> float:
        """Median wall-clock seconds of a job."""
        return statistics.median(self.seconds)

    @property
    def typical_cpu_seconds(self) -> float:
        """Median CPU seconds of a job."""
        return statistics.median(self.cpu_seconds)

    @property
    def cpu_hours(self) -> float:
        """CPU-hours of all jobs, with those of unfinished attempts."""
        return (sum(self.cpu_seconds) + self.unfinished_cpu_seconds) / 3600

    @property
    def gpu_hours(self) -> float:
        """GPU-hours of all jobs."""
        return sum(self.gpu_seconds) / 3600


def read_jobs(logs: Path) -> tuple[JobCost, ...]:
    """Read `<stage>/<job>.cost.json` below the folder ``logs``, in the order of the names.

    GPU seconds of a training are those of its attempts, or of its record where that is more: the record counts all its
    GPUs, but no work that was lost.
    """
    return tuple(
        _job(folder.name, path, logs.parent)
        for folder in sorted(path for path in logs.glob("*") if path.is_dir())
        for path in sorted(folder.glob(f"*{COST}"))
    )


def read_costs(logs: Path) -> tuple[StageCost, ...]:
    """Return the costs of the stages whose jobs left theirs below the folder ``logs``, in the order of the names."""
    return by_stage(read_jobs(logs))


def by_stage(jobs: tuple[JobCost, ...]) -> tuple[StageCost, ...]:
    """Return the costs of jobs, gathered by stage."""
    stages: dict[str, list[JobCost]] = {}
    for job in jobs:
        stages.setdefault(job.stage, []).append(job)
    return tuple(
        StageCost(
            stage,
            tuple(job.seconds for job in found),
            tuple(job.cpu_seconds for job in found),
            max(job.peak_mb for job in found),
            tuple(job.gpu_seconds for job in found if job.gpu_seconds),
            sum(job.unfinished for job in found),
            sum(job.unfinished_cpu_seconds for job in found),
        )
        for stage, found in stages.items()
    )


def _job(stage: str, path: Path, results: Path) -> JobCost:
    said, name = read_json(path), path.name.removesuffix(COST)
    earlier = said.get("unfinished", [])
    gpu_seconds = _sum([said, *earlier], "gpu_seconds")
    sweep, _, number = name.rpartition("-")
    record = results / "sweeps" / sweep / "trials" / f"{number}.json"
    if stage == TRIAL and record.is_file():
        gpu_seconds = max(gpu_seconds, float(read_json(record).get("gpu_seconds", 0.0)))
    return JobCost(
        stage,
        name,
        float(said["seconds"]),
        float(said["cpu_seconds"]),
        gpu_seconds,
        float(said["peak_mb"]),
        len(earlier),
        _sum(earlier, "seconds"),
        _sum(earlier, "cpu_seconds"),
        tuple(said.get("files", {}).get("inputs", ())),
        tuple(said.get("files", {}).get("outputs", ())),
    )


def _sum(attempts: list[Mapping[str, Any]], key: str) -> float:
    return sum(float(attempt.get(key, 0.0)) for attempt in attempts)
