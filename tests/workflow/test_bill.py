"""What the plan and the bill know of the graph of jobs is what the workflow engine makes of it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from workflow_project import ROOT, Project, new_project

from hakken.cohort.batches import plan_cohort
from hakken.report.bill import NEEDS, needs
from hakken.report.plan import count_jobs
from hakken.study.reading import load_study

SMALL = ("smoke", "smoke_anomaly", "smoke_classification", "smoke_expectation", "smoke_segmentation")
STUDIES = (*SMALL, "polyp", "pet_ct_chest", "liver_tumour_phases", "head_ct_autoencoder", "aneurysm_mra")
JOB = re.compile(r"^rule (\w+):\n((?: {4}.*\n?)+)", re.MULTILINE)
FIELD = re.compile(r"^ {4}(\w+): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """A job of a dry run: `<stage>/<job>`, and its files."""

    name: str
    inputs: frozenset[str]
    outputs: frozenset[str]


def planned(project: Project, study: str) -> list[Job]:
    """All jobs of a study at scale tiny."""
    config = ("--config", f"study={study}", "scale=tiny")
    run = project.snakemake("--dry-run", "--forceall", "--quiet", "host", *config)
    assert run.returncode == 0, run.stdout[-3000:]
    jobs = []
    for rule, lines in JOB.findall(run.stdout):
        fields = dict(FIELD.findall(lines))
        if rule != "all":
            files = [frozenset(filter(None, fields.get(key, "").split(", "))) for key in ("input", "output")]
            log = fields["log"].partition("/logs/")[2].removesuffix(".log")
            assert log.startswith(f"{rule}/")
            jobs.append(Job(log, *files))
    return jobs


def upstream(name: str, jobs: list[Job]) -> set[str]:
    """The names of a job and of all whose files it needs, directly or through others."""
    maker = {path: job for job in jobs for path in job.outputs}
    known = {job.name: job for job in jobs}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        job = known[waiting.pop()]
        if job.name not in found:
            found.add(job.name)
            waiting += [maker[path].name for path in job.inputs if path in maker]
    return found


@pytest.mark.parametrize("study", STUDIES)
def test_plan_and_bill_know_the_graph(study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = new_project(tmp_path / "project")
    jobs = planned(project, study)
    figures = {job.name.rpartition("/")[2]: job.name for job in jobs if job.name.startswith("figure_")}
    assert figures
    for figure, name in figures.items():
        billed = {job.name for job in jobs if needs(figure, *job.name.split("/"))}
        assert billed == upstream(name, jobs), figure
    monkeypatch.chdir(project.folder)
    plan = plan_cohort(load_study(project.path(f"config/studies/{study}.yaml"), "tiny"), 8)
    assert Counter(job.name.partition("/")[0] for job in jobs) == count_jobs(plan)


def test_every_figure_is_drawn_by_one_of_these_studies() -> None:
    drawn: set[str] = set()
    for study in STUDIES:
        folder = ROOT / "tests" / "workflow" / "studies" if study in SMALL else ROOT / "config" / "studies"
        drawn |= set(load_study(folder / f"{study}.yaml", "tiny").figures)
    assert drawn == set(NEEDS)
