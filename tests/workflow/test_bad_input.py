"""Bad input: a clear error that says what, where and how to mend it, a non-zero exit, and nothing lost.

The images are a small cohort of one's own; each test spoils one thing and reads the message.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from own_cohort import lesions, own_project, volume
from workflow_project import Project

from hakken.cli import main
from hakken.core.volume import Volume
from hakken.imaging.files import read_volume, write_volume


@pytest.fixture
def own(tmp_path: Path) -> Project:
    """A project with three cases of its own, one for each part."""
    return own_project(tmp_path / "project")


def check(project: Project, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.chdir(project.folder)
    return main(["check", "data/own/cases.csv", "--study", "own"])


def edit_table(project: Project, old: str, new: str) -> None:
    table = project.path("data/own/cases.csv")
    assert old in table.read_text()
    table.write_text(table.read_text().replace(old, new))


def truncate(path: Path) -> None:
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[: len(content) // 2]))


def spoil_pixels(path: Path) -> None:
    image = read_volume(path)
    array = image.array.copy()
    array[0, 0, 0] = np.nan
    write_volume(path, Volume(array, image.spacing, image.origin, image.direction))


def relabel(path: Path) -> None:
    image = read_volume(path)
    write_volume(path, Volume(-image.array.astype(np.int16), image.spacing, image.origin, image.direction))


SPOILED: dict[str, tuple[Callable[[Project], object], tuple[str, ...]]] = {
    "missing file": (
        lambda project: project.path("data/own/c1/T2.nii.gz").unlink(),
        ("row 3, column T2: no such file: data/own/c1/T2.nii.gz", "correct the path"),
    ),
    "truncated image": (
        lambda project: truncate(project.path("data/own/c0/T1.nii.gz")),
        ("row 2, column T1: data/own/c0/T1.nii.gz:", "copy the file anew from its source"),
    ),
    "no image at all": (
        lambda project: project.path("data/own/c0/T1.nii.gz").write_bytes(b"no image"),
        ("row 2, column T1: data/own/c0/T1.nii.gz:",),
    ),
    "NaN pixels": (
        lambda project: spoil_pixels(project.path("data/own/c2/T2.nii.gz")),
        ("row 4, column T2: 1 of 4032 pixels are NaN or infinite; replace them or export the image again",),
    ),
    "channel elsewhere": (
        lambda project: write_volume(project.path("data/own/c0/T2.nii.gz"), volume(1, origin=900.0)),
        ("row 2, column T2: does not overlap the reference channel T1",),
    ),
    "mask on another grid": (
        lambda project: write_volume(project.path("data/own/c1/lesions.nii.gz"), lesions((14, 16, 17))),
        ("row 3, column lesion_mask: lies on another grid than the reference channel T1", "by nearest neighbour"),
    ),
    "unknown labels": (
        lambda project: relabel(project.path("data/own/c1/lesions.nii.gz")),
        ("row 3, column lesion_mask: label values that the study does not know: -1",),
    ),
    "duplicate case id": (
        lambda project: edit_table(project, "c1,p1", "c0,p1"),
        ("row 3, column case_id: case id `c0` stands in rows 2 and 3; give every case an id of its own",),
    ),
    "patient in two parts": (
        lambda project: edit_table(project, "c1,p1", "c1,p0"),
        ("patient `p0` is in train (row 2) and validation (row 3); put all cases of a patient into the same part",),
    ),
    "identical pixels in two parts": (
        lambda project: shutil.copy(project.path("data/own/c0/T1.nii.gz"), project.path("data/own/c2/T1.nii.gz")),
        ("has the same pixels as T1 of case c0 (row 2), but this one is in test and that in train",),
    ),
    "empty cohort": (
        lambda project: project.path("data/own/cases.csv").write_text("case_id,patient,split,T1,T2,lesion_mask\n"),
        ("the table has no cases; add one line per case",),
    ),
    "too few channels": (
        lambda project: edit_table(project, ",T2,", ",T3,"),
        ("column T2: this column is missing",),
    ),
    "part without lesions": (
        lambda project: edit_table(project, "c1/lesions.nii.gz", "none"),
        ("the part `validation` has no lesions, so nothing can be measured there",),
    ),
}


def test_a_sound_cohort_has_no_problem(
    own: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(own, monkeypatch) == 0
    assert "3 cases (1 train, 1 validation, 1 test), channels T1, T2: no problem found" in capsys.readouterr().out


@pytest.mark.parametrize("name", SPOILED)
def test_check_names_the_problem(
    name: str, own: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, messages = SPOILED[name]
    spoil(own)
    assert check(own, monkeypatch) == 2
    shown = capsys.readouterr().err
    for message in messages:
        assert message in shown


@pytest.mark.parametrize("name", ["truncated image", "NaN pixels of training", "part without lesions"])
def test_the_workflow_stops_with_the_same_message(name: str, own: Project) -> None:
    if name == "NaN pixels of training":
        spoil_pixels(own.path("data/own/c0/T2.nii.gz"))
        messages: tuple[str, ...] = ("row 2, column T2: 1 of 4032 pixels are NaN or infinite",)
    else:
        spoil, messages = SPOILED[name]
        spoil(own)
    run = own.snakemake()
    assert run.returncode == 1
    for message in messages:
        assert message in run.stdout
    assert "Traceback" not in run.stdout


def test_nothing_reads_a_test_image_before_the_freeze(own: Project) -> None:
    """The test images are damaged: the sweep does not notice, what reads them after the freeze does."""
    for name in ("T1", "T2", "lesions"):
        own.path(f"data/own/c2/{name}.nii.gz").write_bytes(b"sealed")
    own.at_once("results/own/tiny/freeze.json")
    opened = own.snakemake()
    assert opened.returncode == 1
    assert "row 4, column T1: data/own/c2/T1.nii.gz" in opened.stdout
    assert not own.path("data/own/openings/0001.json").exists(), "what cannot be read is not opened"


def test_no_job_before_the_freeze_has_a_test_image_among_its_inputs(own: Project) -> None:
    run = own.snakemake("results/own/tiny/freeze.json", "--dry-run", "--quiet", "host")
    assert run.returncode == 0
    assert "data/own/c1/T1.nii.gz" in run.stdout
    assert "data/own/c2/" not in run.stdout


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("traning", {"steps": 2}, "traning: unknown key; did you mean `training`?"),
        ("training", {"step": 2}, "training.step: unknown key; did you mean `steps`?"),
        ("training", {"steps": 0}, "training.steps: input should be greater than or equal to 1 (found 0)"),
        ("reference", "T3", "reference `T3` is no channel"),
    ],
)
def test_a_bad_key_in_the_study(key: str, value: object, message: str, own: Project) -> None:
    path = own.path("config/studies/own.yaml")
    content = yaml.safe_load(path.read_text())
    content[key] = value
    path.write_text(yaml.safe_dump(content))
    run = own.snakemake("--dry-run")
    assert run.returncode == 1
    assert message in run.stdout
    assert not own.path("results").exists()


def test_an_unknown_study_and_scale(own: Project) -> None:
    run = own.snakemake("--dry-run", "--config", "study=owm", "scale=tiny")
    assert run.returncode == 1
    known = ", ".join(sorted(path.stem for path in own.path("config/studies").glob("*.yaml")))
    assert {"own", "smoke"} <= set(known.split(", "))
    assert f"config/studies/owm.yaml: no such file; there are {known}" in run.stdout
    run = own.snakemake("--dry-run", "--config", "study=own", "scale=tinny")
    assert run.returncode == 1
    assert "no scale `tinny`; there are tiny; did you mean `tiny`?" in run.stdout


@pytest.mark.parametrize("given", ["study=own", "scale=tiny"])
def test_a_study_without_its_scale(given: str, own: Project) -> None:
    run = own.snakemake("--dry-run", "--config", given)
    assert run.returncode == 1
    assert "--config takes the study and its scale together: --config study=NAME scale=SCALE" in run.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("studies: [own]\ncases_per_job: 8\n", "`studies` must name at least one study and its scale"),
        ("studies: {own: }\ncases_per_job: 8\n", "`studies` must name at least one study and its scale"),
        ("studies: {own: tiny}\n", "`cases_per_job` must be a number of cases, 1 or more"),
        ("studies: {own: tiny}\ncases_per_job: 0\n", "`cases_per_job` must be a number of cases, 1 or more"),
    ],
)
def test_a_bad_configuration(text: str, message: str, own: Project) -> None:
    own.path("config/config.yaml").write_text(text)
    run = own.snakemake("--dry-run")
    assert run.returncode == 1
    assert f"config/config.yaml: {message}" in run.stdout


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB; skips where mounting is not allowed."""
    if shutil.which("mount") is None:
        pytest.skip("there is no `mount` here")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "hakken-test", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_no_space_on_the_disk(own: Project, small_disk: Path) -> None:
    own.path("results").symlink_to(small_disk)
    (small_disk / "full").write_bytes(b"0" * 150_000)
    run = own.snakemake()
    assert run.returncode == 1
    assert "no space left on the disk; free some" in run.stdout
    assert (small_disk / "full").stat().st_size == 150_000


def test_a_results_folder_that_cannot_be_written(own: Project, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    own.path("results").symlink_to(small_disk)
    run = own.snakemake()
    assert run.returncode == 1
    assert "results: cannot be written: that file system is read-only" in run.stdout
