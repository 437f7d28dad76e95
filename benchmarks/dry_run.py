"""How long does the plan of a large study take, and how much memory?

    python benchmarks/dry_run.py --output dry_run.json

A copy of the workflow in a folder of its own, `--cases` cases and `--trials` trainings, and the profile of a Slurm
cluster: `snakemake --dry-run` once with a table of the user's own images (files that exist and are empty, which a plan
never reads) and once with a phantom. Seconds of the wall clock and of the processor, and the largest memory, are those
of the whole process, from its start to its end; the number of jobs is the plan's own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = {"train": 0.6, "validation": 0.2, "test": 0.2}
CHANNELS = ("T1POST", "T1")
STUDY = """\
name: {name}
title: A large study that is planned and never run
data: {data}
seed: 1
method: patch_classifier
cohort:
{cohort}
channels:
  T1POST: {{modality: mr}}
  T1: {{modality: mr}}
reference: T1POST
search:
  trials: {trials}
  slots: 8
  space:
    learning_rate: {{type: real, low: 1.0e-4, high: 1.0e-1, scale: log}}
figures: [froc, search, learnt, strata, overlays, registration]
scales:
  paper: {{}}
"""


@dataclass(frozen=True)
class Plan:
    """What the dry run of one study took: seconds of wall clock and processor, MB of memory, and the jobs it found."""

    study: str
    cases: int
    cases_per_job: str
    seconds: float
    cpu_seconds: float
    peak_mb: float
    jobs: int


def new_project(folder: Path) -> None:
    """Copy the workflow into ``folder``."""
    for name in ("workflow", "profiles", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", folder)
    shutil.rmtree(folder / "profiles" / "default")  # `quiet` stands there, and the number of jobs is read from the plan


def write_own(folder: Path, cases: int, trials: int) -> None:
    """Write a study of ``cases`` cases of the user's own, two channels and a mask each, and their table."""
    data = folder / "data"
    data.mkdir()
    rows = ["case_id,patient,split,T1POST,T1,lesion_mask"]
    for number, part in enumerate(part for part, share in PARTS.items() for _ in range(round(share * cases))):
        files = [f"{number:05d}_{name}.nii.gz" for name in (*CHANNELS, "mask")]
        for name in files:
            (data / name).touch()
        rows.append(f"case{number:05d},patient{number:05d},{part},{','.join(files)}")
    (data / "cases.csv").write_text("\n".join(rows) + "\n")
    write_study(folder, "own", "clinical", "  table: data/cases.csv", trials)


def write_phantom(folder: Path, cases: int, trials: int) -> None:
    """Write a study of ``cases`` phantom cases."""
    counts = ", ".join(f"{part}: {round(share * cases)}" for part, share in PARTS.items())
    cohort = f"  phantom:\n    generator: brain_metastasis\n    cases: {{{counts}}}"
    write_study(folder, "phantom", "phantom", cohort, trials)


def write_study(folder: Path, name: str, data: str, cohort: str, trials: int) -> None:
    path = folder / "config" / "studies" / f"{name}.yaml"
    path.write_text(STUDY.format(name=name, data=data, cohort=cohort, trials=trials))


def measure(folder: Path, study: str, cases: int, cases_per_job: int | None) -> Plan:
    """Plan one study; a plan that fails ends this program with what it said."""
    config = [f"study={study}", "scale=paper", *([f"cases_per_job={cases_per_job}"] if cases_per_job else [])]
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/cluster", "--dry-run", "--quiet", "rules"]
    start = time.perf_counter()
    with (folder / "plan.txt").open("w") as stream:
        process = subprocess.Popen([*command, "--config", *config], cwd=folder, stdout=stream, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    said = (folder / "plan.txt").read_text()
    total = re.search(r"^total +(\d+)$", said, flags=re.MULTILINE)
    if status or total is None:
        sys.exit(f"{study}: {said[-3000:]}")
    used = round(usage.ru_utime + usage.ru_stime, 1)
    peak = usage.ru_maxrss / 1024
    shown = str(cases_per_job or "profile")
    return Plan(study, cases, shown, round(seconds, 1), used, round(peak), int(total.group(1)))


def table(plans: list[Plan]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| study | cases | cases a job | jobs | s | CPU-s | MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {plan.study} | {plan.cases:,} | {plan.cases_per_job} | {plan.jobs:,} | {plan.seconds:.1f} | "
        f"{plan.cpu_seconds:.1f} | {plan.peak_mb:,.0f} |"
        for plan in plans
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--cases-per-job", type=int, help="instead of what the profile says")
    parser.add_argument("--output", type=Path, help="JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        new_project(folder)
        write_own(folder, options.cases, options.trials)
        write_phantom(folder, options.cases, options.trials)
        plans = [measure(folder, study, options.cases, options.cases_per_job) for study in ("own", "phantom")]
    print(table(plans))
    if options.output:
        machine = {"cores": os.cpu_count(), "python": platform.python_version(), "snakemake": version("snakemake")}
        content = {"machine": machine, "results": [asdict(plan) for plan in plans]}
        options.output.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
