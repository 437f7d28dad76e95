from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.lesions import measure_lesions
from hakken.imaging.segmentation_objects import fill_polygon, read_mask, read_structures
from hakken.study import Cohort

GRID = Geometry((4, 12, 16), (1.0, 1.0, 2.0), (-8.0, -6.0, 10.0))
FRAME, OTHER = "1.2.3.4", "1.2.3.5"
SEG, RTSTRUCT = pydicom.uid.SegmentationStorage, pydicom.uid.RTStructureSetStorage
COHORT = Cohort(table="cases.csv")


def dataset(**elements: Any) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def save(path: Path, kind: str, **elements: Any) -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, kind
    meta.MediaStorageSOPInstanceUID = generate_uid()
    made = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    for keyword, value in {"SOPClassUID": kind, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID, **elements}.items():
        setattr(made, keyword, value)
    made.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """The header of a slice of the series that was drawn on."""
    return save(tmp_path / "slice.dcm", pydicom.uid.CTImageStorage, FrameOfReferenceUID=FRAME)


def frame(segment: int, z: float, x: float = -8.0, cosines: Any = (1, 0, 0, 0, 1, 0)) -> Dataset:
    return dataset(
        SegmentIdentificationSequence=[dataset(ReferencedSegmentNumber=segment)],
        PlanePositionSequence=[dataset(ImagePositionPatient=[x, -6.0, z])],
        PlaneOrientationSequence=[dataset(ImageOrientationPatient=list(cosines))],
    )


@pytest.fixture
def segmentation(tmp_path: Path) -> Callable[..., Path]:
    """Write a SEG of frames, each with its mask (12, 16)."""

    def write(frames: list[tuple[Dataset, Any]], names: Any = ("Tumour", "Node"), **changes: Any) -> Path:
        pixels = np.stack([mask for _, mask in frames]).astype(np.uint8)
        content = {
            "FrameOfReferenceUID": FRAME,
            "SegmentationType": "BINARY",
            "Rows": 12,
            "Columns": 16,
            "NumberOfFrames": len(frames),
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 1,
            "BitsStored": 1,
            "HighBit": 0,
            "PixelRepresentation": 0,
            "SegmentSequence": [
                dataset(SegmentNumber=number, SegmentLabel=name) for number, name in enumerate(names, start=1)
            ],
            "SharedFunctionalGroupsSequence": [
                dataset(PixelMeasuresSequence=[dataset(PixelSpacing=[1.0, 1.0], SliceThickness=2.0)])
            ],
            "PerFrameFunctionalGroupsSequence": [one for one, _ in frames],
            "PixelData": pack_bits((pixels > 0).astype(np.uint8).ravel()),
        }
        return save(tmp_path / "seg.dcm", SEG, **(content | changes))

    return write


def box(rows: slice, columns: slice) -> Any:
    mask = np.zeros((12, 16), bool)
    mask[rows, columns] = True
    return mask


def test_segments_are_lesions_in_the_order_of_the_grid(segmentation: Any, reference: Path) -> None:
    tumour, node = box(slice(2, 5), slice(3, 7)), box(slice(8, 9), slice(10, 12))
    path = segmentation([(frame(1, 14.0), tumour), (frame(1, 12.0), tumour), (frame(2, 10.0), node)])
    expected = np.zeros(GRID.shape_zyx, np.int16)
    expected[1:3, 2:5, 3:7] = 1
    expected[0, 8, 10:12] = 2
    mask = read_mask(path, GRID, reference, COHORT)
    assert mask.geometry == GRID
    assert np.array_equal(mask.array, expected)
    assert [lesion.size for lesion in measure_lesions(mask.array, GRID)] == [48.0, 4.0]
    merged = read_mask(path, GRID, reference, Cohort(table="cases.csv", labels="binary"))
    assert np.array_equal(merged.array, expected > 0)
    node_alone = read_mask(path, GRID, reference, Cohort(table="cases.csv", structures=("no*",)))
    assert np.array_equal(node_alone.array, expected == 2)


def test_segments_are_regions_by_their_names_and_not_by_their_numbers(segmentation: Any, reference: Path) -> None:
    first, second = box(slice(2, 5), slice(3, 7)), box(slice(8, 9), slice(10, 12))
    frames = [(frame(1, 12.0), first), (frame(2, 12.0), second)]
    path = segmentation(frames, names=("Left Kidney", "Node"))
    cohort = Cohort(table="cases.csv", regions=("liver", "left_kidney"))
    expected = np.zeros(GRID.shape_zyx, np.int16)
    expected[1, 2:5, 3:7] = 2
    assert np.array_equal(read_structures(path, GRID, reference, cohort).array, expected)
    lacking = Cohort(table="cases.csv", regions=("spleen",))
    with pytest.raises(HakkenError, match=r"named spleen \(there are Left Kidney, Node\); correct `cohort\.regions`"):
        read_structures(path, GRID, reference, lacking)
    overlapping = segmentation([(frame(1, 12.0), first), (frame(2, 12.0), first)], names=("liver", "spleen"))
    both = Cohort(table="cases.csv", regions=("spleen", "liver"))
    with pytest.raises(
        HakkenError, match=r"liver and spleen overlap in 12 voxels; choose among them with `cohort\.regi"
    ):
        read_structures(overlapping, GRID, reference, both)


def test_frames_stored_from_the_other_side_are_turned(segmentation: Any, reference: Path) -> None:
    mask = box(slice(2, 5), slice(3, 7))
    path = segmentation([(frame(1, 12.0, x=7.0, cosines=(-1, 0, 0, 0, 1, 0)), mask[:, ::-1])])
    assert np.array_equal(read_mask(path, GRID, reference, COHORT).array[1], mask)


