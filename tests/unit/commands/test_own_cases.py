"""Cases of a folder by its rules; the files are empty, for nothing but their names is looked at."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hakken.commands.own_cases import find_cases, table_rows
from hakken.core.errors import HakkenError


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


ORGAN = "is named as the mask of an organ: it may be the truth (lesion_mask) or a region of interest (mask)"
PATIENTS = "each case is a patient of its own: give all cases of one person the same `patient`"


def test_bids_has_a_case_for_each_subject_and_session(tmp_path: Path) -> None:
    names = []
    for subject in ("01", "02"):
        for session in ("a", "b"):
            stem = f"sub-{subject}/ses-{session}/anat/sub-{subject}_ses-{session}"
            names += [f"{stem}_T1w.nii.gz", f"{stem}_ce-gadolinium_T1w.nii.gz"]
            names.append(f"derivatives/lesions/{stem}_label-lesion_mask.nii.gz")
            names.append(f"derivatives/bet/{stem}_desc-brain_mask.nii.gz")
    found = find_cases(touched(tmp_path, *names, "participants.tsv", "sub-01/ses-a/anat/notes.txt"))
    assert found.rule == "BIDS, a case for each subject and session"
    assert [case.case_id for case in found.cases] == [
        "sub-01_ses-a", "sub-01_ses-b", "sub-02_ses-a", "sub-02_ses-b",
    ]  # fmt: skip
    assert {case.patient for case in found.cases} == {"sub-01", "sub-02"}
    assert sorted(found.channels) == ["T1w", "T1w_ce_gadolinium"]
    assert found.truth == "lesion_mask"
    assert {Path(str(case.truth)).name.split("_")[2] for case in found.cases} == {"label-lesion"}
    assert found.left_out == (f"`mask_desc_brain`, in 4 of 4 cases, {ORGAN}",)


def test_a_folder_for_each_case(tmp_path: Path) -> None:
    names = [f"BraTS_{n:03d}/BraTS_{n:03d}_{kind}.nii.gz" for n in range(4) for kind in ("t1", "t1ce", "flair", "seg")]
    (tmp_path / "loose.nii.gz").touch()
    found = find_cases(touched(tmp_path, *names[:-1], "BraTS_000/BraTS_000_pet.nii.gz"))
    assert found.rule == "a folder for each case, a channel for each file name"
    assert (sorted(found.channels), found.truth) == (["flair", "t1", "t1ce"], "lesion_mask")
    assert [case.case_id for case in found.cases] == [f"BraTS_{n:03d}" for n in range(4)]
    assert found.left_out == (
        "left out: loose.nii.gz",
        "`pet`, in 1 of 4 cases, is neither a channel that half of them have nor the truth",
        "no `seg` in BraTS_003: write `none` where there is no lesion",
        PATIENTS,
    )
    heading, rows = table_rows(found, tmp_path / "table")
    assert heading == ["case_id", "patient", *found.channels, "lesion_mask"]
    assert rows[3][-1] == "", "whether it has lesions is for the user to say"
    assert rows[0][0:2] == ["BraTS_000", "BraTS_000"]
    assert rows[0][-1] == "../BraTS_000/BraTS_000_seg.nii.gz"


def test_a_case_that_lacks_a_channel_is_named(tmp_path: Path) -> None:
    names = [f"p{n}/{kind}.nii" for n in range(5) for kind in ("ct", "mask")]
    found = find_cases(touched(tmp_path, *(name for name in names if name != "p2/ct.nii")))
    assert [case.case_id for case in found.cases] == ["p0", "p1", "p3", "p4"]
    assert found.left_out == ("case p2 lacks ct", PATIENTS)


def test_a_channel_that_half_of_the_cases_have_stays_as_one_that_cases_may_lack(tmp_path: Path) -> None:
    names = [f"p{n}/{kind}.nii" for n in range(4) for kind in ("t1", "flair", "mask") if kind != "flair" or n < 2]
    found = find_cases(touched(tmp_path, *names))
    assert found.channels == ("t1", "flair")
    assert dict(found.lacking) == {"t1": 0, "flair": 2}
    assert found.left_out[0] == "`flair`, in 2 of 4 cases, is a channel that cases may lack"
    _, rows = table_rows(found, tmp_path)
    assert [row[3] for row in rows] == ["p0/flair.nii", "p1/flair.nii", "", ""]


def test_only_the_channels_that_a_case_lacks_are_named(tmp_path: Path) -> None:
    names = [f"p{n}/{kind}.nii" for n in range(4) for kind in ("ct", "pet") if (n, kind) not in ((1, "ct"), (2, "pet"))]
    assert find_cases(touched(tmp_path, *names)).left_out[:2] == ("case p1 lacks ct", "case p2 lacks pet")


@pytest.mark.parametrize(
    ("names", "channels"),
    [
        ([f"Original/{n}.tif" for n in range(4)] + [f"Ground Truth/{n}.tif" for n in range(4)], ["image"]),
        ([f"images/a{n}.png" for n in range(4)] + [f"masks/a{n}_mask.png" for n in range(4)], ["image"]),
        (
            [f"imagesTr/liver_{n:02d}_000{c}.nii.gz" for n in range(4) for c in range(2)]
            + [f"labelsTr/liver_{n:02d}.nii.gz" for n in range(4)],
            ["channel0", "channel1"],
        ),
    ],
)
def test_images_beside_masks(names: list[str], channels: list[str], tmp_path: Path) -> None:
    found = find_cases(touched(tmp_path, *names))
    assert "files of one name in folders of images and of masks" in found.rule
    assert (sorted(found.channels), found.truth, len(found.cases)) == (channels, "lesion_mask", 4)
    assert all(isinstance(case.truth, Path) for case in found.cases)
    assert all(case.case_id[0].isalnum() for case in found.cases)


@pytest.mark.parametrize(
    ("names", "channels", "ids"),
    [
        (
            [f"p{n}_{kind}.nii.gz" for n in range(3) for kind in ("ct", "pet", "mask")],
            ["ct", "pet"],
            ["p0", "p1", "p2"],
        ),
        (
            [f"{kind}-{n}.nii" for kind in ("volume", "segmentation") for n in range(3)],
            ["volume"],
            ["0", "1", "2"],
        ),
    ],
)
def test_files_beside_each_other(names: list[str], channels: list[str], ids: list[str], tmp_path: Path) -> None:
    found = find_cases(touched(tmp_path, *names))
    assert found.rule.startswith("files of one folder: the ")
    assert (sorted(found.channels), found.truth) == (channels, "lesion_mask")
    assert sorted(case.case_id for case in found.cases) == ids
    assert all(isinstance(case.truth, Path) for case in found.cases)


def test_masks_of_organs_are_no_lesions(tmp_path: Path) -> None:
    kinds = ("ct", "liver_mask", "liver_tumour")
    found = find_cases(touched(tmp_path, *(f"p{n}/{kind}.nii.gz" for n in range(3) for kind in kinds)))
    assert (found.channels, found.truth) == (("ct",), "lesion_mask")
    assert {Path(str(case.truth)).name for case in found.cases} == {"liver_tumour.nii.gz"}
    assert found.left_out == (f"`liver_mask`, in 3 of 3 cases, {ORGAN}", PATIENTS)


def test_a_folder_for_each_class_within_parts(tmp_path: Path) -> None:
    names = [f"{part}/NORMAL/n{part}{n}.jpeg" for part in ("train", "test") for n in range(30)]
    names += [
        f"{part}/ill/person{n}_{part}.jpeg"
        for part, first in (("train", 0), ("test", 8))
        for n in range(first, first + 10)
    ]
    found = find_cases(touched(tmp_path, *names))
    assert (found.rule, found.truth) == ("a folder for each class, a case for each file", "label")
    split = Counter((case.split, case.truth) for case in found.cases)
    assert split["test", "none"] == 30
    assert split["test", "ill"] == 10
    assert split["train", "none"] + split["validation", "none"] == 30
    assert 2 <= split["validation", "none"] <= 12
    assert (split["train", "ill"], split["validation", "ill"]) == (0, 8), "two patients stand in test as well"
    parts: dict[str, set[str | None]] = {}
    for case in found.cases:
        parts.setdefault(case.patient, set()).add(case.split)
    assert all(len(one) == 1 for one in parts.values())
    assert "2 images of patients who stand in test as well" in found.left_out
    assert find_cases(tmp_path) == found, "the same folder is split in the same way"


def test_classes_without_parts_are_split_later(tmp_path: Path) -> None:
    found = find_cases(
        touched(tmp_path, *(f"{kind}/{kind}{n}.png" for kind in ("healthy", "tumour") for n in range(5)))
    )
    assert {case.split for case in found.cases} == {None}
    assert {str(case.truth) for case in found.cases} == {"none", "tumour"}
    assert any("each image is a patient of its own" in line for line in found.left_out)


def test_names_become_ids_and_columns_that_a_study_can_have(tmp_path: Path) -> None:
    found = find_cases(touched(tmp_path, *(f"症例 {n}/T1 (post).nii.gz" for n in range(3))))
    assert [case.case_id for case in found.cases] == ["症例 0", "症例 1", "症例 2"]
    assert [case.patient for case in found.cases] == ["症例 0", "症例 1", "症例 2"]
    assert found.channels == ("T1_post",)
    assert found.truth is None
    unnamed = "no file is named as truth: fill in the column lesion_mask, `none` without lesions"
    assert found.left_out == (PATIENTS, unnamed)


def test_hidden_files_are_passed_over_and_what_is_left_is_named(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match=r"no image in it or below it; hakken reads \.nii\.gz, "):
        find_cases(touched(tmp_path, ".cache/a.png", "a/._x.nii.gz", "readme.md"))
    with pytest.raises(HakkenError) as caught:
        find_cases(touched(tmp_path, *(f"{n}.nii.gz" for n in range(10))))
    assert str(caught.value) == (
        f"{tmp_path}: no rule tells which of its 10 images belong together (0.nii.gz, 1.nii.gz, 2.nii.gz, 3.nii.gz, "
        "4.nii.gz, 5.nii.gz, 6.nii.gz, 7.nii.gz and 2 more); put the files of each case into a folder of its own, or "
        "write a case table and give that to --data"
    )


def test_links_are_followed_once(tmp_path: Path) -> None:
    touched(tmp_path / "disk", *(f"p{n}/ct.nii" for n in range(3)))
    (tmp_path / "study").mkdir()
    for number in range(3):
        (tmp_path / "study" / f"p{number}").symlink_to(tmp_path / "disk" / f"p{number}")
    (tmp_path / "disk" / "p0" / "up").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "p0" / "self").symlink_to(tmp_path / "disk" / "p0")
    assert len(find_cases(tmp_path / "study").cases) == 3


def test_a_dicom_series_is_one_image(tmp_path: Path, shared_data: Path) -> None:
    series = shared_data / "totalsegmentator_tests" / "example_ct_dicom"
    if not series.is_dir():
        pytest.skip("the DICOM series is not among the shared data here")
    for number in range(3):
        (tmp_path / f"p{number}").mkdir()
        (tmp_path / f"p{number}" / "CT").symlink_to(series)
    found = find_cases(tmp_path)
    assert found.channels == ("CT",)
    assert [case.channels["CT"] for case in found.cases] == [tmp_path / f"p{n}" / "CT" for n in range(3)]


def test_masks_and_channels_named_in_japanese(tmp_path: Path) -> None:
    for case in ("症例01", "症例02", "症例03"):
        for name in ("造影", "単純", "病変マスク"):
            path = tmp_path / case / f"{name}.nii.gz"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    found = find_cases(tmp_path)
    assert found.truth == "lesion_mask"
    assert {case.truth.name for case in found.cases if isinstance(case.truth, Path)} == {"病変マスク.nii.gz"}
    assert [note for note in found.left_out if note.startswith("channel")] == [
        "channel `image_0` is 単純",
        "channel `image_1` is 造影",
    ]
