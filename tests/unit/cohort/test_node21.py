"""The case table of NODE21, on a folder of its form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.cli import main
from hakken.cohort.node21 import write_case_table
from hakken.cohort.table import read_table
from hakken.core.errors import HakkenError
from hakken.imaging.files import read_geometry
from hakken.imaging.lesion_tables import read_lesion_table
from hakken.study import Study

HEADING = "height,img_name,label,width,x,y\n"
ROWS = "78,n0001.mha,1,82,10,24\n30,n0001.mha,1,30,60,100\n0,c0002.mha,0,0,0,0\n22,n0003.mha,1,20,40,50\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of three images of half a millimetre, the first with two boxes, the second without any."""
    folder = tmp_path / "NODE21"
    (folder / "images").mkdir(parents=True)
    for number, name in enumerate(("n0001", "c0002", "n0003")):
        image = sitk.GetImageFromArray(np.random.default_rng(number).integers(0, 4000, (160, 160)).astype(np.int16))
        image.SetSpacing((0.5, 0.5))
        sitk.WriteImage(image, str(folder / "images" / f"{name}.mha"))
    (folder / "metadata.csv").write_text(HEADING + ROWS)
    return folder


def study_of(table: Path) -> Study:
    return Study.model_validate(
        {
            "name": "films",
            "seed": 1,
            "method": "dense",
            "cohort": {"table": str(table), "truth": "lesion_table"},
            "channels": {"XR": {"modality": "xray"}},
            "registration": {"method": "none"},
            "preparation": {"mask": "none"},
            "parameters": {"axes": 2, "target": "heat", "supervised": 1},
        }
    )


def test_boxes_become_lesions_of_their_images(source: Path, tmp_path: Path) -> None:
    written = tmp_path / "out" / "cases.csv"
    assert main(["node21", str(source), str(written)]) == 0
    table = read_table(written, study_of(written))
    assert [(case.case_id, case.patient, case.lesion_table is None) for case in table.cases] == [
        ("n0001", "n0001", False),
        ("c0002", "c0002", True),
        ("n0003", "n0003", False),
    ]
    first = table.case("n0001")
    assert first.lesion_table is not None
    lesions = read_lesion_table(first.lesion_table, read_geometry(first.channels["XR"]), "n0001")
    assert [lesion.extent for lesion in lesions] == [(41.0, 39.0), (15.0, 15.0)]
    assert lesions[0].centre == pytest.approx((0.5 * (10 + 41 - 0.5), 0.5 * (24 + 39 - 0.5), 0))


def test_patients_may_be_told(source: Path, tmp_path: Path) -> None:
    table = write_case_table(source, tmp_path / "cases.csv", {"n0001.mha": "a", "c0002.mha": "b", "n0003.mha": "a"})
    assert [case.patient for case in table.cases] == ["a", "b", "a"]
    with pytest.raises(HakkenError, match=r"^no patient is given for c0002\.mha; add a row$"):
        write_case_table(source, tmp_path / "cases.csv", {"n0001.mha": "a", "x.png": "b"})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("78,n0001.mha,2,82,10,24\n", "row 2, column label: 2 is neither 0 (no nodule) nor 1; is this NODE21?"),
        (
            "78,n0001.mha,1,82,10,24\n0,n0001.mha,0,0,0,0\n",
            "row 3, column label: n0001.mha stands there with a nodule and without; keep one of the two",
        ),
        ("78,n0009.mha,1,82,10,24\n", "images: lacks n0009.mha; fetch these files again"),
        ("", "images: metadata.csv has no row; is this NODE21?"),
    ],
)
def test_what_is_no_node21_is_told(source: Path, tmp_path: Path, rows: str, message: str) -> None:
    (source / "metadata.csv").write_text(HEADING + rows)
    with pytest.raises(HakkenError) as caught:
        write_case_table(source, tmp_path / "cases.csv")
    assert str(caught.value).endswith(message)


def test_a_folder_without_its_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match=r"no metadata\.csv; give the folder of NODE21 that holds it and `images`$"):
        write_case_table(tmp_path, tmp_path / "cases.csv")


def test_two_pictures_of_one_name_are_one_case(source: Path, tmp_path: Path) -> None:
    (source / "images" / "n0001.png").touch()
    (source / "metadata.csv").write_text(HEADING + ROWS + "0,n0001.png,0,0,0,0\n")
    with pytest.raises(HakkenError, match=r"n0001\.mha and n0001\.png are one case; keep one of them$"):
        write_case_table(source, tmp_path / "cases.csv")
