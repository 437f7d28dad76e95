"""What a run has cost, from the files that every stage leaves beside its log."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

from hakken.files import read_json


@dataclass(frozen=True)
class StageCost:
    """The finished jobs of one stage: wall-clock and CPU seconds of each, and the largest resident memory in MB."""

    stage: str
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    peak_mb: float

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


def read_costs(logs: Path) -> tuple[StageCost, ...]:
    """Read `<stage>/<job>.cost.json` below the folder ``logs``; stages in the order of their names."""
    costs = []
    for folder in sorted(path for path in logs.glob("*") if path.is_dir()):
        jobs = [read_json(path) for path in sorted(folder.glob("*.cost.json"))]
        if jobs:
            wall, cpu, memory = (
                tuple(float(job[key]) for job in jobs) for key in ("seconds", "cpu_seconds", "peak_mb")
            )
            costs.append(StageCost(folder.name, wall, cpu, max(memory)))
    return tuple(costs)
