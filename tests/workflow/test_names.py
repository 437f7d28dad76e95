"""A study whose cases, folders and table are called as people in a clinic call them, from the check to the report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from own_cohort import own_project, volume
from workflow_project import Project

from hakken.core.files import read_json
from hakken.core.tables import read_table
from hakken.imaging.files import write_volume

RESULTS = "results/own/tiny"
TABLE = "データ/症例 表.csv"
CASES = {"c0": "{a}/b", "c1": "=1+1", "c2": "症例 02 #1"}
FOLDERS = {"c0": "症例 00", "c1": "100% (左)", "c2": "d&e;f 'g'"}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study run to its end. Tests must not change it."""
    project = own_project(tmp_path_factory.mktemp("named") / "my project 研究")
    rows = project.path("data/own/cases.csv").read_text()
    project.path("データ").mkdir()
    shutil.move(project.path("data/own"), project.path("データ/own"))
    for old, new in FOLDERS.items():
        project.path(f"データ/own/{old}").rename(project.path(f"データ/own/{new}"))
        rows = rows.replace(f"{old}/", f"own/{new}/").replace(f"{old},", f"{CASES[old]},")
    project.path(TABLE).write_text(rows)
    study = project.path("config/studies/own.yaml")
    content = study.read_text().replace("data/own/cases.csv", TABLE)
    content = content.replace("{method: none}", "{method: rigid, iterations: 3}")
    study.write_text(content + "figures: [froc, overlays, registration]\n")
    project.at_once()
    return project


def test_check_reads_it(named: Project) -> None:
    run = named.hakken("check", TABLE, "--study", "own")
    assert run.returncode == 0, run.stderr
    assert "3 cases (1 train, 1 validation, 1 test), channels T1, T2: no problem found" in run.stdout


def test_every_table_shows_what_was_written(named: Project) -> None:
    ids = {}
    for path in sorted(named.path(RESULTS).rglob("*.csv")):
        table = read_table(path)
        if "case_id" in table:
            ids[path.relative_to(named.path(RESULTS)).as_posix()] = set(table.cells["case_id"])
    assert set().union(*ids.values()) == set(CASES.values())
    assert ids["measurements/test/selected/candidates.lesions.csv"] == {CASES["c2"]}
    assert ids["figures/registration.csv"] == set(CASES.values())
    assert read_json(named.path(f"{RESULTS}/predictions/test/selected/manifest.json"))["cases"] == [CASES["c2"]]


def test_every_file_has_a_name_that_every_disk_can_hold(named: Project) -> None:
    files = [path.relative_to(named.path(RESULTS)).as_posix() for path in named.path(RESULTS).rglob("*")]
    assert all(name.isascii() and not set(name) & set(" {}#%$&;'\"=") for name in files)


def test_predict_calls_a_case_what_it_is_told(named: Project) -> None:
    images = [f"--image={name}=データ/own/{FOLDERS['c2']}/{name}.nii.gz" for name in ("T1", "T2")]
    model = f"{RESULTS}/models/selected.pt"
    run = named.hakken("predict", "--model", model, *images, "--case-id", "新しい 症例", "--output", "候補 1.csv")
    assert run.returncode == 0, run.stderr
    assert set(read_table(named.path("候補 1.csv")).text("case_id")) == {"新しい 症例"}


def test_a_figure_is_redrawn_elsewhere(named: Project, tmp_path: Path) -> None:
    shutil.copytree(named.path(RESULTS), tmp_path / "結果 1")
    run = named.hakken("redraw", str(tmp_path / "結果 1"), "overlays")
    assert run.returncode == 0, run.stderr


def test_the_workflow_engine_hands_such_names_on(tmp_path: Path) -> None:
    """In a process of its own for each job. A file in braces it cannot follow, but hakken does."""
    project = own_project(tmp_path / "{my} project")
    project.path("data/own/c0").rename(project.path("data/own/{c0}"))
    rows = project.path("data/own/cases.csv")
    named = rows.read_text().replace("c0/", "{c0}/").replace("c0,", "{a}/b 症例,").replace("c1,", "=$1 '\"\"' #,")
    rows.write_text(named)
    target = f"{RESULTS}/checked/development.json"
    run = project.snakemake("--quiet", "host", "--", target)
    assert run.returncode == 0, run.stdout[-3000:]
    assert set(read_json(project.path(target))) == {"{a}/b 症例", "=$1 '\"\"' #"}
    write_volume(project.path("data/own/{c0}/T1.nii.gz"), volume(99))
    run = project.snakemake("--dry-run", "--quiet", "host", "--", target)
    assert run.returncode == 1
    assert f"  data/own/{{c0}}/T1.nii.gz: restore it, or delete {RESULTS}/checked/train-000.json" in run.stdout
