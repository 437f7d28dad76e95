"""Registering the channels of a batch to the reference channel: transforms, pictures, records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.core.volume import Volume
from hakken.imaging.files import write_volume
from hakken.stages.check import check
from hakken.stages.register import register
from hakken.study import Study
from hakken.study.reading import parse_study


def make_study(channels: Sequence[str] = ("A", "B"), **registration: Any) -> Study:
    return parse_study(
        {
            "name": "small",
            "seed": 1,
            "method": "patch_classifier",
            "cohort": {"table": "cases.csv"},
            "channels": {name: {"modality": "mr"} for name in channels},
            "preparation": {"mask": "nonzero"},
            "registration": registration or {"shrink": [2, 1]},
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """One case: a smooth pattern, and the same inverted and shifted by (4, -2, 3) mm."""
    noise = np.random.default_rng(0).normal(size=(24, 26, 28))
    array = ndimage.gaussian_filter(noise, 2.5)
    write_volume(tmp_path / "a.nii.gz", Volume(array.astype(np.float32), (2.0, 2.0, 2.0)))
    write_volume(tmp_path / "b.nii.gz", Volume((1 - array).astype(np.float32), (2.0, 2.0, 2.0), (4.0, -2.0, 3.0)))
    path = tmp_path / "cases.csv"
    path.write_text("case_id,patient,A,B,lesion_mask\nP1,S1,a.nii.gz,b.nii.gz,none\n")
    return path


def registered(study: Study, table: Path, cases: list[str], output: Path) -> None:
    """Check and register cases."""
    given: dict[str, Any] = {"study": study, "table": table, "cases": cases}
    checked = output.with_name(f"{output.name}.json")
    check(**given, output=checked)
    register(**given, checked=checked, output=output)


def test_transform_picture_and_record_are_kept(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "registered" / "train-000"
    registered(study=make_study(), table=table, cases=["P1"], output=output)
    assert sorted(path.name for path in output.iterdir()) == ["P1.B.png", "P1.B.tfm", "P1.json"]
    transform = sitk.ReadTransform(str(output / "P1.B.tfm"))
    assert transform.TransformPoint((20.0, 20.0, 20.0)) == pytest.approx((24, 18, 23), abs=0.2)
    assert sitk.ReadImage(str(output / "P1.B.png")).GetHeight() >= 300
    record = read_json(output / "P1.json")
    assert (record["case_id"], record["reference"]) == ("P1", "A")
    assert record["channels"]["B"]["metric_after"] < record["channels"]["B"]["metric_before"]
    assert record["channels"]["B"]["settings"]["method"] == "rigid"
    said = capsys.readouterr().err
    assert "[register] case 1/1 P1: B rigid, " in said
    assert " s, mutual information -" in said


def test_the_same_case_gives_the_same_bytes(table: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        registered(study=make_study(), table=table, cases=["P1"], output=tmp_path / name)
    for file in ("P1.B.tfm", "P1.B.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_reference_alone_and_no_registration(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registered(study=make_study(["A"]), table=table, cases=["P1"], output=tmp_path / "alone")
    assert [path.name for path in (tmp_path / "alone").iterdir()] == ["P1.json"]
    assert "P1: A alone, nothing to register" in capsys.readouterr().err
    registered(study=make_study(method="none"), table=table, cases=["P1"], output=tmp_path / "none")
    transform = sitk.ReadTransform(str(tmp_path / "none" / "P1.B.tfm"))
    assert transform.TransformPoint((1.0, 2.0, 3.0)) == (1, 2, 3)
    assert "P1: B taken as it lies" in capsys.readouterr().err


def test_a_case_that_cannot_be_registered_is_named(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise HakkenError("registration: found no way")

    monkeypatch.setattr("hakken.stages.register.align_channels", fail)
    with pytest.raises(SystemExit):
        registered(study=make_study(), table=table, cases=["P1"], output=tmp_path / "out")
    assert "error: case P1: registration: found no way" in capsys.readouterr().err


def test_the_same_images_under_another_name_are_registered_alike(table: Path, tmp_path: Path) -> None:
    row = "S1,a.nii.gz,b.nii.gz,none"
    table.write_text(f"case_id,patient,A,B,lesion_mask\nP1,{row}\nelsewhere,{row}\n")
    study = make_study(shrink=[2], sampling=0.05, iterations=20)
    registered(study=study, table=table, cases=["P1", "elsewhere"], output=tmp_path / "out")
    first, second = (sitk.ReadTransform(str(tmp_path / "out" / f"{name}.B.tfm")) for name in ("P1", "elsewhere"))
    assert first.GetParameters() == second.GetParameters()
    seeds = [read_json(tmp_path / "out" / f"{name}.json")["channels"]["B"]["seed"] for name in ("P1", "elsewhere")]
    assert seeds[0] == seeds[1]
