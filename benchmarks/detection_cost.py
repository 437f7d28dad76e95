"""What a training costs, counted alike for all: CPU-seconds of a process and its children, and its peak memory."""

from __future__ import annotations

import resource

WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def cpu_seconds() -> float:
    """Return user and system time of this process and of its ended children so far."""
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, WHO))


def peak_memory_mb() -> float:
    """Return the most memory that this process, or one of its children, has held."""
    return max(resource.getrusage(who).ru_maxrss for who in WHO) / 1024
