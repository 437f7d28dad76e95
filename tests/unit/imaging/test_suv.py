"""SUV by body weight from a PET series in DICOM: hand-worked numbers, what vendors write, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import PositronEmissionTomographyImageStorage

from hakken.core.errors import HakkenError
from hakken.imaging.files import read_volume
from hakken.imaging.suv import Uptake, suv_factor

HALF_LIFE = 6586.2  # s, F-18
GE, PHILIPS = "GEMS_PETD_01", "Philips PET Private Group"
START = {"RadionuclideTotalDose": 370e6, "RadionuclideHalfLife": HALF_LIFE, "RadiopharmaceuticalStartTime": "100000.00"}
WHEN = {"SeriesDate": "20240305", "AcquisitionDate": "20240305"}
SCANNED = {"SeriesTime": "114946.200000", "AcquisitionTime": "114946.200000"}  # one half-life after 10:00:00
PET: dict[str, Any] = {
    "SOPClassUID": PositronEmissionTomographyImageStorage,
    "Modality": "PT",
    "Units": "BQML",
    "DecayCorrection": "START",
    "CorrectedImage": ["NORM", "DTIM", "ATTN", "SCAT", "DECY"],
    "PatientWeight": 70.0,
}
PIXELS = np.arange(1000, 1012, dtype=np.int16).reshape(3, 4)
NIGHT = {"SeriesTime": "003000", "AcquisitionTime": "003000"}
ONE_HALF_LIFE = 70_000 / 185e6  # 370 MBq have decayed to 185 MBq


def tracer(**changes: Any) -> Sequence:
    item = Dataset()
    for keyword, value in (START | changes).items():
        if value is not None:
            setattr(item, keyword, value)
    return Sequence([item])


@pytest.fixture
def write_pet(write_dicom: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes one PET slice; ``tags`` replace or (None) remove attributes."""

    def write(name: str = "a.dcm", /, injection: dict[str, Any] | None = None, **tags: Any) -> Path:
        content = PET | WHEN | SCANNED | {"RadiopharmaceuticalInformationSequence": tracer(**(injection or {}))}
        return write_dicom(tmp_path / name, PIXELS, **(content | tags))

    return write


def test_worked_by_hand() -> None:
    # After one hour 2 ** (-3600 / 6586.2) = 0.684633 of 300 MBq are left, 205.3898 MBq; 60 kg / 205.3898 MBq.
    uptake = Uptake(weight_kg=60, dose_bq=300e6, half_life_s=HALF_LIFE, elapsed_s=3600)
    assert uptake.factor == pytest.approx(60_000 / 205.3898e6, rel=1e-5)
    # Tracer that spreads evenly through the body has an SUV of 1 everywhere.
    assert Uptake(80, 200e6, HALF_LIFE, 0).factor * 200e6 / 80_000 == pytest.approx(1)


def test_a_series_is_read_in_suv_slice_by_slice(tmp_path: Path, write_pet: Callable[..., Path]) -> None:
    for number, slope in enumerate((1.0, 2.5, 0.5)):
        later = {"AcquisitionTime": f"11{50 + number}00", "RescaleSlope": slope}  # beds follow one another
        write_pet(f"{number}.dcm", ImagePositionPatient=[0, 0, 4.0 * number], **later)
    expected = PIXELS * np.array([1.0, 2.5, 0.5])[:, None, None] * ONE_HALF_LIFE
    assert read_volume(tmp_path).array == pytest.approx(expected, rel=1e-5)
    assert read_volume(tmp_path).array.dtype == np.float32


def test_ct_is_left_as_it_is(tmp_path: Path, write_dicom: Callable[..., Path]) -> None:
    assert read_volume(write_dicom(tmp_path / "ct.dcm", PIXELS)).array[0] == pytest.approx(PIXELS)


@pytest.mark.parametrize(
    ("tags", "injection", "factor"),
    [
        ({}, {}, ONE_HALF_LIFE),
        ({"DecayCorrection": "ADMIN"}, {}, 70_000 / 370e6),
        ({"Units": "GML", "PatientWeight": None}, {}, 1.0),
        ({"Units": "GML", "SUVType": "BW"}, {}, 1.0),
        # injected the evening before, scanned after midnight
        (
            {"SeriesTime": "003000", "AcquisitionTime": "003000"},
            {"RadiopharmaceuticalStartTime": "224013.800000"},
            None,
        ),
        (
            {"SeriesTime": "003000", "AcquisitionTime": "003000"},
            {"RadiopharmaceuticalStartDateTime": "20240304224013.8"},
            None,
        ),
        # the date and time with a time zone is preferred to the time
        (
            {},
            {"RadiopharmaceuticalStartDateTime": "20240305100000.00+0900", "RadiopharmaceuticalStartTime": "01"},
            None,
        ),
        # a series made later, with the first acquisition as the start of the scan
        ({"SeriesTime": "180000"}, {}, ONE_HALF_LIFE),
    ],
)
def test_factor(
    write_pet: Callable[..., Path], tags: dict[str, Any], injection: dict[str, Any], factor: float | None
) -> None:
    found = suv_factor([write_pet(injection=injection, **tags)])
    assert found == pytest.approx(ONE_HALF_LIFE if factor is None else factor, rel=1e-6)


