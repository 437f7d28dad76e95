"""Systems that another package brings: each to its report, without an edited line; and they redo nothing."""

from __future__ import annotations

import json
import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from workflow_project import ROOT, Project, new_project

TOYS = ROOT / "tests" / "contracts" / "toys"
NAMES = ("toy_loss", "toy_players", "toy_crossed", "toy_records", "toy_rungs")


def with_toys() -> dict[str, str]:
    """The environment of one who has installed the toys."""
    paths = [str(TOYS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The toys run to their ends. Tests must not change it."""
    config = f"studies: {{{', '.join(f'{name}: tiny' for name in NAMES)}}}\ncases_per_job: 8\n"
    project = new_project(tmp_path_factory.mktemp("toys") / "project", config)
    for study in (TOYS / "studies").glob("*.yaml"):
        shutil.copy(study, project.path("config/studies"))
    project.at_once(variables=with_toys())
    return project


def read(project: Project, path: str) -> Any:
    return json.loads(project.path(path).read_text())


@pytest.mark.xdist_group("toys")
@pytest.mark.parametrize("name", NAMES)
def test_each_comes_to_its_report(name: str, toys: Project) -> None:
    assert toys.path(f"results/{name}/tiny/report.html").stat().st_size > 10_000
    assert "research use only" in toys.path(f"results/{name}/tiny/summary.txt").read_text()


@pytest.mark.xdist_group("toys")
def test_the_critic_is_left_behind_and_averages_are_kept(toys: Project) -> None:
    import torch

    content = torch.load(toys.path("results/toy_players/tiny/models/selected.pt"), weights_only=True)
    assert list(content["weights"]) == ["autoencoder"]
    record = read(toys, "results/toy_players/tiny/models/selected.json")["trial"]
    assert set(record["curve"][0]["losses"]) == {"critic", "autoencoder", "autoencoder.error"}


@pytest.mark.xdist_group("toys")
def test_every_case_is_predicted_by_a_model_of_the_other_folds(toys: Project) -> None:
    root = "results/toy_crossed/tiny"
    frozen, opening = read(toys, f"{root}/freeze.json"), read(toys, f"{root}/test/opening.json")
    assert frozen["models"] == {}  # the plan is what is frozen
    assert frozen["plan"]["evaluation"] == {"design": "cross_validation", "folds": 3}
    assert opening["number"] == 1
    measured = read(toys, f"{root}/measurements/test/selected/measurement.json")
    assert measured["outcomes"]["case_scores"]["counts"]["cases"] == 30
    assert [fold["case_scores"]["counts"]["cases"] for fold in measured["folds"]] == [10, 10, 10]
    for fold in range(3):
        trial = read(toys, f"{root}/models/selected-f{fold}.json")["trial"]
        assert (trial["sweep"], trial["fold"]) == (f"search-f{fold}", fold)
        chosen_on = read(toys, f"{trial['predictions']['path']}/manifest.json")["cases"]
        held_out = {item["case_id"] for item in read(toys, f"{root}/checked/fold{(fold + 1) % 3}-000.json")["items"]}
        assert set(chosen_on) <= held_out | {
            one["case_id"] for one in read(toys, f"{root}/checked/fold{(fold + 1) % 3}-001.json")["items"]
        }
    by_set = read(toys, f"{root}/variants/shrunk.json")
    assert [cell["label"] for cell in by_set["cells"]] == ["0", "0.5"]


@pytest.mark.xdist_group("toys")
def test_records_stand_in_the_summary(toys: Project) -> None:
    text = toys.path("results/toy_records/tiny/summary.txt").read_text()
    assert "no intervals: there are no cases to resample" in text
    assert "selected: trial" in text
    assert not toys.path("results/toy_records/tiny/freeze.json").exists()


@pytest.mark.xdist_group("finished")
def test_installing_them_redoes_nothing_of_a_finished_study(finished: tuple[Project, str]) -> None:
    run = finished[0].snakemake("--dry-run", variables=with_toys())
    assert "Nothing to be done" in run.stdout, run.stdout[-3000:]


@pytest.mark.xdist_group("toys")
def test_a_misspelt_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project", "studies: {toy_loss: tiny}\ncases_per_job: 8\n")
    text = (TOYS / "studies/toy_loss.yaml").read_text().replace("method: toy_loss", "method: toy_los")
    project.path("config/studies/toy_loss.yaml").write_text(text)
    run = project.snakemake("--dry-run", variables=with_toys())
    assert run.returncode == 1
    assert "no method `toy_los`" in run.stdout
    assert "did you mean `toy_loss`?" in run.stdout


@pytest.mark.xdist_group("toys")
def test_the_best_are_trained_again_before_the_choice(toys: Project) -> None:
    root = "results/toy_loss/tiny"
    further = [read(toys, f"{root}/sweeps/confirm/trials/{number:04d}.json") for number in range(4)]
    assert sorted((one["confirms"]["trial"], one["confirms"]["seed"]) for one in further) == [
        *((0, 1), (0, 2), (1, 1), (1, 2))
    ]
    record = read(toys, f"{root}/models/selected.json")
    means = {one["number"]: one["mean"] for one in record["confirmed"]}
    assert means[record["trial"]["number"]] == max(means.values())
    optimism = read(toys, f"{root}/optimism.json")
    assert (optimism["chosen"], optimism["confirmed"], optimism["trainings"]) == (record["trial"]["number"], 2, 3)
    assert optimism["naive"]["value"] == pytest.approx(record["objective"])
    frozen = read(toys, f"{root}/freeze.json")
    assert frozen["models"]["selected"]["sha256"] == record["sha256"]
    assert frozen["plan"]["choice"] == {"confirm": 2, "ensemble": 2}
    assert f"trial {record['trial']['number']}: mean " in toys.path(f"{root}/summary.txt").read_text()
    assert "the choice went by the mean over the seeds" in toys.path(f"{root}/report.html").read_text()
    assert toys.path(f"{root}/figures/search.csv").read_text().count("\nconfirm,") == 4
    head = toys.path(f"{root}/sweeps/search/trials.csv").read_text().splitlines()[0]
    assert "trainings,mean,lowest,highest" in head


@pytest.mark.xdist_group("toys")
def test_the_average_of_the_best_is_tried_and_taken_where_it_is_better(toys: Project) -> None:
    root = "results/toy_loss/tiny"
    record = read(toys, f"{root}/models/selected.json")
    (average,) = read(toys, f"{root}/sweeps/search/averages/averages.json")["averages"]
    alone, both = record["ensemble"]["tried"]
    assert (alone["size"], both["size"], both["objective"]) == (1, 2, average["objective"])
    assert record["objective"] == max(alone["objective"], both["objective"])
    taken = average["objective"] > alone["objective"]
    assert len(record["ensemble"]["members"]) == 1 + taken
    assert (record["sha256"] == average["model"]["sha256"]) == taken
    optimism = read(toys, f"{root}/optimism.json")
    assert (optimism["averages"], optimism["size"], optimism["models"]) == (1, 1 + taken, 3)
    assert "of 2 averaged" in toys.path(f"{root}/summary.txt").read_text()
    assert "Averages of the best trials were tried" in toys.path(f"{root}/report.html").read_text()


@pytest.mark.xdist_group("toys")
def test_crossed_the_best_of_each_fold_is_trained_again(toys: Project) -> None:
    root = "results/toy_crossed/tiny"
    for fold in range(3):
        record = read(toys, f"{root}/models/selected-f{fold}.json")
        assert [len(one["objectives"]) for one in record["confirmed"]] == [3]
    assert read(toys, f"{root}/freeze.json")["plan"]["choice"] == {"confirm": 1}


@pytest.mark.xdist_group("toys")
def test_jobs_spend_full_trainings_on_trainings_that_pause_at_rungs(toys: Project) -> None:
    root = "results/toy_rungs/tiny"
    jobs = [read(toys, f"{root}/sweeps/search/jobs/{number:04d}.json") for number in range(4)]
    assert not toys.path(f"{root}/sweeps/search/trials").exists()
    for job in jobs:
        each = [one["segment"] for one in job["segments"]]
        assert sum(Fraction(one["until"]) - Fraction(one["since"]) for one in each) == 1
        assert {one["job"] for one in each} == {job["job"]}
    default = read(toys, f"{root}/sweeps/default/shared/0000.json")
    assert (default["parameters"], default["number"], default["state"]) == ({"margin": 1.0}, 0, "complete")
    assert default in [one for job in jobs for one in job["segments"]]
    table = toys.path(f"{root}/sweeps/search/trials.csv").read_text().splitlines()
    record = read(toys, f"{root}/models/selected.json")
    assert len(table) == 1 + sum(record["trials"].values())
    assert record["trials"]["paused"] > 0
    assert record["rungs"]["spent"] == 4
    optimism = read(toys, f"{root}/optimism.json")
    assert optimism["models"] == record["trials"]["complete"], "those that pause are no choice"
    assert "4 full trainings spent on" in toys.path(f"{root}/summary.txt").read_text()
    assert "paused at 1/9 and 1/3 of their steps" in toys.path(f"{root}/report.html").read_text()
    shown = toys.path(f"{root}/figures/search.csv").read_text().splitlines()
    assert shown[0].endswith(",job,since,until")
    assert sum(line.startswith("search,") for line in shown) == sum(len(job["segments"]) for job in jobs)
    assert read(toys, f"{root}/figures/search.json")["cost"]["seconds"] > 0
