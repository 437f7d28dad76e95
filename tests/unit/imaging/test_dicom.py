from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from hakken.core.errors import HakkenError
from hakken.imaging.dicom import is_dicom
from hakken.imaging.dicom_slices import CAPTURES, READ
from hakken.imaging.files import read_geometry, read_image, read_volume

ROW, COLUMN = [0.8, 0.6, 0.0], [-0.36, 0.48, 0.8]
NORMAL = np.array([0.48, -0.64, 0.6])


@pytest.fixture
def series(tmp_path: Path, write_dicom: Callable[..., Path]) -> Any:
    """A series of five oblique slices, 2.5 mm apart, whose file names are in no useful order."""
    pixels = np.random.default_rng(0).integers(-1000, 1000, (5, 4, 6)).astype(np.int16)
    folder = tmp_path / "series"
    folder.mkdir()

    def write(number: Any, name: str, **tags: Any) -> Any:
        position = (np.array([10.0, -20.0, 30.0]) + NORMAL * 2.5 * number).round(6).tolist()
        layout = {"ImagePositionPatient": position, "ImageOrientationPatient": ROW + COLUMN, "PixelSpacing": [0.7, 0.5]}
        write_dicom(folder / name, pixels[number], **(layout | tags))

    for number, name in enumerate("dacbe"):
        write(number, name)
    return folder, pixels, write


def test_slices_are_sorted_by_position_and_keep_their_directions(series: Any) -> None:
    folder, pixels, _ = series
    volume = read_volume(folder)
    assert np.array_equal(volume.array, pixels)
    assert volume.spacing == pytest.approx((0.5, 0.7, 2.5))
    assert volume.origin == (10.0, -20.0, 30.0)
    assert volume.direction == pytest.approx(np.array([ROW, COLUMN, NORMAL]).T.ravel())
    assert read_geometry(folder) == volume.geometry


def test_other_files_in_the_folder_are_left_alone(series: Any) -> None:
    folder, pixels, _ = series
    (folder / "notes.txt").write_text("notes")
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    assert read_volume(folder).array.shape == pixels.shape
    assert is_dicom(folder / "a")
    assert not is_dicom(folder / "notes.txt")


def test_each_slice_is_rescaled_by_its_own_slope(series: Any) -> None:
    folder, pixels, write = series
    for number, name in enumerate("dacbe"):
        write(number, name, RescaleSlope=0.5 + number, RescaleIntercept=-10.0)
    expected = pixels * (0.5 + np.arange(5))[:, None, None] - 10
    assert read_volume(folder).array == pytest.approx(expected)


def test_a_missing_slice_is_named(series: Any) -> None:
    folder, _, _ = series
    (folder / "c").unlink()
    with pytest.raises(HakkenError) as error:
        read_volume(folder)
    assert str(error.value) == (
        f"{folder}: slices missing or uneven: a and b are 5.00 mm apart, the others 2.50 mm; "
        "export the whole series again"
    )


def test_a_duplicate_is_named(series: Any) -> None:
    folder, _, write = series
    write(2, "z")
    with pytest.raises(HakkenError, match="c and z lie at the same place; remove the duplicate"):
        read_volume(folder)


def test_several_series_are_named_by_files_and_not_by_tags(series: Any) -> None:
    folder, _, write = series
    write(0, "y", SeriesInstanceUID="1.2.3.9")
    with pytest.raises(HakkenError) as error:
        read_volume(folder)
    assert str(error.value) == (
        f"{folder}: 2 series in one folder (5 of 6x4 from a; 1 of 6x4 from y); move each into its own folder"
    )


