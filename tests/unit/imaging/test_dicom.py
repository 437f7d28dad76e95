from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.core.errors import HakkenError
from hakken.imaging.dicom import is_dicom
from hakken.imaging.files import read_geometry, read_volume

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
