"""The target `comparison`: exactly the trials of the compared sweeps and the default, and nothing of the test set."""

from __future__ import annotations

import re

from workflow_project import Project


def planned(project: Project, *targets: str) -> tuple[set[str], set[str]]:
    """The rules that a dry run would run, and the paths of all that they would make."""
    run = project.snakemake(*targets, "--dry-run", "--quiet", "host")
    assert run.returncode == 0, run.stdout[-3000:]
    jobs = re.findall(r"^(?:local)?rule (\w+):\n(?: +.+\n)*? +output: (.+)$", run.stdout, flags=re.MULTILINE)
    return {rule for rule, _ in jobs}, {path for _, paths in jobs for path in paths.split(", ")}


def test_the_comparison_trains_its_sweeps_and_the_default_and_nothing_else(project: Project) -> None:
    _, outputs = planned(project, "comparison")
    sweeps = "results/smoke/tiny/sweeps/"
    trials = {path.removeprefix(sweeps) for path in outputs if "/sweeps/" in path and path.endswith(".json")}
    assert trials == {
        "n1-r0/trials/0000.json",
        "n1-r0/trials/0001.json",
        "n2-r0/trials/0000.json",
        "n2-r0/trials/0001.json",
        "random-r0/trials/0000.json",
        "random-r0/trials/0001.json",
        "search/trials/0000.json",  # the untuned default, where that job asks first
        "default/shared/0000.json",
    }
    figures = {path.rpartition("/")[2] for path in outputs if "/figures/" in path}
    assert figures == {f"comparison.{ending}" for ending in ("pdf", "svg", "png", "csv", "json")}


def test_the_comparison_opens_no_test_case(project: Project) -> None:
    rules, outputs = planned(project, "comparison")
    assert {"prepare", "patches", "trial", "figure"} <= rules
    assert not {"unseal", "freeze", "predict", "measure"} & rules
    assert not any("test" in path for path in outputs)


def test_a_whole_run_compares_nothing(project: Project) -> None:
    rules, outputs = planned(project)
    assert {"unseal", "trial", "figure"} <= rules
    assert not any("/figures/comparison" in path for path in outputs)
    assert {path.split("/")[4] for path in outputs if "/trials/" in path} == {"search"}


def test_a_study_that_compares_nothing_is_told_which_section_to_write(project: Project) -> None:
    study = project.path("config/studies/smoke.yaml")
    text = study.read_text()
    without = re.sub(r"^  comparison: .*\n", "", text, flags=re.MULTILINE)
    assert without != text
    study.write_text(without)
    run = project.snakemake("comparison", "--dry-run")
    assert run.returncode == 1
    assert "no figure `comparison`: give one of smoke a section search.comparison" in run.stdout
    assert project.snakemake("--dry-run").returncode == 0
