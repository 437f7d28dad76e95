"""What the jobs of a run ask for, as the workflow engine itself merges rules, profile and study: from its dry run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hakken.core.errors import HakkenError

JOB = re.compile(r"^rule (\w+):\n((?: {4}.*\n?)+)", re.MULTILINE)
FIELD = re.compile(r"^ {4}(threads|resources|log): (.*)$", re.MULTILINE)
RESOURCE = re.compile(r"(\w+)=(.*?)(?=, \w+=|$)")
BESIDE = ("tmpdir", "disk", "mem", "mem_mib", "slots_")  # what resources begin with that no queue is chosen by
UNBOUNDED = "1000000"  # else the cores of this machine would bound the processors of jobs elsewhere
TARGETS = ("all",)  # rules that make nothing and are no job of a scheduler


@dataclass(frozen=True)
class Request:
    """What one job of a ``stage`` asks for.

    ``minutes`` of wall clock, ``mem_mb`` and ``threads`` are for each of ``nodes`` nodes, ``gpus`` for all of them;
    None where neither rule nor profile says it. ``names`` holds the resources as they are merged, by name.
    """

    stage: str
    threads: int
    minutes: int | None
    mem_mb: int | None
    gpus: int
    nodes: int
    names: tuple[tuple[str, str], ...] = ()

    def name(self, key: str) -> str | None:
        """Return the resource ``key`` as text, None where the job has none."""
        return dict(self.names).get(key)

    @property
    def gpus_of_a_node(self) -> int:
        """The GPUs that each node must have."""
        return -(-self.gpus // self.nodes)


def ask(profile: str | None, study: str, scale: str) -> dict[Request, int]:
    """Return what the jobs of a study ask for, with the number of jobs of each kind, in the order of the engine.

    Nothing is run or written, and no scheduler is asked. Raises HakkenError with what the dry run said where it fails.
    """
    words = ["--dry-run", "--forceall", "--nolock", "--cores", UNBOUNDED, "--quiet", "host"]
    words += ["--config", f"study={study}", f"scale={scale}"]
    chosen = ["--profile", profile] if profile else []
    command = [sys.executable, "-m", "snakemake", *chosen, *words]
    with _status_command() as environment:
        run = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False, env=environment
        )
    if run.returncode:
        said = "\n".join((run.stdout + run.stderr).strip().splitlines()[-12:])
        raise HakkenError(f"the dry run of {study} at scale {scale} fails; it said:\n{said}")
    return parse(run.stdout)


@contextmanager
def _status_command() -> Iterator[dict[str, str]]:
    """Yield an environment with a `squeue`: the machine's own where it has one, else one that knows no jobs.

    Snakemake's Slurm plugin refuses to load where it finds `sinfo` and nothing to ask for the state of a job, even for
    a dry run, which asks nothing.
    """
    with TemporaryDirectory() as folder:
        stand_in = Path(folder) / "squeue"
        stand_in.write_text("#!/bin/sh\n", encoding="ascii")
        stand_in.chmod(0o755)
        yield os.environ | {
            "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), folder]),
            "PYTHONIOENCODING": "utf-8",  # what it says is read here, whatever the locale
        }


def parse(dry_run: str) -> dict[Request, int]:
    """Return the requests in the text of a dry run, with the number of jobs of each."""
    return dict(Counter(_requests(dry_run)))


def _requests(dry_run: str) -> Iterator[Request]:
    for stage, lines in JOB.findall(dry_run):
        if stage in TARGETS:
            continue
        fields = dict(FIELD.findall(lines))
        names = dict(RESOURCE.findall(fields.get("resources", "")))
        yield Request(
            stage,
            threads=int(fields.get("threads", 1)),
            minutes=_number(names, "runtime"),
            mem_mb=_number(names, "mem_mb"),
            gpus=_number(names, "gpu") or 0,
            nodes=_number(names, "nodes") or 1,
            names=tuple(sorted((key, value) for key, value in names.items() if not key.startswith(BESIDE))),
        )


def _number(names: dict[str, str], key: str) -> int | None:
    value = names.get(key, "")
    return int(value) if value.isdecimal() else None


def largest(requests: Sequence[Request]) -> Request:
    """Return the request of one stage that is hardest to fit; ``requests`` are those of one stage."""
    return max(requests, key=lambda one: (one.gpus, one.nodes, one.minutes or 0, one.mem_mb or 0, one.threads))