def test_slices_of_another_direction_or_a_tilted_gantry_are_refused(series: Any) -> None:
    folder, _, write = series
    write(4, "e", ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    with pytest.raises(
        HakkenError, match=r"slices of different size or direction \(4 of 6x4 from a; 1 of 6x4 from e\)"
    ):
        read_volume(folder)
    for number, name in enumerate("dacbe"):
        place = np.array([0, 0, 2.0 * number]) + np.array([0, 0.5 * number, 0])
        write(number, name, ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=place.tolist())
    with pytest.raises(HakkenError, match=r"slices shifted sideways \(tilted gantry\)"):
        read_volume(folder)


def test_no_dicom_no_position_and_broken_pixels_are_errors(tmp_path: Path, series: Any) -> None:
    folder, _, write = series
    (tmp_path / "empty").mkdir()
    with pytest.raises(HakkenError, match="a folder without DICOM files; name the folder that holds the slices"):
        read_volume(tmp_path / "empty")
    content = (folder / "a").read_bytes()
    (folder / "a").write_bytes(content[:200])
    with pytest.raises(HakkenError, match="a: cut off or damaged while copying; copy the file anew from its source"):
        read_volume(folder)
    write(1, "a", ImagePositionPatient=None)
    with pytest.raises(HakkenError, match=r"slices without a position \(a\); convert the series to NIfTI"):
        read_volume(folder)


def test_colour_and_frames_are_refused(series: Any) -> None:
    folder, _, write = series
    write(0, "d", NumberOfFrames=3)
    with pytest.raises(HakkenError, match="d: holds several frames"):
        read_volume(folder)
    write(0, "d", PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(HakkenError, match=r"d: (a colour image|no readable DICOM image)"):
        read_volume(folder)


def test_a_single_file_is_one_slice_and_inverted_film_is_turned(
    tmp_path: Path, write_dicom: Callable[..., Path]
) -> None:
    pixels = np.arange(12, dtype=np.int16).reshape(3, 4)
    path = write_dicom(tmp_path / "a.dcm", pixels, Modality="CR", PhotometricInterpretation="MONOCHROME1")
    volume = read_volume(path)
    assert np.ptp(volume.array[0] + pixels) == 0
    assert volume.spacing == (1, 1, 2)


def test_the_ct_series_lies_where_its_nifti_twin_lies(shared_data: Path) -> None:
    folder = shared_data / "totalsegmentator_tests"
    volume, twin = read_volume(folder / "example_ct_dicom"), read_geometry(folder / "example_seg_dicom.nii.gz")
    assert volume.array.shape == twin.shape_zyx == (20, 512, 512)
    assert volume.spacing == pytest.approx(twin.spacing)
    # The twin counts rows from the back: the same box of the same voxels.
    assert np.sort(volume.geometry.corners(), axis=0) == pytest.approx(np.sort(twin.corners(), axis=0), abs=1e-3)
    points = volume.to_world([[3, 100, 200], [19, 511, 0]])
    assert twin.to_voxel(points) == pytest.approx(np.array([[3, 411, 200], [19, 0, 0]]), abs=1e-3)
    # Where the twin's machine labels bone, the series must be dense, which only holds in the right orientation.
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "example_seg_dicom.nii.gz")))[:, ::-1]
    assert volume.array.min() == -1024
    assert np.median(volume.array[labels > 0]) > 0
    assert np.median(volume.array[labels == 0]) < -500


def refusal(path: Path) -> str:
    with pytest.raises(HakkenError) as error:
        read_volume(path)
    return str(error.value)


def upright(write: Any, number: int, name: str, **tags: Any) -> None:
    """Write a slice of a plain axial series, 2.5 mm apart."""
    layout = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [0, 0, 2.5 * number]}
    write(min(number, 4), name, **(layout | tags))


@pytest.fixture
def axial(series: Any) -> Any:
    """A folder of five axial slices, and what writes further ones."""
    folder, pixels, write = series
    for number, name in enumerate("dacbe"):
        upright(write, number, name)
    return folder, pixels, write


