"""SUV by body weight from a PET series in DICOM: hand-worked numbers, what vendors write, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import PositronEmissionTomographyImageStorage

from hakken.core.errors import HakkenError
from hakken.imaging.dicom_slices import READ
from hakken.imaging.files import read_image, read_volume
from hakken.imaging.nuclides import CODES, HALF_LIVES
from hakken.imaging.suv import OF_THE_SERIES, OF_THE_TRACER, Uptake, suv_factor

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
    "CorrectedImage": ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"],  # terms of PS3.3, C.8.9.1.1.6
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


def nuclide(code: str) -> Sequence:
    item = Dataset()
    item.CodeValue = code
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


@pytest.mark.parametrize(
    "corrected",
    [  # as Siemens, GE and Philips write it, their own terms among those of the standard
        ["NORM", "DTIM", "ATTN", "SCAT", "SCAT", "DECY", "RAN"],
        ["DECY", "ATTN", "SCAT", "DTIM", "RANSNG", "DCAL", "SLSENS", "NORM"],
        ["DECY", "RADL", "ATTN", "SCAT", "DTIM", "RAN", "NORM", "CLN"],
        ["ATTN", "DECY"],
        ["ATTN", "DECAY"],
    ],
)
def test_corrections_as_scanners_write_them(write_pet: Callable[..., Path], corrected: list[str]) -> None:
    assert suv_factor([write_pet(CorrectedImage=corrected)]) == pytest.approx(ONE_HALF_LIFE, rel=1e-6)


def test_every_attribute_is_one_of_the_dictionary() -> None:
    for keyword in (*OF_THE_SERIES, *OF_THE_TRACER, "DecayFactor", "RadionuclideCodeSequence", *READ):
        assert pydicom.datadict.tag_for_keyword(keyword) is not None, keyword
    tags = {"Units": 0x00541001, "SUVType": 0x00541006, "DecayCorrection": 0x00541102, "CorrectedImage": 0x00280051}
    tags |= {"DecayFactor": 0x00541321, "RadiopharmaceuticalInformationSequence": 0x00540016}
    tags |= {"RadiopharmaceuticalStartTime": 0x00181072, "RadiopharmaceuticalStartDateTime": 0x00181078}
    tags |= {"PixelSpacing": 0x00280030, "RescaleSlope": 0x00281053, "ImagerPixelSpacing": 0x00181164}
    tags |= {
        "AcquisitionNumber": 0x00200012,
        "PhotometricInterpretation": 0x00280004,
        "ModalityLUTSequence": 0x00283000,
    }
    for keyword, tag in tags.items():  # as messages write them
        assert pydicom.datadict.tag_for_keyword(keyword) == tag


def test_private_elements_are_those_of_the_vendors() -> None:
    described = pydicom.datadict.private_dictionary_description
    assert described((0x0009, 0x100D), GE) == "PET scan_datetime"
    assert described((0x7053, 0x1000), PHILIPS) == "SUV Scale Factor"
    assert described((0x7053, 0x1009), PHILIPS) == "Activity Concentration Scale Factor"


def test_nuclides_have_the_codes_of_the_standard() -> None:
    from pydicom.sr._concepts_dict import concepts
    from pydicom.sr._snomed_dict import mapping

    known = {**concepts["SCT"], **concepts["DCM"]}
    meanings = {code: meaning for entry in known.values() for code, (meaning, _) in entry.items()}
    older = mapping["SRT"]
    for code, name in CODES.items():
        symbol, mass = name.split("-")
        meaning = meanings[older.get(code, code)]
        assert meaning.startswith(f"^{mass}^"), (code, name, meaning)
        assert ELEMENTS[symbol] == meaning.rpartition("^")[2], (code, name, meaning)
    assert set(CODES.values()) <= set(HALF_LIVES)


ELEMENTS = {
    **{"C": "Carbon", "N": "Nitrogen", "O": "Oxygen", "F": "Fluorine", "Na": "Sodium", "K": "Potassium"},
    **{"Sc": "Scandium", "Ti": "Titanium", "Mn": "Manganese", "Fe": "Iron", "Cu": "Copper", "Zn": "Zinc"},
    **{"Ga": "Gallium", "Ge": "Germanium", "As": "Arsenic", "Se": "Selenium", "Br": "Bromine", "Rb": "Rubidium"},
    **{"Y": "Yttrium", "Zr": "Zirconium", "Nb": "Niobium", "Tc": "Technetium", "I": "Iodine", "Tb": "Terbium"},
}


@pytest.mark.parametrize(
    ("injection", "tags"),
    [
        # Zr-89 three days after the injection; Rb-82 at once; C-11 after forty minutes; Ga-68 by its older code
        (
            {
                "RadionuclideHalfLife": 282276,
                "RadiopharmaceuticalStartDateTime": "20240302114946",
                "RadionuclideCodeSequence": nuclide("63360001"),
            },
            {},
        ),
        ({"RadionuclideHalfLife": 76.4, "RadiopharmaceuticalStartTime": "114946"}, {}),
        ({"RadionuclideHalfLife": 1223.4, "RadiopharmaceuticalStartTime": "110946"}, {}),
        ({"RadionuclideHalfLife": 4062.6, "RadionuclideCodeSequence": nuclide("C-131A3")}, {}),
        ({"RadionuclideHalfLife": 6588, "RadionuclideCodeSequence": nuclide("C-111A1")}, {}),
        ({"RadionuclideCodeSequence": nuclide("no code of ours")}, {}),
        ({}, {"PatientWeight": 0.8}),
        ({"RadionuclideTotalDose": 7.4e6}, {}),
        ({}, {"DecayFactor": 1.02}),
    ],
)
def test_what_is_done_is_not_refused(
    write_pet: Callable[..., Path], injection: dict[str, Any], tags: dict[str, Any]
) -> None:
    assert suv_factor([write_pet(injection=injection, **tags)]) > 0


def test_slices_that_say_different_things_are_refused(write_pet: Callable[..., Path]) -> None:
    for tags in ({"PatientWeight": 71.0}, {"Units": "GML"}, {"SeriesTime": "114947"}, {"CorrectedImage": ["ATTN"]}):
        paths = [write_pet("1.dcm"), write_pet("2.dcm", **tags)]
        (keyword,) = tags
        with pytest.raises(HakkenError, match=f"2.dcm: {keyword} .* is another one than in 1.dcm, so these slices"):
            suv_factor(paths)
    with pytest.raises(HakkenError, match=r"RadionuclideTotalDose \(0018,1074\) is another one than in 1.dcm"):
        suv_factor([write_pet("1.dcm"), write_pet("2.dcm", injection={"RadionuclideTotalDose": 371e6})])


def test_suvs_that_cannot_be_are_refused(tmp_path: Path, write_pet: Callable[..., Path]) -> None:
    for slope, said in ((1e-4, "the highest SUV is 3.83e-05"), (1000.0, "the mean SUV is 380")):
        with pytest.raises(HakkenError, match=f"{said}, which cannot be: weight, dose, units or times in its header"):
            read_volume(write_pet(RescaleSlope=slope))
    # 12 voxels of 1.2 litres at 0.380 are 5.5 kg of 70 kg; at 38 they are 550 kg.
    large = {"PixelSpacing": [60.0, 60.0], "SliceThickness": 333.0}
    assert read_volume(write_pet(**large)).array.max() == pytest.approx(1011 * ONE_HALF_LIFE, rel=1e-5)
    with pytest.raises(HakkenError, match=r"the image holds 7.8 times the injected activity, which cannot be"):
        read_volume(write_pet(**large, RescaleSlope=100.0))


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
        ({"PatientWeight": -70.0}, {}, "PatientWeight (0010,1030) is missing or 0"),
        ({"PatientWeight": 0.07}, {}, "PatientWeight (0010,1030) is 0.07 kg, which no patient has; export"),
        ({"PatientWeight": 70000}, {}, "PatientWeight (0010,1030) is 70000 kg (it may be in g), which no patient has;"),
        ({}, {"RadionuclideTotalDose": 370}, "(0018,1074) is 370 Bq (it may be in MBq), which nobody injects; export"),
        ({}, {"RadionuclideTotalDose": 3.7e14}, "(0018,1074) is 3.7e+14 Bq, which nobody injects"),
        ({}, {"RadionuclideHalfLife": 109.8}, "of 109.8 s is that of no nuclide of PET; it is that of F-18 in minutes"),
        ({}, {"RadionuclideHalfLife": 21672}, "(0018,1075) of 2.167e+04 s is that of no nuclide of PET; export"),
        (
            {},
            {"RadionuclideHalfLife": 4062.6, "RadionuclideCodeSequence": nuclide("77004003")},
            "RadionuclideHalfLife (0018,1075) of 4063 s is not that of F-18, which the header names (6586 s); export",
        ),
        (
            {"SeriesTime": "200000", "AcquisitionTime": "200000"},
            {},
            "the injection lies 10.0 h before the scan, 5.5 half-lives; correct the times, or export",
        ),
        (
            {"SeriesTime": "090000", "AcquisitionTime": "090000"},
            {},
            "the injection at 10:00:00 lies after the start of the scan at 09:00:00, and on the day before it would be "
            "12.6 half-lives ago; correct the times (clocks may differ), or export",
        ),
        (
            {},
            {"RadionuclideHalfLife": 282276},
            "RadiopharmaceuticalStartDateTime (0018,1078) is missing, and a tracer with a half-life of 78 h may have",
        ),
        ({"SeriesTime": "010000"}, {}, "the first image was acquired 10.8 h after the time of the series"),
        (
            {"DecayFactor": 2.01},
            {},
            "DecayCorrection (0054,1102) is START, but DecayFactor (0054,1321) is 2.01 and more, as of a correction to",
        ),
        ({"SeriesTime": "ten"}, {}, "SeriesDate and SeriesTime is no date and time"),
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


@pytest.mark.parametrize(
    ("keyword", "written", "said"),
    [
        ("PatientWeight", "6O.5", "PatientWeight (0010,1030) is `6O.5`, which is no number; correct the header, or"),
        ("PatientWeight", "70,5", "PatientWeight (0010,1030) is `70,5`, which is no number"),
        ("PatientWeight", "70 kg ", "PatientWeight (0010,1030) is `70 kg`, which is no number"),
        ("PatientWeight", "nan ", "PatientWeight (0010,1030) is `nan`, which is no number"),
        ("PatientWeight", "70\\71", "PatientWeight (0010,1030) holds 2 numbers, not one; correct the header"),
        ("RescaleSlope", "l.0 ", "RescaleSlope (0028,1053) is `l.0`, which is no number"),
        ("PixelSpacing", "1\\?", "PixelSpacing (0028,0030) is `1\\?`, which is no number"),
        ("ImagePositionPatient", "1\\2", "ImagePositionPatient (0020,0032) holds 2 numbers, not three"),
        ("SliceThickness", "thin", "SliceThickness (0018,0050) is `thin`, which is no number"),
        ("NumberOfFrames", "1A", "NumberOfFrames (0028,0008) is `1A`, which is no number"),
    ],
)
def test_what_is_no_number_is_shown(write_pet: Callable[..., Path], keyword: str, written: str, said: str) -> None:
    path = write_pet()
    data = pydicom.dcmread(path)
    tag = pydicom.datadict.tag_for_keyword(keyword)
    assert tag is not None
    data[tag] = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag(tag), pydicom.datadict.dictionary_VR(tag), len(written), written.encode(), 0, False, True
    )
    data.save_as(path)
    with pytest.raises(HakkenError) as error:
        read_volume(path)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("injected", "zone", "hours"),
    [
        ("20240305100000", "", 0),
        ("20240305100000+0900", "", 0),  # nothing says where the series was made
        ("20240305100000+0900", "+0900", 0),
        ("20240305010000+0000", "+0900", 0),
        ("20240304203000-0430", "+0900", 0),
        ("20240305100000+0100", "+0000", 1),
    ],
)
def test_time_zones_of_injection_and_series(
    injected: str, zone: str, hours: float, write_pet: Callable[..., Path]
) -> None:
    usual = suv_factor([write_pet("usual.dcm", {"RadiopharmaceuticalStartDateTime": "20240305100000"})])
    tags = {"TimezoneOffsetFromUTC": zone} if zone else {}
    found = suv_factor([write_pet("zoned.dcm", {"RadiopharmaceuticalStartDateTime": injected}, **tags)])
    assert found == pytest.approx(usual * 2 ** (hours * 3600 / HALF_LIFE), rel=1e-6)


def test_a_time_zone_that_is_none(write_pet: Callable[..., Path]) -> None:
    path = write_pet(
        "a.dcm", {"RadiopharmaceuticalStartDateTime": "20240305100000+9900"}, TimezoneOffsetFromUTC="+0900"
    )
    with pytest.raises(HakkenError, match=r"a.dcm: the time zone of the injection or of the series is none; export"):
        suv_factor([path])


@pytest.mark.parametrize(("minutes", "remarks"), [(0.5, 1), (9, 1), (11, 0), (60, 0)])
def test_a_scan_right_after_the_injection_is_remarked(
    minutes: float, remarks: int, tmp_path: Path, write_pet: Callable[..., Path]
) -> None:
    injected = f"{datetime(2024, 3, 5, 11, 49, 46) - timedelta(minutes=minutes):%Y%m%d%H%M%S}"
    for number in range(2):
        tracer_ = {"RadiopharmaceuticalStartDateTime": injected}
        write_pet(f"{number}.dcm", tracer_, ImagePositionPatient=[0, 0, 4.0 * number])
    found = [one for one in read_image(tmp_path).remarks if "after the injection" in one]
    assert len(found) == remarks
