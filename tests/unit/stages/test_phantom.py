"""Drawing a batch of a phantom cohort, and its case table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cohort.table import read_table
from hakken.core.files import sha256_file
from hakken.imaging.files import read_volume
from hakken.stages.phantom import phantom
from hakken.stages.phantom_table import phantom_table
from hakken.study import Study

STUDY: dict[str, Any] = {
    "name": "demo",
    "seed": 1,
    "cohort": {
        "phantom": {
            "generator": "brain_metastasis",
            "cases": {"train": 3, "validation": 2, "test": 1},
            "shape_mm": [100, 120, 95],
            "spacing_mm": 3.0,
        }
    },
    "channels": {"T1POST": {"modality": "mr"}, "T1": {"modality": "mr"}},
    "reference": "T1POST",
}


def test_images_stand_where_the_table_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    phantom_table(study=STUDY, cases_per_job=2, output=tmp_path / "cases.csv")
    phantom(study=STUDY, cases=["P0001", "P0002"], output=tmp_path / "train-000")
    phantom(study=STUDY, cases=["P0003"], output=tmp_path / "train-001", log=tmp_path / "phantom.log")
    table = read_table(tmp_path / "cases.csv", Study.model_validate(STUDY), files_exist=False)
    assert len(table) == 6
    for case in table.cases[:3]:
        assert all(path.is_file() for path in case.files)
        assert case.lesion_mask is not None
        mask = read_volume(case.lesion_mask)
        assert mask.matches(read_volume(case.channels["T1POST"]))
        truth = json.loads((case.lesion_mask.parent / "truth.json").read_text())
        assert int(mask.array.max()) == len(truth["lesions"])
        assert truth["scanner"] == case.columns["scanner"]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[phantom table] 6 cases: 3 train, 2 validation, 1 test"
    assert lines[1].startswith("[phantom] 1 of 2: P0001, scanner ")
    assert "1 of 1: P0003" in (tmp_path / "phantom.log").read_text()


def test_the_batch_does_not_matter(tmp_path: Path) -> None:
    phantom(study=STUDY, cases=["P0001", "P0002"], output=tmp_path / "one")
    phantom(study=STUDY, cases=["P0002"], output=tmp_path / "two")
    for name in ("T1POST.nii.gz", "T1.nii.gz", "lesions.nii.gz", "truth.json"):
        assert sha256_file(tmp_path / "one" / "P0002" / name) == sha256_file(tmp_path / "two" / "P0002" / name)


def test_the_header_is_oblique_and_anisotropic_on_scanner_c(tmp_path: Path) -> None:
    big = STUDY | {
        "cohort": {"phantom": STUDY["cohort"]["phantom"] | {"cases": {"train": 3, "validation": 3, "test": 3}}}
    }
    phantom_table(study=big, cases_per_job=9, output=tmp_path / "cases.csv")
    table = read_table(tmp_path / "cases.csv", Study.model_validate(big), files_exist=False)
    case = next(case for case in table.cases if case.columns["scanner"] == "C")
    phantom(study=big, cases=[case.case_id], output=tmp_path / "x")
    volume = read_volume(tmp_path / "x" / case.case_id / "T1.nii.gz")
    assert volume.spacing == pytest.approx((3, 3, 4.5))
    assert np.count_nonzero(np.abs(np.round(volume.direction, 3)) % 1) >= 4


@pytest.mark.parametrize(
    ("cases", "channels", "message"),
    [
        (["P0091"], ["T1POST", "T1"], "error: case P0091: the phantom has no such case; did you mean `P0001`?"),
        (
            ["P0001"],
            ["T1POST", "T1", "T2"],
            "error: study demo: the phantom draws two channels, the reference with contrast agent and one without, but "
            "the study has T1POST, T1, T2; remove a channel",
        ),
    ],
)
def test_what_cannot_be_drawn(
    cases: list[str], channels: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = STUDY | {"channels": {name: {"modality": "mr"} for name in channels}}
    with pytest.raises(SystemExit) as caught:
        phantom(study=study, cases=cases, output=tmp_path)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"[phantom] {message}\n"


def test_two_channels_asked_of_the_angiogram(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    phantom_of = STUDY["cohort"]["phantom"] | {"generator": "aneurysm"}
    with pytest.raises(SystemExit) as caught:
        phantom(study=STUDY | {"cohort": {"phantom": phantom_of}}, cases=["P0001"], output=tmp_path)
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "[phantom] error: study demo: the phantom draws one channel, time-of-flight MR angiography, but the study has "
        "T1POST, T1; remove a channel\n"
    )


def test_an_angiogram_is_written_like_any_other_case(tmp_path: Path) -> None:
    study = STUDY | {
        "cohort": {"phantom": STUDY["cohort"]["phantom"] | {"generator": "aneurysm", "spacing_mm": 2.0}},
        "channels": {"TOF": {"modality": "mr"}},
        "reference": "TOF",
    }
    phantom_table(study=study, cases_per_job=9, output=tmp_path / "cases.csv")
    phantom(study=study, cases=["P0001", "P0002", "P0003"], output=tmp_path / "train-000")
    table = read_table(tmp_path / "cases.csv", Study.model_validate(study), files_exist=False)
    counts = []
    for case in table.cases[:3]:
        assert case.lesion_mask is not None
        mask = read_volume(case.lesion_mask)
        assert mask.matches(read_volume(case.channels["TOF"]))
        truth = json.loads((case.lesion_mask.parent / "truth.json").read_text())
        assert int(mask.array.max()) == len(truth["lesions"])
        counts.append(len(truth["lesions"]))
    assert sorted(counts) == [0, 1, 1]