@pytest.mark.parametrize("noise", [2e-7, 4.99e-5, 3e-4])
def test_directions_that_are_rounded_differently_are_one_stack(axial: Any, noise: float) -> None:
    folder, pixels, write = axial
    for number, name in enumerate("dacbe"):
        off = noise * (-1) ** number
        upright(write, number, name, ImageOrientationPatient=[1, 4.99e-5 + off, 0, -4.99e-5 - off, 1, 0])
    assert np.array_equal(read_volume(folder).array, pixels)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (
            {"PixelSpacing": None},
            "b: PixelSpacing (0028,0030) is missing, so sizes in mm are not known; export the series",
        ),
        ({"PixelSpacing": None, "ImagerPixelSpacing": [0.2, 0.2]}, "b: PixelSpacing (0028,0030) is missing"),
        ({"PixelSpacing": [0.0, 1.0]}, "b: PixelSpacing (0028,0030) is 0\\1, not two numbers above 0"),
        ({"PixelSpacing": [-0.7, 0.5]}, "b: PixelSpacing (0028,0030) is -0.7\\0.5, not two numbers above 0"),
        ({"PixelSpacing": [0.7]}, "b: PixelSpacing (0028,0030) is 0.7, not two numbers above 0"),
        ({"PixelSpacing": [0.75, 0.5]}, "slices of different size or direction (4 of 6x4 from a; 1 of 6x4 from b)"),
        ({"ImageOrientationPatient": None}, "slices without an orientation (b); convert the series to NIfTI where its"),
        (
            {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
            "is 1\\0\\0\\1\\0\\0, not two orthogonal directions of length 1",
        ),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "not two orthogonal directions of length 1"),
        ({"ImageOrientationPatient": [1, 0, 0]}, "not two orthogonal directions of length 1"),
        ({"RescaleSlope": 0.0}, "b: RescaleSlope (0028,1053) is 0, which makes all pixels the same"),
        ({"RescaleSlope": None}, "1 of 5 slices have no RescaleSlope (0028,1053) (b), so their numbers have another"),
        ({"FrameOfReferenceUID": "1.2.3"}, "2 series in one folder"),
        (
            {"PhotometricInterpretation": "MONOCHROME1"},
            "is MONOCHROME1, dark for bright, in an image whose numbers are",
        ),
        ({"Rows": 5000, "Columns": 5000}, "b: cut off or damaged while copying; copy the file anew from its source"),
        ({"Rows": 60000, "Columns": 60000}, "b: 60000x60000 voxels, more than the 100,000,000 of a plane"),
        ({"BitsAllocated": 1}, "b: pixels of 1 bits (0028,0100), not 8, 16 or 32; convert it to NIfTI"),
        ({"Rows": 0}, "b: its header promises 6x0 voxels"),
    ],
)
def test_what_is_missing_or_cannot_be_in_one_slice_is_named(axial: Any, tags: dict[str, Any], said: str) -> None:
    folder, _, write = axial
    upright(write, 3, "b", **tags)
    assert said in refusal(folder)


@pytest.mark.parametrize(
    ("step", "said"), [(2000.0, "0.5 x 0.7 x 2000 mm, which no image of a patient has"), (1e-4, "same place")]
)
def test_distances_of_slices_that_no_patient_has_are_refused(axial: Any, step: float, said: str) -> None:
    folder, _, write = axial
    for number, name in enumerate("dacbe"):
        upright(write, number, name, ImagePositionPatient=[0, 0, step * number])
    assert said in refusal(folder)


def test_two_phases_at_the_same_places_are_named(axial: Any) -> None:
    folder, _, write = axial
    for number, name in enumerate("dacbe"):
        upright(write, number, name, AcquisitionNumber=1)
        upright(write, number, f"{name}2", AcquisitionNumber=2, ImageType=["ORIGINAL", "PRIMARY"])
    assert refusal(folder) == (
        f"{folder}: d and d2 lie at the same place and differ in AcquisitionNumber (0020,0012) 1 and 2, ImageType "
        "(0008,0008) none and ['ORIGINAL', 'PRIMARY']: phases, echoes or frames; move each into its own folder"
    )


