"""A profile: which scheduler it is for, which queue a job goes to, how often a job is tried, and what an hour costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hakken.cluster.requests import Request
from hakken.report.tokens import PER_GPU_HOUR, PER_NODE_HOUR, Rates, read_rates
from hakken.study.reading import read_mapping

SCRIPTS = {"pjm": "PJM", "pbs": "PBS"}  # as the folders of the submit scripts are called
NO_QUEUE = "default"


@dataclass(frozen=True)
class Site:
    """What stands in the profile ``path``."""

    path: Path
    settings: Mapping[str, Any]

    @property
    def scheduler(self) -> str | None:
        """`Slurm`, `PBS` or `PJM`; None where the profile is for one machine, or for another scheduler."""
        if str(self.settings.get("executor")).startswith("slurm"):
            return "Slurm"
        words = str(self.settings.get("cluster-generic-submit-cmd", "")).split()
        return next((name for key, name in SCRIPTS.items() if words and f"{key}/" in words[0]), None)

    @property
    def rates(self) -> Rates:
        """The tokens of an hour, as `default-resources` says; raises HakkenError where they are no numbers."""
        said = self.settings.get("default-resources") or {}
        if isinstance(said, list):
            said = dict(str(line).split("=", 1) for line in said)
        return read_rates(said.get(PER_GPU_HOUR), said.get(PER_NODE_HOUR))

    def queue(self, request: Request) -> str:
        """Return the queue that a job goes to; `default` where the profile names none."""
        key = "slurm_partition" if self.scheduler == "Slurm" else "gpu_queue" if request.gpus else "cpu_queue"
        return request.name(key) or NO_QUEUE

    def attempts(self, stage: str) -> int | None:
        """Return how often a job of a stage that may be interrupted is started; None where the profile does not say."""
        if stage not in (self.settings.get("preemptible-rules") or ()):
            return None
        again = self.settings.get("preemptible-retries")
        return int(again) + 1 if isinstance(again, int) else None


def read_site(path: Path) -> Site:
    """Read a profile; raises HakkenError where it is no YAML mapping."""
    return Site(path, read_mapping(path))
