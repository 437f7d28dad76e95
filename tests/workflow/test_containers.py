"""Jobs in the container: one line of a profile switches it on, for every rule, on a cluster too."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from workflow_project import ROOT, Project, new_project

HERE = Path(__file__).parent
TARGET = "results/smoke/tiny/checked/validation-000.json"
JOBS = 3  # phantom_table, phantom, check
LINES = ("# software-deployment-method: apptainer", '# apptainer-args: "--nv"')
PROFILES = sorted(
    path.parent.name
    for path in (ROOT / "profiles").glob("*/profile.v9+.yaml")
    if "software-deployment-method" in path.read_text()
)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    """The arguments of each call of the stand-in, which is found before any apptainer."""
    commands, notes = tmp_path / "commands", tmp_path / "apptainer.txt"
    commands.mkdir()
    (commands / "apptainer").symlink_to(HERE / "containers" / "apptainer")
    (commands / "qsub").symlink_to(HERE / "schedulers" / "scheduler.py")
    (commands / "qstat").symlink_to(HERE / "schedulers" / "scheduler.py")
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_SCHEDULER", str(tmp_path / "state"))
    monkeypatch.setenv("STAND_IN_APPTAINER", str(notes))
    return lambda: [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def switched_on(text: str) -> str:
    for line in LINES:
        assert text.count(f"\n{line}\n") == 1, line
        text = text.replace(f"\n{line}\n", f"\n{line.removeprefix('# ')}\n")
    return text


def check(calls: list[list[str]], project: Project) -> None:
    """Every job was called in the image, with the GPU, in the project's folder and by the shell of the rule."""
    assert len(calls) == JOBS
    for words in calls:
        assert words[:4] == ["exec", "--home", str(project.folder), "--nv"]
        image = words.index("envs/hakken.sif")
        assert words[image + 1 : image + 3] == ["bash", "-c"]
        assert re.search(r" python .*\.stage\.py", words[image + 3])


def test_each_job_runs_in_the_image(calls: Callable[[], list[list[str]]], project: Project) -> None:
    found = project.snakemake("--software-deployment-method", "apptainer", "--apptainer-args=--nv", TARGET)
    assert found.returncode == 0, found.stdout[-3000:]
    check(calls(), project)


def test_without_the_line_nothing_runs_in_it(calls: Callable[[], list[list[str]]], project: Project) -> None:
    found = project.snakemake(TARGET)
    assert found.returncode == 0, found.stdout[-3000:]
    assert calls() == []


def test_the_line_of_a_profile_reaches_the_jobs_of_a_cluster(
    calls: Callable[[], list[list[str]]], tmp_path: Path
) -> None:
    project = new_project(tmp_path / "project")
    profile = project.path("profiles/pbs/profile.v9+.yaml")
    profile.write_text(switched_on(profile.read_text()))
    fast = ("--latency-wait", "10", "--max-status-checks-per-second", "10", "--seconds-between-status-checks", "1")
    found = project.snakemake("--profile", "profiles/pbs", "--jobs", "3", "--retries", "0", *fast, TARGET)
    assert found.returncode == 0, found.stdout[-3000:]
    check(calls(), project)


def test_no_container_runs_where_there_is_no_apptainer(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("apptainer", "singularity")
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    without = [str(folder) for folder in folders if not any((folder / name).exists() for name in names)]
    monkeypatch.setenv("PATH", os.pathsep.join(without))
    found = project.snakemake(TARGET, "--software-deployment-method", "apptainer")
    assert found.returncode == 1
    assert "The apptainer or singularity command has to be available" in found.stdout


def test_clusters_have_the_line() -> None:
    assert {"pbs", "pjm"} <= set(PROFILES)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_lines_of_a_profile_are_sound_when_switched_on(profile: str) -> None:
    content = yaml.safe_load(switched_on((ROOT / "profiles" / profile / "profile.v9+.yaml").read_text()))
    assert content["software-deployment-method"] == "apptainer"
    assert content["apptainer-args"] == "--nv"
    assert content["default-resources"]["gpu"] == 0
