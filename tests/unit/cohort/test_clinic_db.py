"""The case table of CVC-ClinicDB, on a folder of its layout."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.cli import main
from hakken.cohort.clinic_db import ENDS, read_sequences, sequence_of, write_case_table
from hakken.cohort.split import assign_parts
from hakken.cohort.table import read_table
from hakken.core.errors import HakkenError
from hakken.imaging.checks import check_case
from hakken.imaging.files import read_volume
from hakken.imaging.lesions import lesions_of_mask
from hakken.study import Study

FRAMES = (1, 2, 25, 26, 27, 68, 103, 612)


@pytest.fixture(params=[".tif", ".png"])
def source(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with frames of the data set's names and colours."""
    folder = tmp_path / "clinic"
    for frame in FRAMES:
        pixels = np.zeros((24, 32, 3), np.uint8)
        pixels[..., 0], pixels[..., 1], pixels[..., 2] = 200, 90, frame % 256
        pixels[5:9, 6:12] += 20
        pixels[-1] += np.arange(32, dtype=np.uint8)[:, None]  # or it would hold two values alone, as a mask does
        mask = np.zeros((24, 32), np.uint8)
        mask[5:9, 6:12] = 255
        for name, array in (("Original", pixels), ("Ground Truth", mask)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            image = sitk.GetImageFromArray(array, isVector=array.ndim == 3)
            sitk.WriteImage(image, str(folder / name / f"{frame}{request.param}"))
    (folder / "Ground Truth" / "Thumbs.db").touch()
    return folder


def study_of(table: Path) -> Study:
    return Study.model_validate(
        {
            "name": "polyp",
            "seed": 1,
            "method": "unet",
            "cohort": {"table": str(table), "labels": "binary"},
            "channels": {
                colour: {"modality": "endoscopy", "colour": colour, "normalise": "window", "range": [0, 255]}
                for colour in ("red", "green", "blue")
            },
            "reference": "green",
            "registration": {"method": "none"},
            "preparation": {"mask": "none"},
            "patches": {"axes": 2},
        }
    )


def test_the_sequences_cover_all_frames_once() -> None:
    assert len(ENDS) == 29
    assert ENDS[-1] == 612
    assert all(before < after for before, after in pairwise(ENDS))
    assert [sequence_of(frame) for frame in (1, 25, 26, 200, 205, 206, 592, 612)] == [1, 1, 2, 10, 10, 11, 29, 29]
    for frame in (0, 613):
        with pytest.raises(HakkenError, match=f"frame {frame}: CVC-ClinicDB has the frames 1 to 612"):
            sequence_of(frame)


def test_a_frame_is_a_case_and_its_sequence_the_patient(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "data" / "cases.csv"
    output.parent.mkdir()
    assert main(["clinic-db", str(source), str(output)]) == 0
    table = read_table(output, study_of(output))
    patients = [case.patient for case in table.cases]
    assert [case.case_id for case in table.cases] == [f"frame{frame:03d}" for frame in FRAMES]
    assert patients == [f"sequence{number:02d}" for number in (1, 1, 1, 2, 2, 4, 5, 29)]
    case = table.cases[1]
    colours = [read_volume(case.channels[name], name).array[0, 0, 0] for name in ("red", "green", "blue")]
    assert colours == [200, 90, 2]
    assert case.lesion_mask is not None
    assert np.count_nonzero(read_volume(case.lesion_mask).array) == 24
    assert [problem for case in table.cases for problem in check_case(case, study_of(output))] == []


def test_a_sequence_is_never_split(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "cases.csv"
    write_case_table(source, output)
    study = study_of(output)
    split = assign_parts(read_table(output, study), study)
    parts: dict[str, set[str]] = {}
    for case in split.cases:
        parts.setdefault(case.patient, set()).add(str(case.split))
    assert all(len(found) == 1 for found in parts.values())


def test_other_sequences_come_from_a_table(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = tmp_path / "sequences.csv"
    given.write_text("first,last,sequence\n1,30,a\n60,612,b\n")
    assert main(["clinic-db", str(source), str(tmp_path / "cases.csv"), "--sequences", str(given)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/cases.csv: case table of 8 frames in 2 sequences\n"
    given.write_text("first,last,sequence\n1,30,a\n")
    assert main(["clinic-db", str(source), str(tmp_path / "cases.csv"), "--sequences", str(given)]) == 2
    assert "no sequence is given for frame 68, 103, 612; add a row" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,30,a\n30,40,b\n", "row 3, column first: frame 30 stands in two sequences; keep it in one"),
        ("9,3,a\n", "row 2, column last: no range of frames: 9 to 3; write whole numbers, in order"),
        ("1,3.5,a\n", "row 2, column last: no range of frames: 1 to 3.5"),
    ],
)
def test_bad_ranges_are_named(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "sequences.csv").write_text(f"first,last,sequence\n{rows}")
    with pytest.raises(HakkenError, match=message):
        read_sequences(tmp_path / "sequences.csv")


def test_gaps_and_other_folders_are_named(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "cases.csv"
    mask = next((source / "Ground Truth").glob("26.*"))
    mask.unlink()
    with pytest.raises(HakkenError, match=rf"Ground Truth: lacks {mask.name}; fetch these files again"):
        write_case_table(source, output)
    next((source / "Original").glob("26.*")).rename(source / "Original" / f"polyp{mask.suffix}")
    with pytest.raises(HakkenError, match=r"Original: polyp\.\w+ is not named by a frame's number; is this"):
        write_case_table(source, output)
    with pytest.raises(
        HakkenError, match=r"Original: no such folder; CVC-ClinicDB has the folders Original and Ground"
    ):
        write_case_table(tmp_path, output)


def test_masks_with_grey_rims_take_the_documented_path(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Masks as the data set has them: a smoothed edge of 20 to 230 around white, in some frames."""
    mask = next((source / "Ground Truth").glob("26.*"))
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(mask))).astype(int)
    pixels[4, 6:12], pixels[9, 6:12], pixels[5:9, 5], pixels[5:9, 12] = 20, 127, 128, 230
    sitk.WriteImage(sitk.GetImageFromArray(pixels.astype(np.uint8)), str(mask))
    output = tmp_path / "cases.csv"
    assert main(["clinic-db", str(source), str(output)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        f"1 of 8 masks have grey rims; in the study: cohort: {{table: {output}, labels: binary, mask_threshold: 128}}"
    )
    study = study_of(output)
    case = read_table(output, study).case("frame026")
    (problem,) = check_case(case, study)
    assert problem.reason.startswith("6 values from 0 to 255 (20, 127, 128, 230): levels of grey, as smoothing")
    assert problem.remedy.endswith("`cohort: {labels: binary, mask_threshold: 128}`")
    told = study.model_copy(update={"cohort": study.cohort.model_copy(update={"mask_threshold": 128.0})})
    assert check_case(case, told) == []
    mask_read = read_volume(mask)
    (lesion,) = lesions_of_mask(mask_read, told.cohort)[1]
    assert (lesion.size, mask_read.unit) == (4 * 6 + 4 + 4, "px")  # white, and the sides of 128 and 230
