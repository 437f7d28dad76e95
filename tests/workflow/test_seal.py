"""The seal under attack: what was opened is what is measured, and nobody who was opened trains.

One study of a cohort of its own is run to its end once; each test attacks a copy of it and reads what hakken says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_cohort import own_project, volume
from workflow_project import Project

from hakken.core.files import read_json, sha256_file, write_json
from hakken.core.tables import read_table, write_table
from hakken.imaging.files import read_volume, write_volume
from hakken.runs.predictions import MANIFEST
from hakken.seal.freeze import read_freeze, write_sealed
from hakken.seal.openings import read_openings

RESULTS = Path("results/own/tiny")
LEDGER = Path("data/own/openings")


@pytest.fixture(scope="module")
def finished_own(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study run to its end. Tests must not change it."""
    project = own_project(tmp_path_factory.mktemp("sealed") / "project")
    project.at_once()
    return project


@pytest.fixture
def attacked(finished_own: Project, tmp_path: Path) -> Project:
    """A copy, which stands where the study has always stood as far as it knows."""
    shutil.copytree(finished_own.folder, tmp_path / "project", symlinks=True)
    project = Project(tmp_path / "project")
    project.at_home()
    return project


def refusal(project: Project, *arguments: str) -> str:
    """What a start says that stops."""
    run = project.snakemake("--dry-run", "--quiet", "all", *arguments)
    assert run.returncode == 1, run.stdout[-3000:]
    assert "Traceback" not in run.stdout
    return run.stdout


def stopped(project: Project, *targets: str) -> str:
    """What the jobs of targets say when one of them stops."""
    with pytest.raises(AssertionError) as caught:
        project.at_once(*targets)
    return str(caught.value)


def under_its_old_time(path: Path, change: Callable[[], Any]) -> None:
    stat = path.stat()
    change()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def ledger(project: Project) -> list[int]:
    return [one.number for one in read_openings(project.path(str(LEDGER)))]


def measured_again(project: Project) -> str:
    """Measure the selected model on test again."""
    folder = RESULTS / "measurements/test/selected"
    shutil.rmtree(project.path(str(folder)))
    return str(folder)


def test_the_test_set_is_opened_once_and_every_figure_says_so(finished_own: Project) -> None:
    (opening,) = read_openings(finished_own.path(str(LEDGER)))
    assert (opening.study, opening.scale, len(opening.cases)) == ("own", "tiny", 1)
    facts = read_json(finished_own.path(str(RESULTS / "figures/froc.json")))
    assert facts["opening"] == {"number": 1, "begun": opening.begun, "hash": opening.hash}
    assert opening.words in finished_own.path(str(RESULTS / "summary.txt")).read_text()
    assert opening.words in finished_own.path(str(RESULTS / "report.html")).read_text()


def test_measuring_and_drawing_again_open_nothing(attacked: Project) -> None:
    measured_again(attacked)
    shutil.rmtree(attacked.path(str(RESULTS / "figures")))
    attacked.at_once()
    assert ledger(attacked) == [1]


def test_an_edited_threshold_is_not_used(attacked: Project) -> None:
    path = attacked.path(str(RESULTS / "freeze.json"))
    content = read_freeze(path)
    content["models"]["selected"]["points"]["candidates"]["threshold"] = -1.0
    under_its_old_time(path, lambda: write_sealed(path, content))
    assert "freeze.json: is not what the test set was opened for in opening 1" in stopped(
        attacked, "--only", "measure", measured_again(attacked)
    )
    assert ledger(attacked) == [1]


