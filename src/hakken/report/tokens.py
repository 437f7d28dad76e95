"""Tokens, points, core-hours: what a site counts for an hour of a GPU or of a node, where it counts anything."""

from __future__ import annotations

from dataclasses import dataclass

from hakken.core.errors import HakkenError

PER_GPU_HOUR = "tokens_per_gpu_hour"
PER_NODE_HOUR = "tokens_per_node_hour"


@dataclass(frozen=True)
class Rates:
    """Tokens for an hour of one GPU, and of one node in a job without a GPU; None where nothing is counted."""

    gpu_hour: float | None = None
    node_hour: float | None = None

    @property
    def counted(self) -> bool:
        """Whether the site counts anything."""
        return self.gpu_hour is not None or self.node_hour is not None

    def tokens(self, gpu_hours: float, node_hours: float) -> float:
        """Return the tokens of hours of GPUs and of hours of nodes without."""
        return gpu_hours * (self.gpu_hour or 0) + node_hours * (self.node_hour or 0)


def read_rates(gpu_hour: object, node_hour: object) -> Rates:
    """Return the rates that a profile says; raises HakkenError where one is no number of 0 or more."""
    return Rates(_rate(PER_GPU_HOUR, gpu_hour), _rate(PER_NODE_HOUR, node_hour))


def _rate(key: str, value: object) -> float | None:
    if value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise HakkenError(f"the profile's `default-resources`: `{key}` is {value!r}, not a number of 0 or more")
    return number
