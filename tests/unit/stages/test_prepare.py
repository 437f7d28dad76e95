"""From files as they come to prepared cases, without a word of what is personal."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from hakken.core.files import read_json
from hakken.core.volume import Volume
from hakken.imaging import channels, preparation
from hakken.imaging.files import read_volume, write_volume
from hakken.imaging.masks import find_mask
from hakken.imaging.prepared import load_prepared
from hakken.stages.check import check
from hakken.stages.prepare import prepare
from hakken.stages.register import register
from hakken.study import Study
from hakken.study.reading import parse_study

PLANTED = {
    "PatientName": "Geheim^Gertrud",
    "PatientID": "ID-4711-XYZ",
    "PatientBirthDate": "19470813",
    "PatientAddress": "Verstecktestrasse 12",
    "ReferringPhysicianName": "Doktor^Niemand",
    "InstitutionName": "Klinik Unbekannt",
    "StudyDescription": "Studie Verborgen",
    "SeriesDescription": "Serie Verborgen",
    "AccessionNumber": "ACC-998877",
    "ImageComments": "Bemerkung Vertraulich",
    "StudyDate": "20170331",
}
SECRETS = [word.encode() for text in PLANTED.values() for word in text.replace("^", " ").split() if len(word) > 3]


def make_study(**cohort: Any) -> Study:
    return parse_study(
        {
            "name": "small",
            "seed": 1,
            "method": "patch_classifier",
            "cohort": {"table": "cases.csv", "labels": "binary"} | cohort,
            "channels": {"A": {"modality": "ct", "normalise": "window", "range": [-100, 300]}, "B": {"modality": "ct"}},
            "registration": {"shrink": [1], "iterations": 10},
            "preparation": {"spacing_mm": [2, 2, 2], "mask": "body"},
        }
    )


def write_series(folder: Path, seed: int) -> None:
    """A CT series of an oblique block with personal data in every slice."""
    folder.mkdir()
    array = np.full((14, 20, 22), -1000, np.int16)
    array[2:12, 3:17, 4:18] = np.random.default_rng(seed).integers(-50, 250, (10, 14, 14))
    uid = generate_uid()
    for number, pixels in enumerate(array):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        data.SeriesInstanceUID, data.Modality = uid, "CT"
        data.ImagePositionPatient = (np.array([-5.0, 7.0, 9.0]) + np.array([0.48, -0.64, 0.6]) * 3 * number).tolist()
        data.ImageOrientationPatient, data.PixelSpacing = [0.8, 0.6, 0.0, -0.36, 0.48, 0.8], [1.5, 1.5]
        data.Rows, data.Columns = pixels.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.RescaleSlope, data.RescaleIntercept = 1, 0
        data.PixelData = pixels.astype("<i2").tobytes()
        for keyword, value in PLANTED.items():
            setattr(data, keyword, value)
        data.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A case of two DICOM series and a lesion mask, and one without lesions."""
    for seed, name in enumerate(("a", "b")):
        write_series(tmp_path / name, seed)
    mask = read_volume(tmp_path / "a")
    labels = np.zeros(mask.array.shape, np.uint8)
    labels[5:8, 8:11, 9:12] = 1
    write_volume(tmp_path / "mask.nii.gz", Volume.on(mask.geometry, labels))
    path = tmp_path / "cases.csv"
    path.write_text("case_id,patient,scanner,A,B,lesion_mask\nP1,S1,X,a,b,mask.nii.gz\nP2,S2,Y,b,a,none\n")
    return path


def run(table: Path, study: Study, folder: Path, cases: Sequence[str] = ("P1", "P2")) -> None:
    given: dict[str, Any] = {"study": study, "table": table, "cases": list(cases)}
    check(**given, output=folder / "checked.json", log=folder / "check.log")
    given["checked"] = folder / "checked.json"
    register(**given, output=folder / "registered", log=folder / "register.log")
    prepare(**given, registered=folder / "registered", output=folder / "prepared", log=folder / "prepare.log")


