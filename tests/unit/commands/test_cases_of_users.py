"""Small inputs from public bug reports: `hakken check` says of each what its README calls right.

They lie beside the checkout, in ../shared/cases; where that folder is missing the tests are skipped. A folder joins by
a line in `CHECKED`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from hakken.cli import main

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "cases"


@dataclass(frozen=True)
class Right:
    """What the command answers: its exit status, words that it says, words that it does not say."""

    status: int
    said: tuple[str, ...]
    unsaid: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


SOUND = "no problem found"
CHECKED = {
    "binary_mask_as_instances": Right(
        2, ("row 2, column lesion_mask: label 1 has several pieces up to 9 mm apart", "set `cohort.labels: binary`")
    ),
    "dicom_no_pixel_spacing": Right(
        2, ("row 2, column T1: ser/i000.dcm: PixelSpacing (0028,0030) is missing, so sizes in mm are not known",)
    ),
    "dicom_orientation_noise": Right(0, (SOUND,), ("different size or direction",)),
    "exif": Right(0, ("row 2, column T1: is turned by 90 degrees, as its EXIF orientation asks", SOUND)),
    "lesion_table_decimal_comma": Right(2, ("row 2, column lesion_table: l0.csv, row 2: 6 cells, the heading has 5",)),
    "lesion_table_semicolon": Right(0, (SOUND,), ("is missing",)),
    "mask_0.9999999": Right(0, (SOUND,)),
    "nifti_slope_0": Right(0, (SOUND,)),
    "one_file_two_channels": Right(2, ("row 2, column T1POST: is the same file as T1; correct the path",)),
    "patient_leading_zero": Right(
        2,
        (
            "row 4, column patient: `007` and `7` look like one patient, who is in train (row 2 as `007`) and test "
            "(row 4",
            "row 7, column patient: `0013` and `13` look like one patient, who is in validation (row 6 as `0013`)",
        ),
    ),
    "pet_bad_number": Right(2, ("row 2, column T1: ser/i000.dcm: PatientWeight (0010,1030) is `6O.5`",)),
    "pet_decy": Right(0, ("is 1.38168 everywhere", SOUND), ("not corrected",)),
    "pet_injected_after_scan": Right(
        2, ("row 2, column T1: ser/i000.dcm: the injection at 12:00:00 lies after the start of the scan at 11:00:00",)
    ),
    "png_aa": Right(
        2, ("row 2, column lesion_mask: 59 labels", "as the grey levels of a smoothed edge do", "mask_threshold: 128")
    ),
    "sep_line": Right(0, (SOUND, "6 cases"), ("sep=",)),
    "sform_qform_conflict": Right(
        2, ("row 2, column T1: q.nii.gz: sform and qform of its header lie up to 8.37 mm apart",)
    ),
    "split_heading": Right(0, ("6 cases (2 train, 2 validation, 2 test)", SOUND)),
    "strata_misspelt": Right(
        2,
        ("evaluation.strata names `scaner`, which is no column of the table; did you mean `scanner`?",),
        (),
        ("--study", "mine", "--fast"),
    ),
    "study_yaml_sjis": Right(
        2,
        ("mine.yaml: not a text file in UTF-8 but, as it seems, in Shift-JIS; save it as UTF-8",),
        ("Pydantic", "codec"),
        ("--study", "mine"),
    ),
    "truncated_jpeg": Right(2, ("row 2, column T1: c0.jpg: no readable image, or cut off",), ("Premature",)),
    "zero_image": Right(2, ("row 2, column T1: is 0 everywhere",)),
}


@pytest.mark.parametrize("name", sorted(CHECKED))
def test_it_behaves_as_its_readme_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if not (FOLDER / name).is_dir():
        pytest.skip(f"the folder of small inputs (../shared/cases/{name}) is not on this machine")
    right = CHECKED[name]
    shutil.copytree(FOLDER / name, tmp_path / name)
    monkeypatch.chdir(tmp_path / name)
    status = main(["check", "cases.csv", *right.options])
    shown = capfd.readouterr()
    both = shown.out + shown.err
    assert "Traceback" not in both
    for words in right.said:
        assert words in both
    for words in right.unsaid:
        assert words not in both
    assert status == right.status
