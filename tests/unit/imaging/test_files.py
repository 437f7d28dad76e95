from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from hakken.core.errors import HakkenError
from hakken.core.volume import Volume
from hakken.imaging.files import read_geometry, read_volume, write_picture, write_volume

TILT = (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6)


@pytest.fixture
def volume() -> Any:
    array = np.random.default_rng(0).integers(-1000, 2000, (5, 6, 7)).astype(np.int16)
    return Volume(array, (0.5, 0.7, 3.0), (-12.5, 30.0, 8.25), TILT)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mha"])
def test_what_is_written_is_read(tmp_path: Path, volume: Any, name: str) -> None:
    write_volume(tmp_path / name, volume)
    again = read_volume(tmp_path / name)
    assert np.array_equal(again.array, volume.array)
    assert again.matches(volume)
    assert read_geometry(tmp_path / name).matches(volume.geometry)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_same_volume_same_bytes(tmp_path: Path, volume: Any) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, volume)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_metaimage_with_a_separate_data_file(tmp_path: Path, volume: Any) -> None:
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing)
    sitk.WriteImage(image, str(tmp_path / "a.mhd"))
    assert np.array_equal(read_volume(tmp_path / "a.mhd").array, volume.array)
    (tmp_path / "a.raw").write_bytes((tmp_path / "a.raw").read_bytes()[:100])
    with pytest.raises(
        HakkenError, match=r"a.mhd: cut off or damaged while copying; copy the file anew from its source"
    ):
        read_volume(tmp_path / "a.mhd")


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_grey_picture_is_one_slice(tmp_path: Path, name: str) -> None:
    array = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (16, 1))
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / name))
    read = read_volume(tmp_path / name)
    assert read.array.shape == (1, 16, 24)
    assert read.is_flat
    assert np.abs(read.array[0].astype(int) - array).max() <= (0 if name == "a.png" else 3)
    assert read_geometry(tmp_path / name) == read.geometry


def test_colours_are_refused_unless_they_are_grey(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 9, 3)).astype(np.uint8)
    write_picture(tmp_path / "colour.png", pixels)
    write_picture(tmp_path / "grey.png", np.repeat(pixels[..., :1], 3, axis=-1))
    assert np.array_equal(read_volume(tmp_path / "grey.png").array[0], pixels[..., 0])
    with pytest.raises(
        HakkenError, match=r"colour.png: 3 values a pixel \(colour or vectors\); convert it to one grey"
    ):
        read_volume(tmp_path / "colour.png")


def test_two_dimensional_nifti_is_one_slice(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.ones((7, 6), np.float32), np.diag([2.0, 3.0, 1.0, 1.0])), tmp_path / "a.nii")
    assert read_volume(tmp_path / "a.nii").array.shape == (1, 6, 7)
    assert read_geometry(tmp_path / "a.nii").matches(read_volume(tmp_path / "a.nii").geometry)


def test_four_dimensions_are_refused_unless_the_fourth_is_one(tmp_path: Path) -> None:
    for count in (1, 4):
        nib.save(nib.Nifti1Image(np.ones((5, 6, 7, count), np.float32), np.eye(4)), tmp_path / f"{count}.nii.gz")
    assert read_volume(tmp_path / "1.nii.gz").array.shape == (7, 6, 5)
    assert read_geometry(tmp_path / "1.nii.gz").shape_zyx == (7, 6, 5)
    message = r"4.nii.gz: an image of 4 dimensions \(5x6x7x4\); give each channel one volume"
    for read in (read_volume, read_geometry):
        with pytest.raises(HakkenError, match=message):
            read(tmp_path / "4.nii.gz")