def test_from_dicom_to_prepared_cases(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(table, make_study(), tmp_path / "out")
    first, second = (load_prepared(tmp_path / "out" / "prepared", name) for name in ("P1", "P2"))
    assert first.image().shape == (2, *first.geometry.shape_zyx)
    assert first.patient == "S1"
    (lesion,) = first.lesions
    native = read_volume(table.parent / "a").geometry
    assert lesion.centre == pytest.approx(native.to_world([[6, 9, 10]])[0])
    assert lesion.size == pytest.approx(27 * 1.5 * 1.5 * 3)
    place = tuple(np.rint(first.geometry.to_voxel(lesion.centre)[0]).astype(int))
    assert first.labels()[place] == 1
    assert first.mask()[place] == 1
    assert second.has_truth
    assert not second.labels().any()
    checked = read_json(tmp_path / "out" / "checked.json")["cases"]
    assert list(checked) == ["P1", "P2"]
    said = capsys.readouterr().err
    assert "[prepare] case 1/2 P1: " in said
    assert ", lesions: 1\n" in said


def test_no_personal_data_reaches_any_output_or_message(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    run(table, make_study(), out)
    write_volume(out / "copy.nii.gz", read_volume(table.parent / "a"))
    write_volume(out / "copy.mha", read_volume(table.parent / "a"))
    (table.parent / "b" / "005.dcm").unlink()
    with pytest.raises(SystemExit):
        run(table, make_study(), out)
    said = capsys.readouterr()
    written = [path for path in out.rglob("*") if path.is_file()]
    contents = {path.name: path.read_bytes() for path in written} | {"said": (said.out + said.err).encode()}
    contents["copy.nii"] = gzip.decompress(contents["copy.nii.gz"])
    source = b"".join(path.read_bytes() for path in (table.parent / "a").iterdir())
    assert len(written) > 10
    assert b"slices missing or uneven: 004.dcm and 006.dcm" in contents["said"]
    for secret in SECRETS:
        assert secret in source
        assert [name for name, content in contents.items() if secret in content] == []


@pytest.mark.parametrize(("channel", "times"), [(None, 1), ("A", 1), ("B", 2)])
def test_a_mask_that_was_found_to_register_is_not_looked_for_again(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str | None, times: int
) -> None:
    """What is prepared is the same; the mask of another channel is still looked for."""
    found: list[str] = []

    def counted(volume: Volume, kind: Any, modality: Any) -> Any:
        found.append(kind)
        return find_mask(volume, kind, modality)

    for module in (channels, preparation):
        monkeypatch.setattr(module, "find_mask", counted)
    study = make_study()
    masked = study.registration.model_copy(update={"use_mask": True})
    of_channel = study.preparation.model_copy(update={"mask_channel": channel})
    chosen = study.model_copy(update={"registration": masked, "preparation": of_channel})
    run(table, chosen, tmp_path / "out", ["P1"])
    assert found == ["body"] * times
    (kept,) = (tmp_path / "out" / "registered").glob("*.mask.nii.gz")
    here = load_prepared(tmp_path / "out" / "prepared", "P1")
    kept.unlink()
    given: dict[str, Any] = {"study": chosen, "table": table, "cases": ["P1"], "checked": tmp_path / "out/checked.json"}
    prepare(**given, registered=tmp_path / "out" / "registered", output=tmp_path / "again")
    again = load_prepared(tmp_path / "again", "P1")
    assert np.array_equal(here.mask(), again.mask())
    assert np.array_equal(here.image(), again.image())
    small = np.ones((2, 2, 2), np.uint8)
    write_volume(kept, Volume(small))
    with pytest.raises(SystemExit):
        prepare(**given, registered=tmp_path / "out" / "registered", output=tmp_path / "wrong")


def test_a_reference_alone_needs_no_mask_to_register() -> None:
    study, image = make_study(), Volume(np.zeros((4, 4, 4), np.float32))
    masked = study.model_copy(update={"registration": study.registration.model_copy(update={"use_mask": True})})
    assert channels.mask_to_register(masked, {"A": image}) is None
    assert channels.mask_to_register(study, {"A": image, "B": image}) is None


def test_a_lesion_outside_the_mask_is_told(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = read_volume(tmp_path / "mask.nii.gz")
    labels = np.zeros(mask.array.shape, np.uint8)
    labels[0, 0, 0] = 1
    write_volume(tmp_path / "mask.nii.gz", Volume.on(mask.geometry, labels))
    run(table, make_study(), tmp_path / "out", ["P1"])
    assert "lesions: 1, 1 OUTSIDE THE MASK (lesion 1)" in capsys.readouterr().err


def test_a_lesion_table_is_drawn_as_spheres(table: Path, tmp_path: Path) -> None:
    x, y, z = read_volume(tmp_path / "a").geometry.centre
    (tmp_path / "lesions.csv").write_text(f"lesion,x,y,z,diameter_mm,class\n4,{x},{y},{z},8,solid\n")
    table.write_text("case_id,patient,A,B,lesion_table\nP1,S1,a,b,lesions.csv\n")
    run(table, make_study(truth="lesion_table"), tmp_path / "out", ["P1"])
    case = load_prepared(tmp_path / "out" / "prepared", "P1")
    assert (case.lesions[0].lesion, case.lesions[0].diameter, case.lesions[0].lesion_class) == (4, 8, "solid")
    assert np.count_nonzero(case.labels() == 4) * case.geometry.voxel_mm3 == pytest.approx(268, rel=0.15)


def test_missing_transforms_name_the_case(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, Any] = {"study": make_study(), "table": table, "cases": ["P1"]}
    check(**given, output=tmp_path / "checked.json")
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        prepare(**given, checked=tmp_path / "checked.json", registered=tmp_path, output=tmp_path / "out")
    assert exit_.value.code == 2
    assert f"error: case P1: {tmp_path / 'P1.B.tfm'}: no readable transform; delete its folder and register again" in (
        capsys.readouterr().err
    )


def test_a_file_that_was_replaced_after_the_check_is_noticed(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images as well as truth, under the same size and time; and a slice of a series."""
    study, out = make_study(), tmp_path / "out"
    run(table, study, out, ["P1"])
    for name in ("mask.nii.gz", "b/003.dcm"):
        path = tmp_path / name
        before, stat = path.read_bytes(), path.stat()
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(SystemExit):
            prepare(
                study=study, table=table, cases=["P1"], checked=out / "checked.json",
                registered=out / "registered", output=out / "again",
            )  # fmt: skip
        changed = path if path.parent == tmp_path else path.parent
        assert f"{changed}: has changed since the case was checked; restore it, or delete {out}/checked.json" in (
            capsys.readouterr().err
        )
        path.write_bytes(before)
