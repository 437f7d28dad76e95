"""Sweeps as the workflow runs them: they grow without redoing anything, keep to their slots, and start from others."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from locales import LOCALES, variables
from workflow_project import Project

SWEEPS = Path("results/smoke/tiny/sweeps")
SMOKE = "config/studies/smoke.yaml"


def jobs(shown: str) -> dict[str, int]:
    """How many jobs of each rule a run was to do; a dry run prints the table twice."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", shown, flags=re.MULTILINE)}


def edit(project: Project, study: str, *changes: tuple[str, str]) -> None:
    path = project.path(study)
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def records(project: Project, sweep: str) -> list[dict[str, Any]]:
    folder = project.path(str(SWEEPS / sweep / ("shared" if sweep == "default" else "trials")))
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


def most_at_once(trials: list[dict[str, Any]]) -> int:
    events = sorted((trial[event], change) for trial in trials for event, change in (("start", 1), ("end", -1)))
    return max(sum(change for _, change in events[: place + 1]) for place in range(len(events)))


@pytest.mark.xdist_group("finished")
def test_a_finished_search_grows_and_other_sweeps_keep_to_their_own_slots(
    finished: tuple[Project, str], tmp_path: Path
) -> None:
    """More trials, other slots and another limit of failures: two trials are trained, nothing finished is redone."""
    copy = Project(tmp_path / "copy")
    shutil.copytree(finished[0].folder, copy.folder, symlinks=True)
    copy.at_home()
    before = {path: path.read_bytes() for path in copy.path(str(SWEEPS)).rglob("*.json")}
    default = copy.path("results/smoke/tiny/models/default.json").read_bytes()
    edit(copy, SMOKE, ("trials: 5", "trials: 7\n  stop_after_failures: 20"), ("slots: 2\n", "slots: 3\n"))
    others = [
        str(SWEEPS / sweep / "trials" / f"{number:04d}.json") for sweep in ("n1-r0", "n2-r0") for number in (0, 1)
    ]
    run = copy.snakemake("--cores", "4", "sweeps", *others)
    assert run.returncode == 0, run.stdout[-6000:]
    assert jobs(run.stdout) == {"trial": 6, "sweep_table": 1, "select": 1, "sweeps": 1, "total": 9}
    assert all(path.read_bytes() == content for path, content in before.items())
    assert [trial["number"] for trial in records(copy, "search")] == [0, 1, 2, 3, 4, 5, 6]
    assert all(set(trial["known"]) >= {0, 1, 2, 3, 4} for trial in records(copy, "search")[5:])
    assert most_at_once(records(copy, "n1-r0")) == 1
    again = json.loads(copy.path("results/smoke/tiny/models/selected.json").read_text())
    assert again["trials"] == {"complete": 7}
    assert copy.path("results/smoke/tiny/models/default.json").read_bytes() == default
    table = copy.path(str(SWEEPS / "search/trials.csv")).read_text().splitlines()
    assert len(table) == 8
    assert "Nothing to be done" in copy.snakemake("sweeps", *others).stdout
    rest = jobs(copy.snakemake("--dry-run").stdout)
    assert "trial" not in rest
    assert rest["figure"] == 6  # all say how often the test set was opened, which it will be again


@pytest.mark.xdist_group("finished")
@pytest.mark.parametrize("locale", LOCALES)
def test_a_finished_run_is_finished_in_every_locale(locale: str, finished: tuple[Project, str], tmp_path: Path) -> None:
    run = finished[0].snakemake("--dry-run", variables={"LC_ALL": "", **variables(locale, tmp_path)})
    assert run.returncode == 0, run.stdout[-3000:]
    assert "Nothing to be done" in run.stdout


@pytest.mark.xdist_group("finished")
def test_under_a_umask_of_077_a_run_is_for_its_owner_alone(finished: tuple[Project, str]) -> None:
    made = [*finished[0].path("results").rglob("*")]
    assert len(made) > 100
    assert [str(path) for path in made if path.stat().st_mode & 0o077] == []


@pytest.mark.xdist_group("finished")
def test_the_untuned_default_is_the_first_of_the_search_and_trained_once(finished: tuple[Project, str]) -> None:
    (default,), searched = records(finished[0], "default"), records(finished[0], "search")
    assert [trial for trial in searched if trial["place"] == 0] == [default]
    assert not finished[0].path(str(SWEEPS / "default/trainings")).exists()


def start_from(project: Project, study: str, **more: str) -> None:
    """Let the smoke study start from another."""
    keys = "".join(f", {key}: {value}" for key, value in more.items())
    edit(project, SMOKE, ("  slots: 2\n", f"  slots: 2\n  warm_start: {{study: {study}{keys}}}\n"))


def second_study(project: Project) -> None:
    small = project.path("config/studies/small.yaml")
    small.write_text(project.path(SMOKE).read_text().replace("name: smoke", "name: small"))


def test_a_search_that_starts_from_a_study_of_the_same_run_waits_for_its_table(project: Project) -> None:
    second_study(project)
    start_from(project, "small")
    project.path("config/config.yaml").write_text("studies: {smoke: tiny, small: tiny}\ncases_per_job: 8\n")
    run = project.snakemake("--dry-run", "--quiet", "host", "--", str(SWEEPS / "search/trials/0000.json"))
    assert run.returncode == 0, run.stdout[-3000:]
    assert jobs(run.stdout)["trial"] == 1 + 5
    assert jobs(run.stdout)["sweep_table"] == 1
    (block,) = re.findall(r"^rule trial:\n    input: (.+)\n    output: results/smoke/", run.stdout, flags=re.MULTILINE)
    assert block.endswith("results/small/tiny/sweeps/search/trials.csv")
    untuned = project.snakemake("--dry-run", str(SWEEPS / "default/shared/0000.json"))
    planned = jobs(untuned.stdout)
    assert (planned["trial"], planned["shared"]) == (1 + 5, 1), "the default is the first of this search"


def test_a_search_that_starts_from_an_earlier_run_leaves_that_alone(project: Project) -> None:
    second_study(project)
    start_from(project, "small", scale="tiny")
    missing = project.snakemake("--dry-run")
    assert missing.returncode == 1
    assert (
        "study `smoke` starts from results/small/tiny/sweeps/search/trials.csv, which does not exist; run that study "
        "first, with --config study=small scale=tiny"
    ) in missing.stdout
    table = project.path("results/small/tiny/sweeps/search/trials.csv")
    table.parent.mkdir(parents=True)
    table.write_text("number,state,objective\n")
    run = project.snakemake("--dry-run")
    assert run.returncode == 0, run.stdout[-3000:]
    assert (jobs(run.stdout)["trial"], jobs(run.stdout)["shared"]) == (5, 1)


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ("smoke", "search.warm_start names this very study and scale"),
        ("smok", "and there is no study `smok`; did you mean `smoke`?"),
    ],
)
def test_a_search_cannot_start_from_itself_or_from_nowhere(study: str, message: str, project: Project) -> None:
    start_from(project, study)
    run = project.snakemake("--dry-run")
    assert run.returncode == 1
    assert message in run.stdout


def test_an_unknown_sweep_is_named(project: Project) -> None:
    run = project.snakemake("--dry-run", str(SWEEPS / "n3-r0/trials/0000.json"))
    assert run.returncode == 1
    assert "study `smoke` has no sweep `n3-r0`; did you mean `n2-r0`?" in run.stdout