@pytest.mark.parametrize("kind", ["header", "body", "checksum", "empty", "text", "plain"])
def test_damaged_nifti_is_an_error(tmp_path: Path, volume: Any, kind: Any) -> None:
    path = tmp_path / ("a.nii" if kind == "plain" else "a.nii.gz")
    write_volume(path, volume)
    content = bytearray(path.read_bytes())
    if kind == "checksum":
        content[len(content) // 2] ^= 255
    cut = {"header": 40, "body": len(content) // 2, "checksum": len(content), "empty": 0, "plain": len(content) - 9}
    path.write_bytes(b"hello, image" if kind == "text" else bytes(content[: cut[kind]]))
    with pytest.raises(HakkenError) as error:
        read_volume(path)
    assert str(error.value) == f"{path}: cut off or damaged while copying; copy the file anew from its source"


def test_a_short_nifti_that_is_whole_for_gzip_is_an_error(tmp_path: Path, volume: Any) -> None:
    path = tmp_path / "a.nii.gz"
    write_volume(path, volume)
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:-1]))
    with pytest.raises(HakkenError, match="cut off or damaged"):
        read_volume(path)


def test_big_endian_capital_letters_and_nifti_2_are_understood(tmp_path: Path) -> None:
    array = np.arange(60, dtype=">f4").reshape(3, 4, 5)
    nib.save(nib.Nifti1Image(array, np.eye(4), nib.Nifti1Header(endianness=">")), tmp_path / "big.nii.gz")
    assert np.array_equal(read_volume(tmp_path / "big.nii.gz").array, array.T)
    assert np.array_equal(read_volume((tmp_path / "big.nii.gz").rename(tmp_path / "BIG.NII.GZ")).array, array.T)
    nib.save(nib.Nifti2Image(array, np.eye(4)), tmp_path / "two.nii.gz")
    assert np.array_equal(read_volume(tmp_path / "two.nii.gz").array, array.T)


def test_missing_unknown_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match=r"a.nii.gz: no such file; correct the path in the case table"):
        read_volume(tmp_path / "a.nii.gz")
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(
        HakkenError, match=r"a.doc: unknown kind of image; hakken reads .nii.gz, .nii, .hdr, .img, .mha"
    ):
        read_volume(tmp_path / "a.doc")
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(
        HakkenError,
        match=r"a.png: no readable image, or cut off \(UnidentifiedImageError\); copy the file anew from its source",
    ):
        read_volume(tmp_path / "a.png")
    with pytest.raises(HakkenError, match=r"a.txt: volumes are written as .nii.gz, .nii or .mha"):
        write_volume(tmp_path / "a.txt", Volume(np.zeros((1, 1, 1))))


def test_sheared_axes_are_refused(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[0, 1] = 0.2
    nib.save(nib.Nifti1Image(np.zeros((5, 4, 3), np.float32), affine), tmp_path / "a.nii.gz")
    with pytest.raises(HakkenError, match="the axes of this image are not orthogonal; resample it"):
        read_volume(tmp_path / "a.nii.gz")


def test_descriptions_of_a_nifti_header_do_not_survive(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((5, 4, 3), np.float32), np.eye(4))
    for name in ("descrip", "db_name", "aux_file", "intent_name"):
        image.header[name] = b"GEHEIM"
    nib.save(image, tmp_path / "a.nii")
    write_volume(tmp_path / "b.nii", read_volume(tmp_path / "a.nii"))
    assert re.search(b"GEHEIM", (tmp_path / "a.nii").read_bytes())
    assert not re.search(b"GEHEIM", (tmp_path / "b.nii").read_bytes())


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_one_colour_of_a_picture(tmp_path: Path, name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), str(tmp_path / name))
    for index, colour in enumerate(("red", "green", "blue")):
        volume = read_volume(tmp_path / name, colour)
        assert (volume.array.shape, volume.is_flat) == ((1, 5, 7), True)
        assert np.array_equal(volume.array[0], pixels[..., index])
    with pytest.raises(HakkenError, match="or give the channel of a picture a `colour`"):
        read_volume(tmp_path / name)


def test_a_grey_picture_has_the_same_three_colours(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    sitk.WriteImage(sitk.GetImageFromArray(pixels), str(tmp_path / "grey.png"))
    assert all(
        np.array_equal(read_volume(tmp_path / "grey.png", colour).array[0], pixels) for colour in ("red", "blue")
    )
