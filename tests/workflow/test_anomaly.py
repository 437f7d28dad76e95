"""The task anomaly: the same chain, with tables of cases, errors of reconstruction and figures of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from workflow_project import Project, new_project

CONFIG = "studies: {smoke_anomaly: tiny}\ncases_per_job: 8\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path / "project", CONFIG)


def planned(project: Project) -> dict[str, str]:
    """The number of jobs of each rule."""
    run = project.snakemake("--dry-run")
    assert run.returncode == 0, run.stdout[-3000:]
    return dict(re.findall(r"^(\w+) +(\d+)$", run.stdout, flags=re.MULTILINE))


def test_an_anomaly_study_has_tables_errors_and_figures_of_its_own(project: Project) -> None:
    jobs = planned(project)
    expected = {"trial": "3", "evaluate": "4", "case_table": "4", "reconstruct": "1", "optimism": "1"}
    assert {rule: jobs[rule] for rule in expected} == expected
    figures = {rule for rule in jobs if rule.startswith("figure_")}
    assert figures == {f"figure_{name}" for name in ("roc", "froc", "search", "learnt", "strata", "anomalies")}


def test_detection_has_no_tables_of_cases(tmp_path: Path) -> None:
    jobs = planned(new_project(tmp_path / "detection"))
    assert not {"case_table", "reconstruct", "figure_roc", "figure_anomalies"} & set(jobs)
    assert jobs["evaluate"] == "4"


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


def test_flat_pictures_whose_truth_is_a_label(tmp_path: Path) -> None:
    project = new_project(tmp_path / "flat", "studies: {smoke_flat: tiny}\ncases_per_job: 8\n")
    draw_pictures(project.path("data/flat"))
    run = project.snakemake()
    assert run.returncode == 0, run.stdout[-3000:]
    results = project.path("results/smoke_flat/tiny")
    measured = json.loads((results / "evaluation/test/selected.json").read_text())
    assert measured["roc"]["counts"] == {"cases": 5, "abnormal": 3, "normal": 2, "patients": 5}
    assert measured["roc"]["auc"]["value"] == 1
    assert (measured["counts"]["lesions"], measured["partial_auc"]["value"]) == (0, None)
    assert "AUC of the cases" in (results / "summary.txt").read_text()
    table = (results / "predictions/test/selected.csv").read_text().splitlines()
    assert all(line.endswith(",") for line in table[1:])  # where the abnormal places are, nobody knows