def test_the_first_acquisition_counts_where_the_series_was_made_later(write_pet: Callable[..., Path]) -> None:
    paths = [write_pet("1.dcm", SeriesTime="180000", AcquisitionTime="120500"), write_pet("2.dcm", SeriesTime="180000")]
    assert suv_factor(paths) == pytest.approx(ONE_HALF_LIFE, rel=1e-6)


def add_private(path: Path, owner: str, element: int, value: str) -> Path:
    """Add an element to the private block of a vendor."""
    data = pydicom.dcmread(path)
    group, kind = (0x0009, "DT") if owner == GE else (0x7053, "DS")
    data.private_block(group, owner, create=True).add_new(element, kind, value)
    data.save_as(path)
    return path


def test_ge_writes_the_start_of_the_scan(write_pet: Callable[..., Path]) -> None:
    path = write_pet(SeriesTime="180000", AcquisitionTime="121500")
    add_private(path, GE, 0x0D, "20240305114946.20")
    assert suv_factor([path]) == pytest.approx(ONE_HALF_LIFE, rel=1e-6)


def test_philips_counts_have_a_factor(write_pet: Callable[..., Path]) -> None:
    to_suv = add_private(write_pet("1.dcm", Units="CNTS"), PHILIPS, 0x00, "0.00042")
    assert suv_factor([to_suv]) == pytest.approx(0.00042)
    to_bq = add_private(write_pet("2.dcm", Units="CNTS"), PHILIPS, 0x09, "1.5")
    assert suv_factor([to_bq]) == pytest.approx(1.5 * ONE_HALF_LIFE, rel=1e-6)
    with pytest.raises(HakkenError, match=r"counts \(Units CNTS\) without a factor of Philips \(7053,1000\); export"):
        suv_factor([write_pet("3.dcm", Units="CNTS")])


@pytest.mark.parametrize(
    ("tags", "injection", "message"),
    [
        ({"Units": "PROPCPS"}, {}, "PET in units `PROPCPS` (0054,1001), not BQML; export the series with it, or give"),
        ({"Units": None}, {}, "PET in units `none` (0054,1001), not BQML"),
        ({"Units": "GML", "SUVType": "LBM"}, {}, "SUV of type LBM (0054,1006), not by body weight; export it as BQML"),
        ({"PatientWeight": None}, {}, "PatientWeight (0010,1030) is missing or 0; export the series with it"),
        ({"PatientWeight": 0.0}, {}, "PatientWeight (0010,1030) is missing or 0"),
        ({}, {"RadionuclideTotalDose": None}, "RadionuclideTotalDose (0018,1074) is missing or 0"),
        ({}, {"RadionuclideHalfLife": None}, "RadionuclideHalfLife (0018,1075) is missing or 0"),
        ({}, {"RadiopharmaceuticalStartTime": None}, "RadiopharmaceuticalStartTime (0018,1072) is missing"),
        ({"DecayCorrection": "NONE"}, {}, "DecayCorrection (0054,1102) is `NONE`, not START"),
        ({"DecayCorrection": None}, {}, "DecayCorrection (0054,1102) is `missing`, not START"),
        ({"CorrectedImage": ["ATTN", "NORM"]}, {}, "not corrected for DECY (CorrectedImage 0028,0051)"),
        ({"CorrectedImage": None}, {}, "not corrected for ATTN and DECY"),
        ({"SeriesDate": None}, {}, "SeriesDate is missing"),
        ({"AcquisitionTime": None}, {}, "AcquisitionTime is missing"),
        ({"RadiopharmaceuticalInformationSequence": None}, {}, "no items in RadiopharmaceuticalInformationSequence"),
        ({}, {"RadiopharmaceuticalStartDateTime": "20240105100000"}, "the injection lies 1441.8 h before the scan"),
        (
            {},
            {"RadiopharmaceuticalStartDateTime": "20240305120000"},
            "the injection lies 0.2 h after the start of the scan; correct the times, or export",
        ),
    ],
)
def test_what_cannot_become_suv_is_refused(
    write_pet: Callable[..., Path], tags: dict[str, Any], injection: dict[str, Any], message: str
) -> None:
    with pytest.raises(HakkenError) as error:
        read_volume(write_pet(injection=injection, **tags))
    assert message in str(error.value)
    assert "Geheim" not in str(error.value)
    assert "4711" not in str(error.value)