def test_acquisitions_that_alternate_are_two_phases_of_ct_and_a_question_of_mr(axial: Any) -> None:
    folder, pixels, write = axial
    for number, name in enumerate("dacbe"):
        upright(write, number, name, AcquisitionNumber=number % 2 + 1)
    said = "slices of 2 acquisitions (AcquisitionNumber (0020,0012)) alternate"
    assert refusal(folder) == f"{folder}: {said}: several phases in one folder; move each into its own folder"
    for number, name in enumerate("dacbe"):
        upright(write, number, name, AcquisitionNumber=number % 2 + 1, Modality="MR")
    found = read_image(folder)
    assert found.remarks == (f"has {said}: several phases may have been mixed",)
    for number, name in enumerate("dacbe"):
        upright(write, number, name, AcquisitionNumber=1 + (number > 2))
    assert np.array_equal(read_volume(folder).array, pixels), "one part of the body after the other"


def test_what_is_left_out_is_named(axial: Any) -> None:
    folder, pixels, write = axial
    (folder / "notes.txt").write_text("notes")
    (folder / "more").mkdir()
    (folder / ".hidden").write_text("x")
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    upright(write, 9, "report", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Rows=None, PixelData=None)
    found = read_image(folder)
    assert np.array_equal(found.volume.array, pixels)
    assert found.remarks == ("leaves 3 files of its folder out: more (a folder), notes.txt, report (Basic Text SR)",)
    assert found.modality == "CT"


@pytest.mark.parametrize(("name", "content"), [("f.dcm", b""), ("f.ima", b"x" * 500), ("f", b"x" * 600)])
def test_what_looks_like_a_slice_and_is_none_is_refused(axial: Any, name: str, content: bytes) -> None:
    folder, _, _ = axial
    (folder / name).write_bytes(content)
    assert f"{name}: named or sized like a slice, but no DICOM file (no mark DICM); copy it anew" in refusal(folder)


def test_slices_far_apart_are_remarked(axial: Any) -> None:
    folder, _, write = axial
    for number, name in enumerate("dacbe"):
        upright(write, number, name, ImagePositionPatient=[0, 0, 10 * number], SliceThickness=1.0)
    assert read_image(folder).remarks == ("has slices of 1 mm every 10 mm: most of the patient lies between them",)


def test_ct_without_rescaling_is_remarked(axial: Any) -> None:
    folder, _, write = axial
    for number, name in enumerate("dacbe"):
        upright(write, number, name, RescaleSlope=None, RescaleIntercept=None)
    assert read_image(folder).remarks == ("has no RescaleSlope (0028,1053): its numbers may not be Hounsfield units",)


def test_projections_have_the_size_of_the_detector(tmp_path: Path, write_dicom: Callable[..., Path]) -> None:
    pixels = np.arange(12, dtype=np.int16).reshape(3, 4)
    tags = {"PixelSpacing": None, "ImagerPixelSpacing": [0.2, 0.15], "ImagePositionPatient": None}
    found = read_image(write_dicom(tmp_path / "a.dcm", pixels, Modality="DX", **tags))
    assert found.volume.spacing[:2] == pytest.approx((0.15, 0.2))
    assert found.remarks == (
        "has pixels of the size that they have at the detector (ImagerPixelSpacing), not in the patient",
    )
    found = read_image(write_dicom(tmp_path / "b.dcm", pixels, Modality="MG", PhotometricInterpretation="MONOCHROME1"))
    assert found.remarks == ("has dark and bright turned around, as its header asks (MONOCHROME1)",)
    found = read_image(write_dicom(tmp_path / "c.dcm", pixels, ImagePositionPatient=None))
    assert found.remarks == (
        "does not say where in the patient it lies (ImagePositionPatient, ImageOrientationPatient)",
    )


SHIPPED = [
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "examples_overlay.dcm",
    "693_J2KI.dcm",
]
"""Scans of real patients, without their names, that come with pydicom."""


@pytest.mark.parametrize("name", SHIPPED)
def test_real_files_are_read_as_pydicom_reads_them(name: str) -> None:
    import pydicom
    from pydicom.pixels import apply_modality_lut

    path = Path(pydicom.__file__).parent / "data" / "test_files" / name
    if not path.is_file():
        pytest.skip(f"this pydicom does not bring {name}")
    data = pydicom.dcmread(path)
    volume = read_volume(path)
    assert np.array_equal(volume.array[0], apply_modality_lut(data.pixel_array, data).astype(np.float32))
    assert volume.spacing[:2] == pytest.approx([float(value) for value in data.PixelSpacing][::-1])
    assert volume.origin == pytest.approx([float(value) for value in data.ImagePositionPatient])


