"""MetaImage: what SimpleITK writes is read as it reads it; headers that it would believe are questioned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.core.errors import HakkenError
from hakken.imaging.files import read_geometry, read_volume

KINDS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"]


def image(kind: str, shape: tuple[int, ...] = (5, 6, 7)) -> sitk.Image:
    made = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 120, shape).astype(kind))
    made.SetSpacing([0.5, 0.7, 3.0][: len(shape)])
    made.SetOrigin([-10.0, 20.0, 30.0][: len(shape)])
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_what_simpleitk_writes_is_read(kind: str, name: str, compressed: bool, tmp_path: Path) -> None:
    made = image(kind)
    sitk.WriteImage(made, str(tmp_path / name), compressed)
    found = read_volume(tmp_path / name)
    assert np.array_equal(found.array, sitk.GetArrayFromImage(made))
    assert found.array.dtype == kind
    assert (found.spacing, found.origin) == ((0.5, 0.7, 3.0), (-10.0, 20.0, 30.0))
    assert read_geometry(tmp_path / name) == found.geometry


def test_two_dimensions_are_one_slice(tmp_path: Path) -> None:
    sitk.WriteImage(image("int16", (6, 7)), str(tmp_path / "a.mha"))
    assert read_volume(tmp_path / "a.mha").array.shape == (1, 6, 7)


def test_vectors_are_refused(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True), str(tmp_path / "a.mha"))
    with pytest.raises(HakkenError, match=r"a.mha: several values a pixel; give one grey value a pixel"):
        read_volume(tmp_path / "a.mha")


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("ElementSpacing = 0 1 1", "voxels of 0 x 1 x 1 mm: every size must be a number above 0; correct the header"),
        ("ElementSpacing = -1 1 1", "voxels of -1 x 1 x 1 mm: every size must be a number above 0"),
        ("ElementSpacing = inf 1 1", "voxels of inf x 1 x 1 mm"),
        ("ElementSpacing = 1 1 1e-30", "5x6x7 voxels of 1 x 1 x 1e-30 mm, which no image of a patient has; correct"),
        ("ElementSpacing = 1 1 2000", "5x6x7 voxels of 1 x 1 x 2000 mm, which no image of a patient has"),
        ("ElementSpacing = 1 1", "does not say how large its voxels are (ElementSpacing); add it"),
        ("ElementSpacing = a b c", "does not say how large its voxels are"),
        ("DimSize = 5 6 6", "more pixels stand there than its header promises; export the image again"),
        ("DimSize = 5 6 8", "cut off or damaged while copying"),
        ("DimSize = 5 6 -7", "DimSize of its header is `5 6 -7`; copy the file anew from its source"),
        ("DimSize = 5 6 0", "its header promises 5x6x0 voxels"),
        ("Offset = nan 0 0", "its first voxel lies at nan, 0, 0 mm, which cannot be; correct the header"),
        ("Offset = 1e30 0 0", "its first voxel lies at 1e+30, 0, 0 mm, which cannot be"),
        ("Offset = 0 0", "Offset of its header is `0 0`; copy the file anew"),
        ("TransformMatrix = 1 0 0 1 1 0 0 0 1", "a.mhd: the axes of this image are not orthogonal and of length 1;"),
        ("TransformMatrix = 2 0 0 0 1 0 0 0 1", "a.mhd: the axes of this image are not orthogonal and of length 1;"),
        ("TransformMatrix = nan 0 0 0 1 0 0 0 1", "a.mhd: the axes of this image are not orthogonal and of length 1;"),
        ("NDims = 4", "NDims and DimSize of its header do not fit"),
        ("ElementType = MET_STRING", "pixels of type MET_STRING; copy the file anew"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(field: str, said: str, tmp_path: Path) -> None:
    sitk.WriteImage(image("uint8", (7, 6, 5)), str(tmp_path / "a.mhd"))
    name = field.split(" = ", maxsplit=1)[0]
    lines = (tmp_path / "a.mhd").read_text().splitlines()
    changed = [field if line.startswith(f"{name} ") else line for line in lines]
    (tmp_path / "a.mhd").write_text("\n".join(changed) + "\n")
    with pytest.raises(HakkenError) as caught:
        read_volume(tmp_path / "a.mhd")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("DistanceUnits = um", "its header has lengths in um (DistanceUnits), not mm; export the image again"),
        (
            "ElementToIntensityFunctionSlope = 2",
            "ElementToIntensityFunctionSlope of its header is 2, which programs pass",
        ),
        ("ElementToIntensityFunctionOffset = -1024", "ElementToIntensityFunctionOffset of its header is -1024, which"),
        ("ElementToIntensityFunctionSlope = x", "ElementToIntensityFunctionSlope of its header is x, which programs"),
    ],
)
def test_what_simpleitk_passes_over_is_refused(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mha"
    sitk.WriteImage(image("int16"), str(path))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"ElementSpacing", line.encode() + b"\nElementSpacing", 1))
    with pytest.raises(HakkenError) as caught:
        read_volume(path)
    assert said in str(caught.value)
    name = line.split(" = ", maxsplit=1)[0]
    neutral = "mm" if name == "DistanceUnits" else "1" if "Slope" in name else "0"
    path.write_bytes(content.replace(b"ElementSpacing", f"{name} = {neutral}\nElementSpacing".encode(), 1))
    assert np.array_equal(read_volume(path).array, sitk.GetArrayFromImage(image("int16")))
