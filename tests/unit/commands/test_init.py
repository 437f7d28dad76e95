"""A study of one's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hakken import plugins
from hakken.cli import main
from hakken.cohort.rows import read_rows
from hakken.core.volume import Volume
from hakken.imaging.files import write_volume
from hakken.study.reading import load_study, scales_of

STUDIES = sorted(path.stem for path in (Path(__file__).resolve().parents[3] / "config/studies").glob("*.yaml"))


KEPT = ("method", "channels", "reference", "registration", "preparation", "patches", "parameters", "inference")


@pytest.mark.parametrize("source", STUDIES)
def test_a_study_like_another_has_its_design_and_nothing_of_its_publication(
    source: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "liver_nodules", "--from", source]) == 0
    path, old = project / "config/studies/liver_nodules.yaml", project / f"config/studies/{source}.yaml"
    for scale in scales_of(old):
        study = load_study(path, scale)
        assert (study.name, study.title, study.data) == ("liver_nodules", "liver nodules", "own data")
        assert (study.cohort.table, study.cohort.phantom) == ("data/liver_nodules/cases.csv", None)
        assert (study.published, study.scaling, study.search.comparison) == (None, None, None)
        assert all(variant.published == {} for variant in study.variants.values())
        before = load_study(old, scale)
        for section in KEPT:
            assert getattr(study, section) == getattr(before, section), (scale, section)
    assert study.seed != before.seed
    assert study.seed < 2**31
    written = path.read_text()
    for word in ("8.4", "2.9", "12.8", "radiologist", str(before.seed), "citation"):
        assert word not in written, word
    shown = capsys.readouterr().out
    assert "config/studies/liver_nodules.yaml: the study, every key explained" in shown
    assert "then: hakken check data/liver_nodules/cases.csv --study liver_nodules" in shown
    assert "make demo STUDY=liver_nodules SCALE=tiny" in shown


def test_without_images_nothing_is_assumed_in_silence(project: Path) -> None:
    assert main(["init", "liver"]) == 0
    lines = (project / "config/studies/liver.yaml").read_text().splitlines()
    for key in ("name: liver", "  table: data/liver/cases.csv", "  labels: instances", "  patch_size: 48"):
        assert lines[lines.index(key) - 1].lstrip().startswith("# "), key
    assert "  # Here: a guess, for no image was seen: take your voxels'." in lines
    assert "  mask: none" in lines
    study = load_study(project / "config/studies/liver.yaml", "paper")
    assert study.outcomes["candidates"].operating_point == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", plugins.names("methods"))
def test_each_method_is_offered_or_says_what_it_needs(
    method: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["init", "liver", "--method", method])
    shown = capsys.readouterr()
    if status == 0:
        assert load_study(project / "config/studies/liver.yaml", "tiny").method == method
    else:
        assert method in shown.err
        assert not (project / "data").exists()


def test_the_case_table_has_the_columns_of_the_study(project: Path) -> None:
    main(["init", "liver"])
    table = read_rows(project / "data/liver/cases.csv")
    assert table.heading == ("case_id", "patient", "split", "scanner", "image", "lesion_mask")
    assert [row["split"] for row in table.rows] == ["train", "validation", "test"]
    assert [row["lesion_mask"] for row in table.rows] == [
        "case1/lesion_mask.nii.gz",
        "case2/lesion_mask.nii.gz",
        "none",
    ]


def test_the_template_lacks_nothing_but_the_images(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init", "liver"])
    assert main(["check", "data/liver/cases.csv", "--study", "liver", "--fast"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "hakken check: data/liver/cases.csv: 5 problems"
    assert all("no such file" in line for line in lines[1:])


def volumes(folder: Path, cases: int, spacing: tuple[float, float, float] = (0.9375, 0.9375, 1.5)) -> Path:
    """Folders of cases with two channels on one grid and a mask of two balls of 6 voxels, 0 around a head-like ball."""
    random = np.random.default_rng(0)
    grid = np.indices((30, 40, 36))
    for number in range(cases):
        inside = sum((axis - size // 2) ** 2 for axis, size in zip(grid, (30, 40, 36), strict=True)) < 14**2
        mask = np.zeros((30, 40, 36), np.uint8)
        for z, y, x in ((12, 18, 15), (18, 24, 20)):
            mask[((grid - np.array([z, y, x])[:, None, None, None]) ** 2).sum(0) < 9] = 1
        for name in ("T1", "FLAIR"):
            image = np.where(inside, random.normal(100, 10, mask.shape) + 80 * mask, 0).astype(np.float32)
            write_volume(folder / f"patient{number:02d}" / f"{name}.nii.gz", Volume(image, spacing))
        write_volume(folder / f"patient{number:02d}" / "lesions.nii.gz", Volume(mask, spacing))
    return folder


def test_pictures_whose_masks_have_grey_rims_become_a_study_that_passes_its_check(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    grid = np.indices((64, 80))
    for number in range(6):
        away = np.sqrt(((grid - random.uniform(25, 40, 2)[:, None, None]) ** 2).sum(0))
        mask = np.clip(255 * (16 - away) / 6, 0, 255).astype(np.uint8)  # white up to 10 pixels, half of it at 13
        frame = random.normal(120, 20, (64, 80, 3)) + (away < 13)[..., None] * np.array([60, 0, 0])
        for folder, pixels in (("Original", np.clip(frame, 0, 255).astype(np.uint8)), ("Ground Truth", mask)):
            (tmp_path / "images" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "images" / folder / f"{number + 1}.tif")
    assert main(["init", "mine", "--data", str(tmp_path / "images")]) == 0
    text = (project / "config/studies/mine.yaml").read_text()
    for line in (
        "  # Here: median pixel 1 \N{MULTIPLICATION SIGN} 1 px of 6 images.",
        "  # Here: the masks hold one value: their 8-connected pieces are the lesions.",
        "  # Here: pictures, whose edges may be grey: lesion from half of white on.",
    ):
        assert f"{line}\n" in text, line
    words = " ".join(text.replace("#", " ").split())  # a long reason stands on several lines
    assert "twice the diameter that 90 % of 6 lesions stay below (26 px)" in words
    study = load_study(project / "config/studies/mine.yaml", "tiny")
    assert (study.cohort.labels, study.cohort.mask_threshold) == ("binary", 128)
    assert main(["check", "data/mine/cases.csv", "--study", "mine"]) == 0
    assert "6 cases (4 train, 1 validation, 1 test), channels image: no problem found" in capsys.readouterr().out


def test_a_folder_of_volumes_becomes_a_study_that_passes_its_check(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = volumes(tmp_path / "images", 5)
    (folder / "notes.txt").write_text("mine")
    assert main(["init", "mine", "--data", str(folder)]) == 0
    shown = capsys.readouterr().out
    rule = "5 cases by the rule: a folder for each case, a channel for each file name; channels FLAIR, T1"
    assert f"{folder}: {rule}" in shown
    text = (project / "config/studies/mine.yaml").read_text()
    for line in (
        "  # Here: median voxel 0.938 \N{MULTIPLICATION SIGN} 0.938 \N{MULTIPLICATION SIGN} 1.5 mm of 5 images.",
        "  # Here: 5 of 5 images are 0 around what they show.",
        "  # Here: the masks hold one value: their 26-connected pieces are the lesions.",
        "  # Here: all channels lie on one grid; `rigid` where the patient moved between them.",
        "  # Here: modality: the name `FLAIR`.",
    ):
        assert f"{line}\n" in text, line
    study = load_study(project / "config/studies/mine.yaml", "tiny")
    assert (study.method, study.cohort.labels, study.preparation.mask) == ("dense", "binary", "nonzero")
    assert study.preparation.spacing_mm == (0.938, 0.938, 1.5)
    assert study.outcomes["candidates"].hit == "distance"  # type: ignore[attr-defined]
    assert (study.parameters.axes, study.parameters.target) == (3, "labels")  # type: ignore[attr-defined]
    assert study.baselines == ("brightness_peaks", "laplacian_blobs")
    assert main(["check", "data/mine/cases.csv", "--study", "mine"]) == 0
    assert "5 cases (3 train, 1 validation, 1 test), channels FLAIR, T1: no problem found" in capsys.readouterr().out


def test_a_case_table_stays_as_it_is(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = volumes(tmp_path / "images", 4)
    rows = [f"p{n},p{n},A,patient{n:02d}/T1.nii.gz,patient{n:02d}/lesions.nii.gz" for n in range(4)]
    table = folder / "cases.csv"
    table.write_text("\n".join(["case_id,patient,scanner,T1,lesion_mask", *rows]) + "\n")
    before = table.read_bytes()
    assert main(["init", "mine", "--data", str(table), "--method", "unet"]) == 0
    assert table.read_bytes() == before
    assert not (project / "data").exists()
    study = load_study(project / "config/studies/mine.yaml", "tiny")
    assert (study.cohort.table, tuple(study.channels), study.method) == (table.as_posix(), ("T1",), "unet")
    assert main(["check", str(table), "--study", "mine"]) == 0


def test_cases_of_the_test_part_stay_unread(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = volumes(tmp_path / "images", 5)
    parts = ("train", "train", "train", "validation", "test")
    rows = [f"p{n},p{n},{parts[n]},patient{n:02d}/T1.nii.gz,patient{n:02d}/lesions.nii.gz" for n in range(5)]
    table = folder / "cases.csv"
    table.write_text("\n".join(["case_id,patient,split,T1,lesion_mask", *rows]) + "\n")
    for path in (folder / "patient04").iterdir():
        path.write_text("sealed")
    assert main(["init", "mine", "--data", str(table)]) == 0
    assert "not read" not in capsys.readouterr().out
    assert "Here: 5 cases, the images of 4 were examined." in (project / "config/studies/mine.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "images", "--from", "polyp"], "--from begins with another study and --data with your images; "),
        (["--method", "unet", "--from", "polyp"], "--from brings the method of its study; leave --method out"),
        (["--data", "nowhere"], "nowhere: no such file or folder; name the folder of your images or a case table"),
        (["--data", "config"], "config: no image in it or below it; hakken reads .nii.gz, "),
        (["--data", "images", "--method", "unets"], "no method `unets`, there are autoencoder, "),
    ],
)
def test_what_cannot_begin_is_said_and_nothing_is_written(
    words: list[str], message: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volumes(project / "images", 3)
    assert main(["init", "mine", *words]) == 2
    assert message in capsys.readouterr().err
    assert not (project / "data").exists()
    assert not (project / "config/studies/mine.yaml").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("open_ms", ("dense", "nonzero", "none", (1.0, 1.0, 1.0))),
        ("sts_fdgpet", ("dense", "body", "none", (5.47, 5.47, 3.27))),
        ("chest_xray", ("autoencoder", "none", "none", (2.0, 2.0, 1.0))),
    ],
)
def test_real_images_become_studies_that_can_be_planned(
    name: str, expected: tuple[object, ...], project: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (shared_data / name).is_dir():
        pytest.skip(f"{name} is not among the shared data here")
    assert main(["init", "mine", "--data", str(shared_data / name)]) == 0
    study = load_study(project / "config/studies/mine.yaml", "tiny")
    found = (study.method, study.preparation.mask, study.registration.method, study.preparation.spacing_mm)
    assert found == expected
    assert main(["check", "data/mine/cases.csv", "--study", "mine", "--fast"]) == 0


def test_images_that_no_rule_explains_are_listed(
    project: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (shared_data / "totalsegmentator_tests").is_dir():
        pytest.skip("totalsegmentator_tests is not among the shared data here")
    assert main(["init", "mine", "--data", str(shared_data / "totalsegmentator_tests")]) == 2
    shown = capsys.readouterr().err
    assert "no rule tells which of its 8 images belong together (example_ct.nii.gz, example_ct_sm.nii.gz, " in shown
    assert shown.endswith(
        "put the files of each case into a folder of its own, or write a case table and give that to --data\n"
    )


@pytest.fixture
def foreign(project: Path, toys: Path) -> Path:
    """A project with the studies of another package."""
    for path in (toys / "studies").glob("*.yaml"):
        shutil.copy(path, project / "config" / "studies")
    return project


def test_a_study_of_cases_that_are_no_images(foreign: Path) -> None:
    assert main(["init", "mine", "--from", "toy_crossed"]) == 0
    study = load_study(foreign / "config/studies/mine.yaml", "tiny")
    assert (study.cohort.kind, study.cohort.table) == ("items", "data/mine/cases.csv")
    table = read_rows(foreign / "data/mine/cases.csv")
    assert table.heading == ("case_id", "patient", "split", "scanner", "vector", "label")
    assert [(row["vector"], row["label"]) for row in table.rows] == [
        ("case1/vector", "abnormal"),
        ("case2/vector", "abnormal"),
        ("case3/vector", "none"),
    ]


def test_a_study_without_cases_has_no_case_table(foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "mine", "--from", "toy_records"]) == 2
    assert capsys.readouterr().err == (
        "hakken init: config/studies/toy_records.yaml: a study without cases needs no case table; copy the file and "
        "change its name\n"
    )
    assert not (foreign / "config/studies/mine.yaml").exists()


@pytest.mark.parametrize("existing", ["config/studies/liver.yaml", "data/liver/cases.csv"])
def test_existing_files_are_never_overwritten(existing: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / existing
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    assert main(["init", "liver"]) == 2
    assert capsys.readouterr().err == f"hakken init: {existing} exists already; choose another name, or move it away\n"
    assert path.read_text() == "mine"
    assert len([path for path in project.rglob("*") if path.stem == "liver"]) == (2 if "data" in existing else 1) - (
        "data" in existing
    )


@pytest.mark.parametrize("name", ["liver nodules", "../liver", "", "_x", "läsion"])
def test_names_that_cannot_be_folders(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", name]) == 2
    assert capsys.readouterr().err == (f"hakken init: `{name}` is no study name; use letters, digits and underscores\n")
    assert not (project / "data").exists()


def test_an_unknown_source_names_those_that_exist(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "liver", "--from", "brain_metastases"]) == 2
    shown = capsys.readouterr().err
    assert "config/studies/brain_metastases.yaml: no such file; there are aneurysm_mra, brain_metastasis" in shown
    assert shown.endswith("; did you mean `brain_metastasis`?\n")
    assert not (project / "data").exists()


@pytest.mark.parametrize("words", [["init", "liver"], ["check", "cases.csv", "--study", "liver"]])
def test_in_another_folder_it_says_where_to_go(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    said = "config/studies: no such folder; run this command in the project's folder\n"
    assert capsys.readouterr().err == f"hakken {words[0]}: {said}"
    assert list(tmp_path.iterdir()) == []