def test_a_real_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    import pydicom

    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    for name in ("MR_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "CT_small.dcm"):
        if not (folder / name).is_file():
            pytest.skip(f"this pydicom does not bring {name}")
        content = (folder / name).read_bytes()
        for share in (0.02, 0.1, 0.3, 0.6, 0.9):
            (tmp_path / name).write_bytes(content[: int(len(content) * share)])
            refusal(tmp_path / name)


@pytest.mark.parametrize(("signed", "bits"), [(1, 12), (0, 12), (1, 16), (0, 16), (1, 10)])
@pytest.mark.parametrize("above", [0, 0x4000])
def test_bits_beyond_those_stored_do_not_count(
    signed: int, bits: int, above: int, tmp_path: Path, write_dicom: Callable[..., Path]
) -> None:
    import pydicom

    stored = np.array([[0, 1, 0x7FF, 0x800], [0xFFF, 0xFFE, 0x200, 6]], np.uint16) | (above if bits < 14 else 0)
    path = write_dicom(tmp_path / "a.dcm", stored, PixelRepresentation=signed, BitsStored=bits, HighBit=bits - 1)
    assert np.array_equal(read_volume(path).array[0], pydicom.dcmread(path).pixel_array)


def remarks_of(folder: Path) -> tuple[str, ...]:
    return read_image(folder).remarks


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
         "is a localiser by its ImageType (0008,0008), LOCALIZER"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]},
         "is a maximum intensity projection by its ImageType (0008,0008), MIP"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
         "is a secondary capture (SOPClassUID (0008,0016)): its numbers may be those of a screen"),
        ({"BurnedInAnnotation": "YES"},
         "has text in its pixels (BurnedInAnnotation (0028,0301)), which may name the patient"),
        ({"LossyImageCompression": "01"}, "was compressed with losses (LossyImageCompression (0028,2110))"),
        ({"RescaleType": "US"}, "has numbers of the kind US (RescaleType (0028,1054)), not Hounsfield units"),
        ({"GantryDetectorTilt": 15.0},
         "was made with the gantry tilted by 15 degrees (GantryDetectorTilt (0018,1120)), and its slices are upright: "
         "their place may be wrong"),
        ({"PixelPaddingValue": -2000},
         "is padded with -2000 (PixelPaddingValue (0028,0120), 25% of its voxels), which counts as a number"),
        ({"PixelPaddingValue": -1999}, None),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "RescaleType": "HU", "LossyImageCompression": "00",
          "BurnedInAnnotation": "NO", "GantryDetectorTilt": 0.0}, None),
    ],
)  # fmt: skip
def test_what_a_header_says_of_an_image_as_a_whole(
    tags: dict[str, Any], said: str | None, tmp_path: Path, write_dicom: Callable[..., Path]
) -> None:
    for number in range(4):
        pixels = np.random.default_rng(number).integers(-1000, 400, (4, 6))
        pixels[0] = -2000
        write_dicom(tmp_path / f"{number}.dcm", pixels, ImagePositionPatient=[0.0, 0.0, 2.0 * number], **tags)
    assert remarks_of(tmp_path) == (() if said is None else (said,))


@pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID"])
def test_slices_of_two_patients_under_one_series_are_refused(series: Any, keyword: str) -> None:
    folder, _, write = series
    write(2, "c", **{keyword: "9.9"})
    with pytest.raises(HakkenError) as caught:
        read_volume(folder)
    assert str(caught.value) == (
        f"{folder}: slices of several patients or examinations (a and c differ in PatientID or StudyInstanceUID); move "
        "each into its own folder"
    )


