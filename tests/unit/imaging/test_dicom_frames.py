"""Files of many frames: the same volume as the same slices in files of their own, and as SimpleITK reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian, RLELossless

from hakken.core.errors import HakkenError
from hakken.imaging.dicom_frames import ENHANCED, OWN, SHARED, TAKEN
from hakken.imaging.files import read_image, read_volume

PIXELS = np.random.default_rng(0).integers(0, 2000, (5, 6, 64)).astype(np.uint16)
ORDER = (3, 0, 4, 1, 2)


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def groups(**macros: Dataset) -> Dataset:
    return item(**{keyword: Sequence([one]) for keyword, one in macros.items()})


def frame(place: int, *, slope: float = 1.0, **tags: Any) -> Dataset:
    """The groups of a frame at a place along z."""
    return groups(
        PlanePositionSequence=item(ImagePositionPatient=[-10.0, 20.0, 30 + 2.5 * place]),
        PixelValueTransformationSequence=item(RescaleSlope=slope, RescaleIntercept=-1000.0, RescaleType="HU"),
        FrameContentSequence=item(**{"InStackPositionNumber": place + 1, "StackID": "1"} | tags),
    )


def write(
    path: Path, frames: list[Dataset], pixels: NDArray[np.uint16], syntax: str = ExplicitVRLittleEndian, **tags: Any
) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    values: dict[str, Any] = {
        "SOPClassUID": EnhancedCTImageStorage, "SOPInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.4",
        "Modality": "CT", "NumberOfFrames": len(pixels), "Rows": 6, "Columns": 64, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15,
        "PixelRepresentation": 0, "PixelData": pixels.tobytes(), OWN: Sequence(frames),
        SHARED: Sequence([groups(
            PlaneOrientationSequence=item(ImageOrientationPatient=[1.0, 0, 0, 0, 1, 0]),
            PixelMeasuresSequence=item(PixelSpacing=[0.7, 0.5], SliceThickness=2.5),
        )]),
    }  # fmt: skip
    for keyword, value in (values | tags).items():
        if value is not None:
            setattr(data, keyword, value)
    if syntax != ExplicitVRLittleEndian:
        data.compress(syntax)
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_frames_in_any_order_are_one_volume(syntax: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", [frame(place) for place in ORDER], PIXELS[list(ORDER)], syntax)
    found = read_image(path)
    assert np.array_equal(found.volume.array, PIXELS.astype(np.float32) - 1000)
    assert found.volume.spacing == pytest.approx((0.5, 0.7, 2.5))
    assert found.volume.origin == (-10.0, 20.0, 30.0)
    assert (found.remarks, found.modality, found.placed) == ((), "CT", True)


def test_simpleitk_reads_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", [frame(place) for place in range(5)], PIXELS)
    other, own = sitk.ReadImage(str(path)), read_volume(path)
    assert np.array_equal(sitk.GetArrayFromImage(other), own.array)
    assert (other.GetSpacing(), other.GetOrigin()) == (own.spacing, own.origin)


def test_each_frame_has_its_own_rescaling_and_the_folder_its_other_files(tmp_path: Path) -> None:
    write(tmp_path / "a.dcm", [frame(place, slope=1.0 + place) for place in range(5)], PIXELS)
    (tmp_path / "notes.txt").write_text("notes")
    found = read_image(tmp_path)
    expected = PIXELS * (1.0 + np.arange(5))[:, None, None] - 1000
    assert found.volume.array == pytest.approx(expected)
    assert found.remarks == ("leaves 1 file of its folder out: notes.txt",)


def test_phases_and_missing_frames_are_named_by_their_numbers(tmp_path: Path) -> None:
    phases = [frame(place, TemporalPositionIndex=1 + phase) for phase in (0, 1) for place in (0, 1)]
    with pytest.raises(HakkenError) as caught:
        read_volume(write(tmp_path / "a.dcm", phases, PIXELS[:4]))
    assert str(caught.value).endswith(
        "a.dcm frame 1 and a.dcm frame 3 lie at the same place and differ in TemporalPositionIdentifier (0020,0100) 1 "
        "and 2: phases, echoes or frames; export each as a volume of its own"
    )
    with pytest.raises(HakkenError, match=r"a.dcm frame 2 and a.dcm frame 3 are 5.00 mm apart, the others 2.50 mm"):
        read_volume(write(tmp_path / "a.dcm", [frame(place) for place in (0, 1, 3, 4)], PIXELS[:4]))


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({OWN: None}, "5 frames (NumberOfFrames (0028,0008)) and 0 descriptions of such (5200,9230), of 5,000 at most"),
        ({"NumberOfFrames": 4}, "4 frames (NumberOfFrames (0028,0008)) and 5 descriptions of such"),
        ({SHARED: None}, "PixelSpacing (0028,0030) is missing"),
        ({"PixelData": PIXELS[:4].tobytes()}, "cut off or damaged while copying"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.130"}, "holds several frames; convert it to NIfTI"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_apart_is_refused(tags: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", [frame(place) for place in range(5)], PIXELS, **tags)
    with pytest.raises(HakkenError) as caught:
        read_volume(path)
    assert said in str(caught.value)


def test_classes_and_attributes_are_those_of_the_dictionary() -> None:
    assert {EnhancedCTImageStorage, EnhancedMRImageStorage} < set(ENHANCED)
    assert all("Enhanced" in pydicom.uid.UID(uid).name for uid in ENHANCED)
    assert [name for name in (SHARED, OWN, *TAKEN, *TAKEN.values()) if not pydicom.datadict.tag_for_keyword(name)] == []
