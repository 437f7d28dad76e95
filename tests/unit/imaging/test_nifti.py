"""NIfTI: read as nibabel reads it, for every type of pixel; what a header cannot mean is refused in words."""

from __future__ import annotations

import gzip
import itertools
import struct
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.imaging.files import read_geometry, read_image, read_volume

PLAIN = ("<i2", ">i2", "<u2", "u1", "i1", "<i4", "<u4", "<i8", "<u8", "<f4", ">f4", "<f8")
AFFINE = np.array([[0.0, -0.7, 0.0, 10.0], [0.5, 0.0, 0.0, -20.0], [0.0, 0.0, 3.0, 30.0], [0.0, 0.0, 0.0, 1.0]])


def write(path: Path, array: Any, affine: Any = AFFINE, header: Any = None, **fields: Any) -> Path:
    """Write an image with nibabel and change fields of its header; every file is NIfTI-1 unless the header is not."""
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    dtype = {"dtype": array.dtype} if array.dtype.itemsize == 8 and array.dtype.kind in "iu" else {}
    image = kind(array, affine, header, **dtype)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.to_filename(path)
    if fields:
        change(path, **fields)
    return path


def change(path: Path, **fields: Any) -> None:
    """Write fields into the header of an uncompressed file as they are, whether or not they can be right."""
    content = bytearray(path.read_bytes())
    header = nib.load(path).header.__class__(bytes(content[: nib.load(path).header.sizeof_hdr]), check=False)
    for name, value in fields.items():
        if isinstance(value, dict):
            for place, one in value.items():
                header[name][place] = one
        else:
            header[name] = value
    content[: len(header.binaryblock)] = header.binaryblock
    path.write_bytes(content)


@pytest.fixture
def array() -> Any:
    return np.random.default_rng(0).integers(0, 100, (5, 6, 7)).astype(np.int16)