def test_fractions_count_from_one_half(segmentation: Any, reference: Path) -> None:
    values = np.zeros((12, 16), np.uint8)
    values[4, 3:7] = (99, 127, 128, 255)
    path = segmentation(
        [(frame(1, 12.0), values)],
        SegmentationType="FRACTIONAL",
        MaximumFractionalValue=255,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelData=values.tobytes(),
    )
    assert read_mask(path, GRID, reference, COHORT).array[1, 4, 3:7].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("frames", "changes", "message"),
    [
        ([frame(1, 12.0)], {"FrameOfReferenceUID": OTHER}, "drawn in another frame of reference than {reference}; "),
        ([frame(1, 13.0)], {}, "frame 1 lies between the voxels of the reference channel; "),
        ([frame(1, 12.0), frame(1, 18.0)], {}, "frame 2 lies outside the reference channel; "),
        ([frame(1, 12.0), frame(2, 12.0)], {}, "Tumour and Node overlap in 4 voxels; "),
    ],
)
def test_what_does_not_fit_is_refused(
    segmentation: Any, reference: Path, frames: Any, changes: Any, message: str
) -> None:
    path = segmentation([(one, box(slice(0, 2), slice(0, 2))) for one in frames], **changes)
    with pytest.raises(HakkenError) as error:
        read_mask(path, GRID, reference, COHORT)
    assert message.format(reference=reference) in str(error.value)
    assert FRAME not in str(error.value)


def test_a_name_that_is_not_there_says_which_are(segmentation: Any, reference: Path) -> None:
    path = segmentation([(frame(1, 12.0), box(slice(0, 2), slice(0, 2)))])
    with pytest.raises(HakkenError, match=r"no structure is named GTV \(there are Tumour, Node\); correct `cohort.str"):
        read_mask(path, GRID, reference, Cohort(table="cases.csv", structures=("GTV",)))


@pytest.fixture
def structures(tmp_path: Path) -> Callable[..., Path]:
    """Write an RTSTRUCT of contours: each a structure, its points (x, y) in mm and its height."""

    def write(contours: list[tuple[int, list[tuple[float, float]], float]], kind: str = "CLOSED_PLANAR") -> Path:
        numbers = sorted({number for number, _, _ in contours})
        drawn = {
            number: [
                dataset(
                    ContourGeometricType=kind,
                    NumberOfContourPoints=len(points),
                    ContourData=[value for x, y in points for value in (x, y, z)],
                )
                for owner, points, z in contours
                if owner == number
            ]
            for number in numbers
        }
        return save(
            tmp_path / "rtstruct.dcm",
            RTSTRUCT,
            ReferencedFrameOfReferenceSequence=[dataset(FrameOfReferenceUID=FRAME)],
            StructureSetROISequence=[
                dataset(ROINumber=number, ROIName=f"GTV{number}", ReferencedFrameOfReferenceUID=FRAME)
                for number in numbers
            ],
            ROIContourSequence=[
                dataset(ReferencedROINumber=number, ContourSequence=contours) for number, contours in drawn.items()
            ],
        )

    return write


def square(low: float, high: float) -> list[tuple[float, float]]:
    return [(low, low), (high, low), (high, high), (low, high)]


def test_a_square_of_ten_millimetres_is_a_hundred_square_millimetres(structures: Any, reference: Path) -> None:
    for low, high in ((-4.0, 6.0), (-4.5, 5.5)):
        mask = read_mask(structures([(3, square(low, high), 12.0)]), GRID, reference, COHORT)
        assert np.count_nonzero(mask.array[1]) == 100
        assert np.count_nonzero(mask.array) == 100


def test_a_contour_in_a_contour_is_a_hole(structures: Any, reference: Path) -> None:
    path = structures([(1, square(-4.5, 5.5), 12.0), (1, square(-1.5, 1.5), 12.0), (2, square(-0.5, 0.5), 12.0)])
    mask = read_mask(path, GRID, reference, COHORT)
    assert [int(np.count_nonzero(mask.array == number)) for number in (1, 2)] == [91, 1]


@pytest.mark.parametrize(
    ("contour", "kind", "message"),
    [
        ((1, square(-2, 2), 13.0), "CLOSED_PLANAR", "GTV1 has a contour that lies between the slices of the reference"),
        ((1, square(-2, 2), 12.0), "OPEN_PLANAR", "GTV1 has a contour of type OPEN_PLANAR; only closed contours have"),
        ((1, square(-2, 2), 30.0), "CLOSED_PLANAR", "GTV1 lies outside the reference channel, at slice 10 of 0 to 3;"),
    ],
)
def test_contours_that_have_no_place_are_refused(
    structures: Any, reference: Path, contour: Any, kind: str, message: str
) -> None:
    with pytest.raises(HakkenError, match=message):
        read_mask(structures([contour], kind), GRID, reference, COHORT)


def test_a_real_structure_set_is_read_and_named(reference: Path) -> None:
    path = Path(pydicom.data.__file__).parent / "test_files" / "rtstruct.dcm"
    with pytest.raises(HakkenError, match="drawn in another frame of reference"):
        read_mask(path, GRID, reference, COHORT)


def test_a_triangle_has_half_the_pixels_of_its_square() -> None:
    inside = fill_polygon(np.array([[-0.5, -0.5], [-0.5, 9.5], [9.5, -0.5]]), (10, 10))
    assert [int(row.sum()) for row in inside] == list(range(9, -1, -1))
