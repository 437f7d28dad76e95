"""Strong scaling: how much faster the same work is done by more processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scaled:
    """One training with so many ``processes``: seconds and objective at each measurement, all work done at the last.

    ``ran`` is how many processes there were at last: fewer, where the machine has fewer GPUs or threads. ``patches`` is
    how many it has seen; ``threads`` are the CPU threads of each process.
    """

    processes: int
    ran: int
    nodes: int
    threads: int
    device: str
    host: str
    jobs: int
    patches: int
    seconds: tuple[float, ...]
    objectives: tuple[float, ...]

    @property
    def total(self) -> float:
        """Seconds of the whole training, measurements included."""
        return self.seconds[-1]

    @property
    def throughput(self) -> float:
        """Patches per second."""
        return self.patches / self.total

    @property
    def best(self) -> float:
        """The best objective."""
        return max(self.objectives)


def speed(one: Scaled, first: Scaled) -> float:
    """Return how many times as fast as the first a training was."""
    return first.total / one.total


def efficiency(one: Scaled, first: Scaled) -> float:
    """Return the speed as a share of what the number of processes would give."""
    return speed(one, first) * first.processes / one.processes