def refusal(path: Path) -> str:
    """What is said of a file, without its path, by both ways of reading."""
    with pytest.raises(HakkenError) as caught:
        read_volume(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("scaling", [(1, 0), (2, 0), (0.5, -3), (0, 5), (np.nan, 5), (-1.5, 1000), (np.inf, 0)])
def test_values_are_those_of_nibabel(kind: str, scaling: tuple[float, float], tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 120, (5, 6, 7)).astype(kind)
    header = nib.Nifti1Header(endianness=">" if kind.startswith(">") else "<")
    path = write(tmp_path / "a.nii", values, header=header, scl_slope=scaling[0], scl_inter=scaling[1])
    expected = np.asarray(nib.load(path).dataobj).T
    assert np.allclose(read_volume(path).array, expected, rtol=1e-6, atol=0)
    compressed = tmp_path / "a.nii.gz"
    compressed.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(read_volume(compressed).array, read_volume(path).array)


def test_what_is_not_scaled_keeps_its_type_and_what_is_not_finite_stays(tmp_path: Path) -> None:
    values = np.array([[[1.5, np.nan, np.inf]]], np.float32).T.copy()
    found = read_volume(write(tmp_path / "a.nii", values)).array
    assert found.dtype == np.float32
    assert np.array_equal(found.ravel(), values.ravel(), equal_nan=True)
    assert read_volume(write(tmp_path / "b.nii", np.ones((1, 2, 3), np.int16))).array.dtype == np.int16


def test_an_intercept_that_is_no_number_is_refused(array: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", array, scl_slope=2, scl_inter=np.nan)
    assert refusal(path).startswith("its NIfTI header cannot be right (")


@pytest.mark.parametrize(
    ("codes", "taken"), [((1, 0), "q"), ((0, 1), "s"), ((0, 4), "s"), ((2, 0), "q"), ((1, 1), "s"), ((1, 2), "s")]
)
def test_the_place_is_that_of_nibabel(codes: tuple[int, int], taken: str, array: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", array, qform_code=codes[0], sform_code=codes[1])
    points = np.array(list(itertools.product((0, 4), (0, 5), (0, 6))))
    expected = nib.affines.apply_affine(nib.load(path).affine, points) * [-1, -1, 1]
    geometry = read_geometry(path)
    assert geometry.to_world(points[:, ::-1]) == pytest.approx(expected, abs=1e-4)
    assert geometry == read_volume(path).geometry
    assert geometry.spacing == pytest.approx((0.5, 0.7, 3.0))


def test_a_conflict_of_qform_and_sform_is_named_and_rounding_is_none(array: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", array, srow_x={3: 10.0004})
    assert read_volume(path).origin[0] == pytest.approx(-10.0004, abs=1e-5)
    change(path, srow_x={3: 14.0}, srow_y={3: -23.0})
    assert refusal(path) == (
        "sform and qform of its header lie up to 5 mm apart, and programs differ in which of the two they read; set "
        "both to the right one (`fslorient -copysform2qform`, `set_qform` of nibabel)"
    )
    change(path, qform_code=0)
    assert read_volume(path).origin[:2] == pytest.approx((-14.0, 23.0))


def test_sizes_that_are_stated_twice_and_differ_are_refused(array: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", array, qform_code=0, pixdim={3: 1.5})
    assert refusal(path) == (
        "voxels of 0.5 x 0.7 x 1.5 mm by pixdim, of 0.5 x 0.7 x 3 mm by the sform, and programs differ in which of the "
        "two they read; correct the header"
    )


@pytest.mark.parametrize("size", [0.0, -3.0, np.nan, np.inf, 1e-30, 2000.0])
@pytest.mark.parametrize("axis", [1, 3])
def test_a_size_of_voxels_that_no_image_has_is_refused(size: float, axis: int, array: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", array, sform_code=0, pixdim={axis: size})
    assert f"{size:g}" in refusal(path)
    assert "mm" in refusal(path)


def test_a_slice_has_no_neighbours_and_any_thickness(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", np.ones((7, 6), np.float32), np.diag([2.0, 3.0, 1.0, 1.0]), pixdim={3: 0.0})
    assert read_volume(path).array.shape == (1, 6, 7)


def test_a_header_without_a_place_is_remarked(array: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", array, qform_code=0, sform_code=0)
    found = read_image(path)
    assert found.remarks == (
        "its header does not say where its voxels lie (qform and sform codes 0): sides are not known",
    )
    assert found.volume.spacing == pytest.approx((0.5, 0.7, 3.0))
    assert (found.volume.origin, found.volume.direction) == ((0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


@pytest.mark.parametrize(
    ("code", "unit", "scale"), [(1, "metres", 1000), (3, "microns", 0.001), (2, None, 1), (0, None, 1)]
)
def test_lengths_in_other_units_become_mm(
    code: int, unit: str | None, scale: float, array: Any, tmp_path: Path
) -> None:
    affine = AFFINE @ np.diag([1 / scale] * 3 + [1])
    affine[:3, 3] /= scale
    path = write(tmp_path / "a.nii", array, affine, xyzt_units=code | 8)
    found = read_image(path)
    assert found.remarks == ((f"its header has lengths in {unit}, which were made mm",) if unit else ())
    assert found.volume.spacing == pytest.approx((0.5, 0.7, 3.0), rel=1e-5)
    assert found.volume.origin == pytest.approx((-10, 20, 30), rel=1e-5)


def test_mm_that_are_called_metres_are_refused(array: Any, tmp_path: Path) -> None:
    said = refusal(write(tmp_path / "a.nii", array, xyzt_units=1))
    assert said.startswith("5x6x7 voxels of 500 x 700 x 3000 mm (its header says metres), which no image of a patient")


def test_nifti_2_and_pairs_are_read(array: Any, tmp_path: Path) -> None:
    two = write(tmp_path / "two.nii", array, header=nib.Nifti2Header())
    assert np.array_equal(read_volume(two).array, array.T)
    nib.Nifti1Pair(array, AFFINE).to_filename(tmp_path / "pair.img")
    for name in ("pair.img", "pair.hdr"):
        assert np.array_equal(read_volume(tmp_path / name).array, array.T)
        assert read_geometry(tmp_path / name).matches(read_geometry(two))
    (tmp_path / "pair.img").unlink()
    with pytest.raises(HakkenError, match=r"pair.img: no such file; correct the path"):
        read_volume(tmp_path / "pair.hdr")


def test_analyze_is_refused(array: Any, tmp_path: Path) -> None:
    nib.AnalyzeImage(array, np.eye(4)).to_filename(tmp_path / "a.img")
    assert refusal(tmp_path / "a.hdr").startswith(
        "an image of Analyze 7.5, which says neither where its voxels lie nor"
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"dim": {0: 0}}, "its header promises 0 dimensions"),
        ({"dim": {0: 9}}, "its header promises 9 dimensions"),
        ({"dim": {1: 0}}, "its header promises 0x6x7 voxels; copy the file anew from its source"),
        ({"dim": {2: -6}}, "its header promises 5x-6x7 voxels"),
        ({"dim": {1: 20000, 2: 20000}}, "20000x20000x7 voxels, more than the 100,000,000 of a plane or 536,870,912"),
        ({"dim": {3: 14}}, "cut off or damaged while copying; copy the file anew from its source"),
        ({"dim": {3: 3}}, "holds more slices than its header promises; export the image again"),
        ({"dim": {0: 4, 4: 2}}, "an image of 4 dimensions (5x6x7x2); give each channel one volume"),
        ({"vox_offset": 100.0}, "its header says that the pixels start at byte 100; copy the file anew"),
        ({"vox_offset": -1.0}, "its header says that the pixels start at byte -1;"),
        ({"vox_offset": np.nan}, "its header says that the pixels start at byte nan;"),
        ({"vox_offset": 1e30}, "its header says that the pixels start at byte 1e+30;"),
        ({"vox_offset": 100000.0}, "cut off or damaged while copying"),
        ({"datatype": 128}, "pixels of type RGB (colour, complex or too wide); give one plain number a pixel"),
        ({"datatype": 32}, "pixels of type complex64 (colour, complex or too wide)"),
        ({"datatype": 1}, "pixels of type binary (colour, complex or too wide)"),
        ({"datatype": 77}, "its NIfTI header cannot be right ("),
        ({"srow_z": {2: np.nan}}, "the sform of its header is no affine (0, NaN or infinite); correct the header"),
        ({"srow_x": [0, 0, 0, 0], "srow_y": [0, 0, 0, 0]}, "the sform of its header is no affine"),
        ({"qoffset_x": np.inf}, "the qform of its header is no affine (0, NaN or infinite)"),
        ({"quatern_b": 2.0, "quatern_c": 3.0}, "its NIfTI header cannot be right"),
        ({"quatern_b": np.nan}, ""),
        ({"srow_x": {0: 0.3}, "qform_code": 0}, "the axes of this image are not orthogonal; resample it onto an"),
        ({"srow_x": {3: 1e8}, "qform_code": 0}, "its first voxel lies at -1e+08, 20, 30 mm, which cannot be; correct"),
        ({"magic": b"xyz"}, "an image of Analyze 7.5"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(fields: Any, said: str, array: Any, tmp_path: Path) -> None:
    assert refusal(write(tmp_path / "a.nii", array, **fields)).startswith(said)


def test_four_dimensions_of_one_volume_and_an_offset_of_zero_are_read(array: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", array[..., None, None], vox_offset=0)
    assert np.array_equal(read_volume(path).array, array.T)


def test_members_of_gzip_that_follow_one_another_are_one_file(array: Any, tmp_path: Path) -> None:
    content = write(tmp_path / "a.nii", array).read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]))
    assert np.array_equal(read_volume(tmp_path / "a.nii.gz").array, array.T)


@given(st.data())
def test_no_header_leads_to_anything_but_a_volume_or_words(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever stands in a header: a volume, or HakkenError."""
    path = write(tmp_path_factory.mktemp("nifti") / "a.nii", np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(4, 347))
        if data.draw(st.booleans()):
            content[place] = data.draw(st.integers(0, 255))
        else:
            value = data.draw(st.sampled_from([0.0, -1.0, float("nan"), float("inf"), 1e30, 1e-30]))
            struct.pack_into("<f", content, min(place // 4 * 4, 344), value)
    path.write_bytes(content)
    try:
        found = read_volume(path)
    except HakkenError as error:
        assert ": cannot be read (" not in str(error), "every reason has words of its own"
    else:
        assert np.isfinite(found.geometry.corners()).all()
