"""The command that cancels what a killed Snakemake has left running."""

from __future__ import annotations

import subprocess
from pathlib import Path

from loopback_slurm import Slurm
from workflow_project import ROOT


def test_cancel_takes_the_jobs_of_this_folder_alone(slurm: Slurm, tmp_path: Path) -> None:
    jobs = {}
    for folder, name in (("here", "hakken_1"), ("here", "hakken_2"), ("here", "mine"), ("there", "hakken_3")):
        where = tmp_path / folder
        where.mkdir(exist_ok=True)
        jobs[folder, name] = slurm.command(
            *("sbatch", "--parsable", "--job-name", name, "--chdir", str(where), "--output=/dev/null"),
            *("--mem=100", "--wrap", "sleep 300"),
        ).strip()
    cancel = subprocess.run(
        [str(ROOT / "profiles/cluster/cancel")], cwd=tmp_path / "here", capture_output=True, text=True, check=True
    )
    assert sorted(cancel.stdout.split()) == sorted([jobs["here", "hakken_1"], jobs["here", "hakken_2"]])
    alive = slurm.command("squeue", "--noheader", "--states=PENDING,RUNNING", "--format=%A").split()
    left = [number for number in jobs.values() if number in alive]
    assert left == [jobs["here", "mine"], jobs["there", "hakken_3"]]
    slurm.command("scancel", *left)