def forged(folder: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write candidates by hand, and a manifest that fits them."""
    write_table(folder / "candidates.csv", columns, rows)
    manifest = read_json(folder / MANIFEST)
    manifest["files"]["candidates.csv"] = sha256_file(folder / "candidates.csv")
    write_json(folder / MANIFEST, manifest)


def test_predictions_that_were_made_by_hand_count_as_another_opening(attacked: Project) -> None:
    """The table as well as its manifest are forged: every lesion is found."""
    folder = attacked.path(str(RESULTS / "predictions/test/selected"))
    table = read_table(folder / "candidates.csv")
    rows = [[float(cell) * 2 + 1 if name == "score" else cell for name, cell in row.items()] for row in table.records()]
    forged(folder, table.columns, rows)
    attacked.at_once("--only", "measure", measured_again(attacked))
    assert ledger(attacked) == [1, 2]
    assert read_openings(attacked.path(str(LEDGER)))[1].reason == (
        "predictions or truth of selected differ from those of opening 1"
    )


def test_scores_exchanged_between_candidates_of_one_size_count_as_another_opening(attacked: Project) -> None:
    """Sums, squares and products with the size are the same."""
    folder = attacked.path(str(RESULTS / "predictions/test/selected"))
    table = read_table(folder / "candidates.csv")
    first, second, *others = [dict(one) for one in table.records()]
    second["volume_mm3"] = first["volume_mm3"]
    forged(folder, table.columns, [list(one.values()) for one in (first, second, *others)])
    attacked.at_once("--only", "measure", measured_again(attacked))
    assert ledger(attacked) == [1, 2]
    first["score"], second["score"] = second["score"], first["score"]
    forged(folder, table.columns, [list(one.values()) for one in (first, second, *others)])
    attacked.at_once("--only", "measure", measured_again(attacked))
    assert ledger(attacked) == [1, 2, 3]


def test_the_same_predictions_in_another_order_are_no_opening(attacked: Project) -> None:
    folder = attacked.path(str(RESULTS / "predictions/test/selected"))
    table = read_table(folder / "candidates.csv")
    forged(folder, table.columns, [list(one.values()) for one in table.records()][::-1])
    attacked.at_once("--only", "measure", measured_again(attacked))
    assert ledger(attacked) == [1]


def test_truth_that_moved_against_itself_counts_as_another_opening(attacked: Project) -> None:
    """The labels move forward along one axis and backward along another: the same sums of voxels and of places."""
    path = attacked.path(str(RESULTS / "prepared/test-000/c2.labels.npy"))
    labels = np.load(path)
    np.save(path, np.roll(np.roll(labels, 2, 0), -2, 1))
    attacked.at_once("--only", "measure", measured_again(attacked))
    assert ledger(attacked) == [1, 2]


def test_predictions_that_were_made_by_hand_are_not_drawn(attacked: Project) -> None:
    """Only the figures are made again; of the forged table and its manifest nothing tells but the measurement."""
    folder = attacked.path(str(RESULTS / "predictions/test/selected"))
    table = read_table(folder / "candidates.csv")
    rows = [[float(cell) * 2 + 1 if name == "score" else cell for name, cell in one.items()] for one in table.records()]
    forged(folder, table.columns, rows)
    for figure in ("froc", "overlays"):
        assert "predictions/test/selected: is not what was measured in" in stopped(
            attacked, "--only", "figure", str(RESULTS / f"figures/{figure}.csv")
        )


def test_numbers_that_were_edited_are_neither_drawn_nor_printed(attacked: Project) -> None:
    """Also not with a digest that fits them, and not by results that stand alone."""
    path = attacked.path(str(RESULTS / "measurements/test/selected/measurement.json"))
    text = path.read_text()
    under_its_old_time(path, lambda: path.write_text(text.replace('"value": 0.0', '"value": 0.97')))
    summary = ("--only", "summary", str(RESULTS / "summary.txt"))
    assert "selected/measurement.json: was changed since it was written; delete the folder" in stopped(
        attacked, *summary
    )
    content = read_json(path)
    del content["digest"]
    under_its_old_time(path, lambda: write_sealed(path, content))
    said = "selected/measurement.json: data/own/openings does not know it as measured for opening 1"
    assert said in stopped(attacked, *summary)
    run = attacked.hakken("redraw", str(RESULTS), "froc")
    assert (run.returncode, "test/receipts does not know it as measured for opening 1" in run.stderr) == (2, True)
    path.write_text(text)
    table = path.with_name("candidates.curve.csv")
    under_its_old_time(table, lambda: table.write_text(table.read_text().replace("0.0,0.0", "0.0,0.9")))
    assert "candidates.curve.csv: missing or changed; delete the folder to measure again" in stopped(
        attacked, "--only", "figure", str(RESULTS / "figures/froc.csv")
    )


def test_truth_that_was_replaced_in_the_results_counts_as_another_opening(attacked: Project) -> None:
    path = attacked.path(str(RESULTS / "prepared/test-000/c2.json"))
    content = read_json(path)
    content["lesions"][0]["x"] += 5
    write_json(path, content)
    attacked.at_once("--only", "measure", measured_again(attacked))
    assert ledger(attacked) == [1, 2]


@pytest.mark.parametrize("name", ["T1", "lesions"])
def test_a_test_file_that_was_replaced_under_its_old_time_is_noticed(name: str, attacked: Project) -> None:
    path = attacked.path(f"data/own/c2/{name}.nii.gz")
    image = read_volume(path)
    changed = image.array.copy()
    changed[0, 0, 0] += 1
    under_its_old_time(path, lambda: write_volume(path, type(image).on(image.geometry, changed)))
    assert (
        f"{RESULTS}: files have changed since they were checked:\n"
        f"  data/own/c2/{name}.nii.gz: restore it, or delete {RESULTS}/checked/test-000.json to check again"
    ) in refusal(attacked)


def test_a_copied_file_with_other_times_is_looked_into_once(attacked: Project) -> None:
    path = attacked.path("data/own/c2/T1.nii.gz")
    content = path.read_bytes()
    path.unlink()
    under_its_old_time(attacked.path("data/own/c1/T1.nii.gz"), lambda: path.write_bytes(content))
    os.utime(path, (1e9, 1e9))
    assert attacked.snakemake("--dry-run", "--quiet", "all").returncode == 0
    assert "data/own/c2/T1.nii.gz" in read_json(attacked.path(str(RESULTS / "checked/seen.json")))


def test_a_test_case_that_is_called_otherwise_is_the_same_case(attacked: Project) -> None:
    edit(attacked.path("data/own/cases.csv"), "c2,p2,test", "症例 02,p2,test")
    for stage in ("registered", "prepared"):  # as the workflow engine does before such a job
        shutil.rmtree(attacked.path(str(RESULTS / stage / "test-000")))
    attacked.at_once()
    assert ledger(attacked) == [1]
    lesions = read_table(attacked.path(str(RESULTS / "measurements/test/selected/candidates.lesions.csv")))
    assert set(lesions.text("case_id")) == {"症例 02"}


def test_another_test_image_is_another_opening(attacked: Project) -> None:
    """Replaced openly, it is checked, opened and counted again."""
    write_volume(attacked.path("data/own/c2/T1.nii.gz"), volume(99))
    attacked.at_once(str(RESULTS / "test/opening.json"))
    openings = read_openings(attacked.path(str(LEDGER)))
    assert [one.reason for one in openings[1:]] == ["the same models as in opening 1, other test images or truth"]


def edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_rows_that_change_their_part_are_named(attacked: Project) -> None:
    table = attacked.path("data/own/cases.csv")
    edit(table, "c0,p0,train", "c0,p0,test")
    edit(table, "c2,p2,test", "c2,p2,train")
    said = refusal(attacked)
    assert (
        "row 2, column split: patient `p0` is in test, but stands in train in data/own/openings/parts-0001.json, where "
        "the parts were written down; write `train`\n"
    ) in said
    assert "row 4, column patient: patient `p2` was a test case in opening 1 and is in train now; a case that" in said


def test_an_opened_patient_does_not_train_though_the_parts_were_thrown_away(attacked: Project) -> None:
    attacked.path(str(LEDGER / "parts-0001.json")).unlink()
    table = attacked.path("data/own/cases.csv")
    edit(table, "c0,p0,train", "c0,p0,test")
    edit(table, "c2,p2,test", "c2,P-02,train")
    assert "row 4, column patient: patient `P-02` was a test case in opening 1" in refusal(attacked)


def test_an_opened_image_does_not_train_under_another_name(attacked: Project) -> None:
    """A new study of a new table, in which the patient has a new name."""
    attacked.path(str(LEDGER / "parts-0001.json")).unlink()
    edit(attacked.path("data/own/cases.csv"), "c2,p2,test", "n2,new,train")
    edit(attacked.path("data/own/cases.csv"), "c0,p0,train", "n0,other,test")
    study = attacked.path("config/studies/own.yaml").read_text().replace("name: own", "name: later")
    attacked.path("config/studies/later.yaml").write_text(study)
    attacked.path("config/config.yaml").write_text("studies: {later: tiny}\ncases_per_job: 8\n")
    said = stopped(attacked, "results/later/tiny/checked/development.json")
    assert "row 4, column T1: this image was one of a test case in opening 1 and is in train now" in said
    allowed = study.replace("cohort: {table:", "cohort: {reuse_opened: another task, table:")
    attacked.path("config/studies/later.yaml").write_text(allowed)
    attacked.at_once()
    summary = attacked.path("results/later/tiny/summary.txt").read_text()
    assert "\ncases that were test cases of an earlier opening train here: another task\n" in summary


def with_a_copied_table(project: Project, change: str) -> None:
    """A study of a copy of the table in another folder, of the same images; ``change`` says what its cohort is."""
    rows = project.path("data/own/cases.csv").read_text()
    for number in range(3):
        rows = rows.replace(f"c{number}/", f"../own/c{number}/")
    project.path("data/copy").mkdir()
    project.path("data/copy/cases.csv").write_text(rows)
    study = project.path("config/studies/own.yaml").read_text().replace("name: own", "name: other")
    project.path("config/studies/other.yaml").write_text(study.replace("table: data/own/cases.csv", change))
    project.path("config/config.yaml").write_text("studies: {other: tiny}\ncases_per_job: 8\n")


@pytest.mark.parametrize(
    "change", ["table: data/copy/cases.csv", "openings: another, table: data/own/cases.csv"], ids=["table", "ledger"]
)
def test_a_copied_table_or_another_ledger_begins_no_new_count(change: str, attacked: Project) -> None:
    with_a_copied_table(attacked, change)
    said = stopped(attacked, "results/other/tiny/test/opening.json")
    assert "row 4, column T1: this image was opened in opening 1 of data/" in said
    assert "(study own at tiny), which the ledger of this study does not know; share one ledger: name its" in said


def test_an_opened_image_does_not_train_by_a_copied_table(attacked: Project) -> None:
    with_a_copied_table(attacked, "table: data/copy/cases.csv")
    table = attacked.path("data/copy/cases.csv")
    edit(table, "c0,p0,train", "c0,p0,test")
    edit(table, "c2,p2,test", "c2,p2,train")
    said = stopped(attacked, "results/other/tiny/checked/development.json")
    assert "row 4, column T1: this image was opened in opening 1 of data/" in said


def test_another_scale_of_the_same_patients_is_the_next_opening(attacked: Project) -> None:
    study = attacked.path("config/studies/own.yaml")
    edit(study, "scales: {tiny: {}}", "scales: {tiny: {}, small: {training: {steps: 3}}}")
    attacked.path("config/config.yaml").write_text("studies: {own: small}\ncases_per_job: 8\n")
    attacked.at_once()
    assert ledger(attacked) == [1, 2]
    assert "test opening 2 known to this ledger" in attacked.path("results/own/small/summary.txt").read_text()


def test_a_lost_ledger_stops_a_finished_study_and_is_restored(attacked: Project) -> None:
    before = read_openings(attacked.path(str(LEDGER)))
    shutil.rmtree(attacked.path(str(LEDGER)))
    assert f"{LEDGER}/0001.json: opening 1 of the test set is missing from the ledger" in refusal(attacked)
    run = attacked.hakken("openings", "own", "--restore")
    assert f"restored: {LEDGER}/0001.json" in run.stdout
    assert read_openings(attacked.path(str(LEDGER))) == before
    assert attacked.snakemake("--dry-run", "--quiet", "all").returncode == 0
    assert ", restored on 20" in attacked.hakken("openings", "own").stdout


def test_an_edited_ledger_stops_a_finished_study(attacked: Project) -> None:
    path = attacked.path(str(LEDGER / "0001.json"))
    write_json(path, read_json(path) | {"study": "another"})
    assert "0001.json: an opening of the test set that was changed since it was written" in refusal(attacked)


def test_a_ledger_that_cannot_be_written_is_told_at_the_start(attacked: Project) -> None:
    edit(attacked.path("config/studies/own.yaml"), "cohort: {table:", "cohort: {openings: /proc/openings, table:")
    said = refusal(attacked)
    assert "it would hold the ledger of test openings: set `cohort.openings` to a folder" in said


def test_a_patient_who_comes_later_moves_nobody(tmp_path: Path) -> None:
    """The table has no column of parts."""
    project = own_project(tmp_path / "project")
    table = project.path("data/own/cases.csv")
    rows = [line.split(",") for line in table.read_text().splitlines()]
    for number in range(3, 9):
        write_volume(project.path(f"data/own/c{number}/T1.nii.gz"), volume(number))
        write_volume(project.path(f"data/own/c{number}/T2.nii.gz"), volume(number + 20))
        shutil.copy(project.path("data/own/c0/lesions.nii.gz"), project.path(f"data/own/c{number}"))
        rows.append([cell.replace("c0", f"c{number}").replace("p0", f"p{number}") for cell in rows[1]])
    without = [row[:2] + row[3:] for row in rows]
    table.write_text("\n".join(map(",".join, without[:-2])) + "\n")
    project.at_once(str(RESULTS / "checked/development.json"))
    first = read_json(project.path(str(LEDGER / "parts-0001.json")))["parts"]
    table.write_text("\n".join(map(",".join, without)) + "\n")
    project.at_once(str(RESULTS / "checked/development.json"))
    assert read_json(project.path(str(LEDGER / "parts-0001.json")))["parts"] == first
    later = read_json(project.path(str(LEDGER / "parts-0002.json")))["parts"]
    assert set(later) == {"p7", "p8"}


def test_results_that_travelled_redraw_a_figure_and_are_not_made_anew_unasked(
    finished_own: Project, tmp_path: Path
) -> None:
    alone = tmp_path / "archive"
    shutil.copytree(finished_own.path(str(RESULTS)), alone)
    before = {path.name: path.read_bytes() for path in (alone / "figures").glob("froc.*")}
    for path in (alone / "figures").glob("froc.*"):
        path.unlink()
    run = finished_own.hakken("redraw", str(alone), "froc")
    assert run.returncode == 0, run.stderr
    after = {path.name: path.read_bytes() for path in (alone / "figures").glob("froc.*")}
    assert {name: after[name] for name in after if not name.endswith(".json")} == {
        name: before[name] for name in before if not name.endswith(".json")
    }
    shutil.copytree(finished_own.folder, tmp_path / "elsewhere", symlinks=True)
    project = Project(tmp_path / "elsewhere")
    project.path("data/own/cases.csv").touch()
    run = project.snakemake()
    assert run.returncode == 1
    assert f"{RESULTS}: these results were finished in another place; this run would make" in run.stdout
    assert f"hakken redraw {RESULTS} FIGURE. To go on all the same: --config overwrite=true" in run.stdout
    assert ledger(project) == [1]
