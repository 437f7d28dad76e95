"""The queues of a scheduler and what they allow, read from its own commands.

Slurm says it in `sinfo` and `scontrol show partition`, PBS in `qstat -Qf`. PJM lists its resource groups in
`pjstat --rsc`; what they allow stands in columns that differ from site to site, and is not read.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, replace

from hakken.core.errors import HakkenError

SINFO = ("sinfo", "--noheader", "--Node", "--format", "%P|%a|%l|%N|%c|%m|%G|%T")
SCONTROL = ("scontrol", "show", "partition", "--oneliner")
QSTAT = ("qstat", "-Qf")
PJSTAT = ("pjstat", "--rsc")
PATIENCE = 60  # seconds until a command of the scheduler counts as dead
OUT_OF_USE = ("down", "drain", "fail", "inval", "unknown", "future", "power")
UNITS = {"b": 2**-20, "kb": 2**-10, "mb": 1, "gb": 2**10, "tb": 2**20, "pb": 2**30}


@dataclass(frozen=True)
class Size:
    """What one node offers to a job: processors, memory in MB, GPUs; None where that is not known."""

    cpus: int | None = None
    mem_mb: int | None = None
    gpus: int | None = None


@dataclass(frozen=True)
class Queue:
    """A partition, queue or resource group: the longest job in ``minutes`` and the nodes it may take, None: no limit.

    ``sizes`` are those of its nodes; ``alive`` of them can be used now. A queue that is not ``open`` takes no job.
    """

    name: str
    open: bool = True
    default: bool = False
    minutes: int | None = None
    nodes: int | None = None
    sizes: tuple[Size, ...] = ()
    alive: int | None = None


def describe(queue: Queue) -> str:
    """Return what a queue allows, in words."""
    words = ["no limit of time" if queue.minutes is None else f"up to {queue.minutes} minutes"]
    kinds = dict.fromkeys(queue.sizes)
    for size in kinds:
        has = ((size.cpus, "processors"), (size.mem_mb, "MB"), (size.gpus, "GPUs"))
        listed = ", ".join(f"{value} {unit}" for value, unit in has if value is not None)
        count = "" if queue.alive is None else f"{queue.sizes.count(size)} nodes of "
        words += [count + listed] if listed else []
    words += (
        [f"{len(queue.sizes) - queue.alive} nodes out of use"] if queue.alive not in (None, len(queue.sizes)) else []
    )
    words += [] if queue.open else ["takes no jobs at present"]
    return "; ".join(words) + (" (default)" if queue.default else "")


def read_queues(scheduler: str) -> tuple[Queue, ...]:
    """Return the queues of ``scheduler`` (Slurm, PBS or PJM); raises HakkenError where it does not answer."""
    if scheduler == "Slurm":
        return parse_slurm(_said(SINFO), _said(SCONTROL))
    return parse_pbs(_said(QSTAT)) if scheduler == "PBS" else parse_pjm(_said(PJSTAT))


def _said(command: tuple[str, ...]) -> str:
    if shutil.which(command[0]) is None:
        raise HakkenError(f"there is no `{command[0]}` on this machine; run this on the login node of the cluster")
    try:
        run = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise HakkenError(f"`{command[0]}` does not answer within {PATIENCE} s; try again later") from None
    if run.returncode:
        said = (run.stderr or run.stdout).strip().splitlines() or [f"status {run.returncode}"]
        raise HakkenError(f"`{command[0]}` fails: {said[-1]}")
    return run.stdout


def parse_slurm(sinfo: str, scontrol: str) -> tuple[Queue, ...]:
    """Return the partitions in the lines of `sinfo` (one a node and partition) with the limits of `scontrol`."""
    found: dict[str, Queue] = {}
    for line in filter(None, sinfo.splitlines()):
        name, state, limit, _, cpus, memory, gres, node = line.split("|")
        queue = found.get(name.rstrip("*")) or Queue(
            name.rstrip("*"), state == "up", name.endswith("*"), parse_minutes(limit), alive=0
        )
        size = Size(_leading(cpus), _leading(memory), count_gpus(gres))
        used = not node.startswith(OUT_OF_USE)
        found[queue.name] = replace(queue, sizes=(*queue.sizes, size), alive=(queue.alive or 0) + used)
    for line in filter(None, scontrol.splitlines()):
        limits = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if limits["PartitionName"] in found:
            queue = found[limits["PartitionName"]]
            most = Size(_limit(limits.get("MaxCPUsPerNode")), _limit(limits.get("MaxMemPerNode")), None)
            sizes = tuple(
                replace(one, cpus=_least(one.cpus, most.cpus), mem_mb=_least(one.mem_mb, most.mem_mb))
                for one in queue.sizes
            )
            found[queue.name] = replace(queue, nodes=_limit(limits.get("MaxNodes")), sizes=sizes)
    return tuple(found.values())


def parse_pbs(qstat: str) -> tuple[Queue, ...]:
    """Return the execution queues in the text of `qstat -Qf`; long values go on in lines that begin with a tab."""
    queues = []
    for block in re.split(r"^Queue: ", qstat.replace("\n\t", ""), flags=re.MULTILINE)[1:]:
        name, *lines = block.splitlines()
        said = dict(line.strip().split(" = ", 1) for line in lines if " = " in line)
        most = {key.removeprefix("resources_max."): value for key, value in said.items() if "resources_max." in key}
        memory = most.get("mem")
        size = Size(_limit(most.get("ncpus")), _megabytes(memory) if memory else None, _limit(most.get("ngpus")))
        taken = said.get("enabled") == "True" and said.get("started") == "True"
        minutes = _walltime(most["walltime"]) if "walltime" in most else None
        queues.append(Queue(name.strip(), taken, False, minutes, _limit(most.get("nodect")), (size,)))
    return tuple(queues)


def parse_pjm(pjstat: str) -> tuple[Queue, ...]:
    """Return every word of `pjstat --rsc` as a resource group: sites show them as trees and tables of their own."""
    return tuple(Queue(name) for name in dict.fromkeys(re.findall(r"[\w.-]+", pjstat)))


def parse_minutes(text: str) -> int | None:
    """Return a limit of time in minutes, rounded down; None for no limit.

    >>> [parse_minutes(text) for text in ("1-12:00:00", "12:30:00", "30:00", "90", "infinite")]
    [2160, 750, 30, 90, None]
    """
    if not text[:1].isdigit():
        return None
    days, _, rest = text.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if not days and len(parts) < 3:  # minutes, or minutes:seconds
        return parts[0]
    hours, minutes = [*parts, 0][:2]  # hours:minutes:seconds, and after days hours alone as well
    return int(days or 0) * 1440 + hours * 60 + minutes


def count_gpus(gres: str) -> int:
    """Return the GPUs that a node's list of generic resources names.

    >>> [count_gpus(text) for text in ("gpu:a100:4(S:0-1)", "gpu:2", "gpu:a:2,gpu:b:1,nvme:1", "(null)")]
    [4, 2, 3, 0]
    """
    return sum(int(count) for count in re.findall(r"\bgpu(?::[^:,()]+)?:(\d+)", gres))


def _leading(text: str) -> int:
    """Return a number that may end in `+`, as where nodes of one line differ."""
    return int(re.match(r"\d*", text)[0] or 0)  # type: ignore[index]


def _limit(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _least(one: int | None, other: int | None) -> int | None:
    known = [value for value in (one, other) if value is not None]
    return min(known, default=None)


def _walltime(text: str) -> int | None:
    return int(text) // 60 if text.isdecimal() else parse_minutes(text)  # a bare number is of seconds


def _megabytes(text: str) -> int | None:
    match = re.fullmatch(r"(\d+)([a-z]*)", text.lower())
    return int(int(match[1]) * UNITS.get(match[2] or "b", 0)) if match else None
