"""One whole small run for each outcome, from nothing to the report, all in one process (see at_once.py)."""

from __future__ import annotations

import csv
import hashlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from workflow_project import ROOT, STUDIES, Project, new_project

from hakken import plugins
from hakken.runs.model_file import load_model
from hakken.stages import OF_THE_ENGINE, OFFERED, load
from hakken.study.reading import load_study

SMALL = sorted(path.stem for path in STUDIES.glob("*.yaml"))
TARGETS = ("all", "comparison", "scaling")
pytestmark = pytest.mark.xdist_group("small runs")

Job = dict[str, Any]


def draw_pictures(folder: Path) -> None:
    """Write smooth grey pictures as PNG, those with the label `spot` with bright noise in a corner, and their table."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    rows = ["case_id,patient,split,XR,label"]
    for part, kinds in {"train": "nnnn", "validation": "nnss", "test": "nnsss"}.items():
        for number, kind in enumerate(kinds):
            pixels = np.add.outer(np.arange(24), np.arange(20)) * 3.0 + random.normal(0, 2, (24, 20)) + 20
            if kind == "s":
                pixels[4:14, 6:14] += random.normal(60, 40, (10, 8))
            name = f"{part}{number}"
            sitk.WriteImage(sitk.GetImageFromArray(pixels.clip(0, 255).astype(np.uint8)), str(folder / f"{name}.png"))
            rows.append(f"{name},{name},{part},{name}.png,{'spot' if kind == 's' else 'none'}")
    (folder / "cases.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="session")
def small_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[Job]]:
    """All small studies run to their ends, and the jobs that were run. Tests must not change it."""
    config = f"studies: {{{', '.join(f'{name}: tiny' for name in SMALL)}}}\ncases_per_job: 8\n"
    project = new_project(tmp_path_factory.mktemp("small") / "project", config)
    draw_pictures(project.path("data/flat"))
    return project, project.at_once(*TARGETS, umask=0o027)


@pytest.mark.parametrize("name", SMALL)
def test_it_ends_with_a_report_and_a_table_of_each_outcome(name: str, small_runs: tuple[Project, list[Job]]) -> None:
    project, _ = small_runs
    results, study = project.path(f"results/{name}/tiny"), load_study(STUDIES / f"{name}.yaml", "tiny")
    assert (study.title or name) in (results / "summary.txt").read_text()
    assert (results / "report.html").read_text().count("<figure") == len(study.drawn)
    with (results / "measured.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    measured = {(row["part"], row["model"], row["outcome"]) for row in rows}
    outcomes = {outcome for outcome in study.outcomes if outcome != "score_maps"}  # which are shown and not measured
    assert measured >= {(part, "selected", outcome) for part in ("validation", "test") for outcome in outcomes}
    assert {model for part, model, _ in measured if part == "test"} >= {"selected", "default", *study.baselines}
    assert (results / "measured.tex").read_text().startswith("\\begin{tabular}")


def test_its_files_are_for_those_whom_the_umask_lets_read_them(small_runs: tuple[Project, list[Job]]) -> None:
    """It was 027: the group reads, others do not."""
    made = [*small_runs[0].path("results").rglob("*")]
    assert len(made) > 100
    wrong = {str(path): oct(mode) for path in made if (mode := path.stat().st_mode & 0o777) not in (0o640, 0o750)}
    assert wrong == {}


def test_every_rule_was_run(small_runs: tuple[Project, list[Job]]) -> None:
    _, ran = small_runs
    rules = {
        name
        for path in (ROOT / "workflow" / "rules").glob("*.smk")
        for name in re.findall(r"^rule (\w+):", path.read_text(), flags=re.MULTILINE)
    }
    elsewhere = {"overview", "job"}  # made when it is asked for; where trainings pause, as those of a toy do
    assert rules - {job["rule"] for job in ran} == elsewhere


def test_rules_give_their_stages_what_these_ask_for(small_runs: tuple[Project, list[Job]]) -> None:
    _, ran = small_runs
    for job in ran:
        asked = inspect.signature(load(job["stage"])).parameters
        given = {*job["input"], *job["output"], *job["params"], "threads"} - set(OF_THE_ENGINE)
        unknown = given - set(asked) - set(OFFERED)
        missing = {name for name, one in asked.items() if one.default is inspect.Parameter.empty} - given
        assert (job["rule"], unknown, missing) == (job["rule"], set(), set())


def test_every_figure_is_drawn_with_the_same_bytes_again(small_runs: tuple[Project, list[Job]]) -> None:
    project, ran = small_runs
    first = digests(project)
    assert sum(job["rule"] == "figure" for job in ran) == len(first) / 5
    one_of_each = {path.stem: path for path in first if path.suffix == ".json"}
    assert set(one_of_each) == set(plugins.names("figures"))
    project.at_once("--only", "figure", *(str(path) for path in one_of_each.values()))
    assert digests(project) == first


def digests(project: Project) -> dict[Path, str]:
    """What each file of each figure is."""
    return {
        path.relative_to(project.folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in project.folder.glob("results/*/*/figures/*")
    }


def read(project: Project, path: str) -> Any:
    return json.loads(project.path(path).read_text())


def test_variants_stand_beside_each_other(small_runs: tuple[Project, list[Job]]) -> None:
    project, _ = small_runs
    found = read(project, "results/smoke_classification/tiny/variants/grid.json")
    assert found["factors"] == {"network": ["efficientnet_lite0"], "misregistration": ["none", "shift2"]}
    assert [cell["label"] for cell in found["cells"]] == [
        "efficientnet_lite0-none",
        "efficientnet_lite0-shift2",
        "means",
    ]
    assert all((cell["folds"], cell["failed"]) == (2, 0) for cell in found["cells"])
    assert all(cell["counts"]["lesions"] == 10 for cell in found["cells"])  # of all development cases
    pairs = [(one["factor"], one["level"], one["against"]) for one in found["differences"]]
    assert pairs == [
        ("misregistration", "shift2", "none"),
        ("network", "efficientnet_lite0", "means"),
    ]


def test_classes_and_regions_are_measured_and_an_oracle_is_named_where_it_is_used(
    small_runs: tuple[Project, list[Job]],
) -> None:
    project, _ = small_runs
    root = "results/smoke_regions/tiny"
    outcomes = read(project, f"{root}/measurements/test/selected/measurement.json")["outcomes"]
    assert outcomes["candidates"]["details"]["named"]["confusion"]["classes"] == ["well", "moderate"]
    assert list(outcomes["regions"]["details"]["regions"]) == ["trunk", "liver"]
    assert not any("an oracle" in line for line in outcomes["candidates"]["warnings"])
    said = [line for line in read(project, f"{root}/variants/region.json")["warnings"] if "an oracle" in line]
    assert [line.partition(":")[0] for line in said] == ["known"]
    used = {name: load_model(project.path(f"{root}/models/{name}.pt")) for name in ("default", "region-known")}
    assert {name: one.study.inference.oracle for name, one in used.items()} == {"default": False, "region-known": True}
    assert used["default"].metadata == used["region-known"].metadata, "one training, another use"


def test_flat_pictures_whose_truth_is_a_label(small_runs: tuple[Project, list[Job]]) -> None:
    project, _ = small_runs
    measured = read(project, "results/smoke_flat/tiny/measurements/test/selected/measurement.json")
    scores = measured["outcomes"]["case_scores"]
    assert scores["counts"] == {"cases": 5, "abnormal": 3, "normal": 2, "patients": 5}
    assert scores["objective"]["value"] == 1


def test_who_was_frozen_is_who_is_measured_on_test(small_runs: tuple[Project, list[Job]]) -> None:
    project, _ = small_runs
    root = "results/smoke_segmentation/tiny"
    frozen = read(project, f"{root}/freeze.json")["models"]
    assert set(frozen) == {"selected", "default", "apart-1", "apart-2", "colour_threshold"}
    assert {path.name for path in project.path(f"{root}/measurements/test").iterdir()} == set(frozen)
    development = "results/smoke_numbers/tiny"
    assert "training_snr-20" in read(project, f"{development}/freeze.json")["models"]


def test_variants_with_folds_read_no_test_case(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project", "studies: {smoke_classification: tiny}\ncases_per_job: 8\n")
    target = "results/smoke_classification/tiny/variants/grid.json"
    run = project.snakemake("--dry-run", "--quiet", "host", "--", target)
    assert run.returncode == 0, run.stdout[-3000:]
    assert "/test-0" not in run.stdout
    assert not re.search(r"^(unseal|freeze|select)\b", run.stdout, flags=re.MULTILINE)
