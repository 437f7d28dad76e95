"""What Slurm itself wrote down of its jobs, and what follows from it. Times are seconds since the epoch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from loopback_slurm import Slurm

FIELD = re.compile(r"(\S+?)=(\S*)")


@dataclass(frozen=True)
class Run:
    """One stay of a job on a node, from start to end; a job that Slurm put back into its queue has several."""

    state: str
    submitted: float
    started: float
    ended: float
    node: str

    @property
    def seconds(self) -> float:
        return self.ended - self.started


@dataclass(frozen=True)
class Job:
    """A job of Snakemake that has ended; ``name`` is its rule and its wildcards, ``gpus`` what it held."""

    number: str
    name: str
    gpus: int
    memory_mb: int
    minutes: int
    cpus: int
    runs: tuple[Run, ...]

    @property
    def rule(self) -> str:
        return self.name.removeprefix("rule_").partition("_wildcards_")[0]

    @property
    def trial(self) -> str:
        """The sweep and the number of a trial, as in `search_0003`."""
        return "_".join(self.name.split("_")[-2:])


@dataclass(frozen=True)
class Step:
    """A task of a job: where it ran and which GPUs it could see."""

    job: str
    step: str
    node: str
    gpus: tuple[str, ...]


def jobs_of(slurm: Slurm, folder: Path) -> list[Job]:
    """Return the jobs that were submitted from ``folder`` and have ended, by number."""
    runs: dict[str, list[Run]] = {}
    for line in (slurm.folder / "log/ended.txt").read_text().splitlines():
        fields = dict(FIELD.findall(line))
        runs.setdefault(fields["JobId"], []).append(_run(fields))
    jobs = []
    for line in slurm.command("scontrol", "--oneliner", "--details", "show", "job").splitlines():
        fields = dict(FIELD.findall(line))
        if fields.get("WorkDir") == str(folder) and fields["JobId"] in runs:
            jobs.append(_job(fields, runs[fields["JobId"]]))
    return sorted(jobs, key=lambda job: int(job.number))


def steps_of(slurm: Slurm) -> list[Step]:
    """Return every task that has started."""
    words = [line.split() for line in (slurm.folder / "log/tasks.txt").read_text().splitlines()]
    return [Step(*line[:-2], line[-2], () if line[-1] == "none" else tuple(line[-1].split(","))) for line in words]


def most_at_once(runs: Iterable[Run]) -> int:
    """Return how many runs there were at once at most; one that begins in the second of an end comes after it."""
    runs = list(runs)
    changes = sorted([(run.started, 1) for run in runs] + [(run.ended, -1) for run in runs])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def utilisation(runs: Sequence[Run], slots: int) -> float:
    """Return the part of the slots' time, from the first submission to the last end, in which they were busy."""
    span = max(run.ended for run in runs) - min(run.submitted for run in runs)
    return sum(run.seconds for run in runs) / (slots * span)


def _run(fields: dict[str, str]) -> Run:
    submitted, started, ended = (
        datetime.fromisoformat(fields[key]).timestamp() for key in ("SubmitTime", "StartTime", "EndTime")
    )
    return Run(fields["JobState"], submitted, started, ended, fields["NodeList"])


def _job(fields: dict[str, str], runs: list[Run]) -> Job:
    gpus = re.search(r"gres:gpu(?::\w+)?:(\d+)", fields.get("TresPerJob", ""))
    memory = re.search(r"\bmem=([\d.]+)([MG])", fields["TRES"])
    assert memory, fields["TRES"]
    hours, minutes, _ = fields["TimeLimit"].rpartition("-")[2].split(":")
    return Job(
        number=fields["JobId"],
        name=fields.get("Comment", ""),
        gpus=int(gpus[1]) if gpus else 0,
        memory_mb=round(float(memory[1]) * (1024 if memory[2] == "G" else 1)),
        minutes=60 * int(hours) + int(minutes),
        cpus=int(fields["NumCPUs"]),
        runs=tuple(runs),
    )


@dataclass(frozen=True)
class Running:
    """A trial that runs now."""

    job: str
    name: str
    node: str
    started: float


def running(slurm: Slurm, folder: Path, rule: str = "trial") -> list[Running]:
    """Return the jobs of a rule that run now and were submitted from ``folder``; none while Slurm does not answer."""
    found = []
    for line in slurm.command("scontrol", "--oneliner", "show", "job", check=False).splitlines():
        fields = dict(FIELD.findall(line))
        comment = fields.get("Comment", "")
        if (
            fields.get("WorkDir") == str(folder)
            and fields["JobState"] == "RUNNING"
            and comment.startswith(f"rule_{rule}_")
        ):
            name = "_".join(comment.split("_")[-2:])
            started = datetime.fromisoformat(fields["StartTime"]).timestamp()
            found.append(Running(fields["JobId"], name, fields["NodeList"], started))
    return found
