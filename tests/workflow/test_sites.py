"""`hakken plan` and `hakken doctor` with the profile of a cluster, whose scheduler is a stand-in."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from workflow_project import Project

STAND_IN = Path(__file__).parent / "schedulers" / "scheduler.py"
SINFO = "gpu*|up|{limit}|gpu1|64|256000|gpu:fake:4|idle"
SCONTROL = "PartitionName=gpu MaxNodes=UNLIMITED MaxCPUsPerNode=UNLIMITED MaxMemPerNode=UNLIMITED"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that are found before any other."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_SCHEDULER", str(folder))
    return folder


def slurm(folder: Path, limit: str) -> None:
    """Commands that answer as Slurm 22.05 does, of a partition with this limit of time."""
    for name, text in (("sinfo", SINFO.format(limit=limit)), ("scontrol", SCONTROL), ("sbatch", "")):
        (folder / name).write_text(f"#!/bin/sh\nprintf '%s\\n' '{text}'\n")
        (folder / name).chmod(0o755)


def test_a_plan_for_a_cluster(project: Project) -> None:
    profile = project.path("profiles/pjm/profile.v9+.yaml")
    profile.write_text(profile.read_text().replace("  # tokens_per_", "  tokens_per_"))
    run = project.hakken("plan", "--profile", "profiles/pjm")
    assert run.returncode == 0, run.stderr
    lines = {line.split()[0]: line.split() for line in run.stdout.splitlines() if line}
    assert run.stdout.startswith("smoke at scale tiny: 7 cases\n")
    assert "with profiles/pjm/profile.v9+.yaml\n" in run.stdout
    assert lines["stage"] == ["stage", "queue", "jobs", "GPUs", "minutes", "CPU-hours", "GPU-hours", "tokens"]
    hours = lines["trial"][5]
    assert lines["trial"] == ["trial", "share", "5", "1", lines["trial"][4], hours, "?", "?"]
    assert 0 < float(hours) < 1, "timed here; hours of GPUs cannot be"
    assert lines["prepare"][:5] == ["prepare", "short", "3", "0", "60"]
    assert re.search(
        rf"^a training is .* of {lines['trial'][4]} minutes, .*; no earlier training tells", run.stdout, re.MULTILINE
    )
    assert run.stdout.endswith("right to about a factor of 2 on such a host\n")


def test_a_profile_that_is_not_there(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    run = project.hakken("plan", "--profile", "cluster")
    assert (run.returncode, run.stderr) == (
        2,
        "hakken plan: there is no profile `cluster`; run `hakken profile install`, or give "
        "--profile profiles/cluster\n",
    )
    assert project.hakken("plan", "--profile", "mars").stderr == (
        "hakken plan: there is no profile `mars`; give its folder\n"
    )


def test_jobs_that_fit_the_partition(project: Project, commands: Path) -> None:
    slurm(commands, "1-00:00:00")
    run = project.hakken("doctor", "--profile", "profiles/cluster")
    assert run.returncode == 0, run.stdout + run.stderr
    nodes = "up to 1440 minutes; 1 nodes of 64 processors, 256000 MB, 4 GPUs (default)"
    assert re.search(rf"^ok    queue gpu +{re.escape(nodes)}$", run.stdout, re.MULTILINE)
    assert (
        len(
            re.findall(
                r"^ok    smoke: trial +default: \d+ minutes, \d+ processors, \d+ MB, 1 GPUs$", run.stdout, re.MULTILINE
            )
        )
        == 1
    )


def test_a_login_node_with_few_cores(project: Project, commands: Path) -> None:
    slurm(commands, "1-00:00:00")
    path = project.path("profiles/cluster/profile.v9+.yaml")
    path.write_text(re.sub(r"(set-threads:\n  trial: )\d+", r"\g<1>60", path.read_text()))
    run = project.hakken("doctor", "--profile", "profiles/cluster")
    assert run.returncode == 0, run.stdout  # a word of warning: the command line can give more
    cores = len(os.sched_getaffinity(0))
    bound = f"jobs ask for up to 60; Snakemake gives none more than the {cores} cores of this machine\n"
    assert (bound in run.stdout) == (cores < 60)
    assert ("start runs with --cores 60, wherever their jobs run\n" in run.stdout) == (cores < 60)
    assert re.search(
        r"^ok    smoke: trial +default: \d+ minutes, 60 processors, \d+ MB, 1 GPUs$", run.stdout, re.MULTILINE
    )


def test_jobs_that_do_not_fit_the_partition(project: Project, commands: Path) -> None:
    slurm(commands, "2:00:00")
    run = project.hakken("doctor", "--profile", "profiles/cluster")
    assert run.returncode == 1
    missed = re.findall(r"^MISS +smoke: (\w+)", run.stdout, flags=re.MULTILINE)
    assert sorted(missed) == ["patches", "shared", "trial"]
    assert (
        "asks for 240 minutes, `gpu` allows 120; set `set-resources: patches: runtime: 120` in "
        "profiles/cluster/profile.v9+.yaml, or send it to another queue\n"
    ) in run.stdout


@pytest.mark.parametrize(("profile", "status"), [("pbs", 1), ("pjm", 0)])
def test_stand_ins_of_other_schedulers(profile: str, status: int, project: Project, commands: Path) -> None:
    for name in ("qstat", "pjstat"):
        (commands / name).symlink_to(STAND_IN)
    run = project.hakken("doctor", "--profile", f"profiles/{profile}")
    assert run.returncode == status, run.stdout + run.stderr
    too_long = r"asks for \d+ minutes, `gpuq` allows 360; set `set-resources: trial: runtime: 360`"
    assert bool(re.search(too_long, run.stdout)) == (profile == "pbs")
    assert ("of PJM are not read: compare the lines above with `pjstat --rsc -x`" in run.stdout) == (profile == "pjm")


def test_a_name_that_is_not_of_this_site(project: Project, commands: Path) -> None:
    (commands / "pjstat").symlink_to(STAND_IN)
    profile = project.path("profiles/pjm/profile.v9+.yaml")
    profile.write_text(profile.read_text().replace("gpu_queue: share ", "gpu_queue: a100 "))
    run = project.hakken("doctor", "--profile", "profiles/pjm")
    assert run.returncode == 1
    assert "there is no queue `a100`; write a name of your site into profiles/pjm/profile.v9+.yaml" in run.stdout


def test_a_machine_without_the_scheduler(project: Project, commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(commands))
    run = project.hakken("doctor", "--profile", "profiles/cluster")
    assert run.returncode == 1
    assert "there is no `sinfo` on this machine; run this on the login node of the cluster" in run.stdout