@pytest.mark.parametrize(
    ("keyword", "values", "place"),
    [
        ("KVP", (80, 140), "(0018,0060) (80.0 and 140.0)"),
        ("ConvolutionKernel", ("B30", "B70"), "(0018,1210) (B30 and B70)"),
        ("EchoTime", (5, 20), "(0018,0081) (5.0 and 20.0)"),
    ],
)
def test_slices_that_were_made_in_two_ways_are_remarked(
    keyword: str, values: tuple[Any, Any], place: str, series: Any
) -> None:
    folder, _, write = series
    for number, name in enumerate("dacbe"):
        write(number, name, **{keyword: values[number > 2]})
    assert remarks_of(folder) == (f"has slices of different {keyword} {place} in one stack",)


def test_every_second_slice_of_a_series_is_remarked(series: Any) -> None:
    folder, _, write = series
    for number, name in enumerate("dacbe"):
        write(number, name, InstanceNumber=2 * number + 1)
    said = "has every second number of its series alone (InstanceNumber (0020,0013)): slices may be missing"
    assert remarks_of(folder) == (said,)
    for number, name in enumerate("dacbe"):
        write(number, name, InstanceNumber=number + 7)
    assert remarks_of(folder) == ()


def test_thickness_that_is_missing_is_not_made_up_and_one_below_0_refused(series: Any) -> None:
    folder, _, write = series
    for number, name in enumerate("dacbe"):
        write(number, name, SliceThickness=0.5)
    assert remarks_of(folder)[0].startswith("has slices of 0.5 mm every 2.5 mm")
    for number, name in enumerate("dacbe"):
        write(number, name, SliceThickness=None)
    assert remarks_of(folder) == ()
    write(2, "c", SliceThickness=-2.0)
    with pytest.raises(HakkenError, match=r"c: SliceThickness \(0018,0050\) is -2, below 0; correct the header"):
        read_volume(folder)


def test_one_file_of_a_series_is_remarked(series: Any, tmp_path: Path) -> None:
    folder, _, _ = series
    assert remarks_of(folder / "a") == ("is one file of a series: name its folder to have all slices",)
    (tmp_path / "alone").mkdir()
    alone = (folder / "a").rename(tmp_path / "alone" / "a")
    assert remarks_of(alone) == ()


def test_what_was_named_in_place_of_a_series_is_called_what_it_is(series: Any, tmp_path: Path) -> None:
    folder, _, _ = series
    with pytest.raises(HakkenError, match="a folder without DICOM files; those in `series` may be meant: name that"):
        read_volume(tmp_path)
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    with pytest.raises(HakkenError, match="DICOMDIR: an index of DICOM files and no image; name the folder of one"):
        read_volume(folder / "DICOMDIR")
    (tmp_path / "s.zip").write_bytes(b"PK")
    with pytest.raises(HakkenError, match=r"s.zip: an archive; unpack it and name the file, or the folder"):
        read_volume(tmp_path / "s.zip")


def test_an_unknown_encoding_of_names_is_not_complained_of(series: Any, recwarn: pytest.WarningsRecorder) -> None:
    folder, _, write = series
    write(2, "c", SpecificCharacterSet="XYZ")
    recwarn.clear()
    read_volume(folder)
    assert [str(one.message) for one in recwarn if "encoding" in str(one.message)] == []


def test_every_attribute_that_is_read_is_one_of_the_dictionary() -> None:
    assert [keyword for keyword in READ if pydicom.datadict.tag_for_keyword(keyword) is None] == []
    assert pydicom.uid.SecondaryCaptureImageStorage in CAPTURES


def test_a_jpeg_in_dicom_that_is_damaged_is_refused(tmp_path: Path) -> None:
    source = pydicom.data.get_testdata_file("JPGExtended.dcm", download=False)
    content = bytearray(Path(source).read_bytes())
    (tmp_path / "a.dcm").write_bytes(content)
    assert read_volume(tmp_path / "a.dcm").array.shape == (1, 1024, 256)
    place = len(content) * 3 // 4
    content[place : place + 30] = bytes(30)
    (tmp_path / "a.dcm").write_bytes(content)
    with pytest.raises(
        HakkenError, match=r"its compressed pixels are damaged \(23 extraneous bytes before marker 0xd9"
    ):
        read_volume(tmp_path / "a.dcm")
