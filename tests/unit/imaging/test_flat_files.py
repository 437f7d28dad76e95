"""Pictures: the pixels that every viewer shows, and what is refused because viewers or libraries would differ."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image, ImageOps

from hakken.core.errors import HakkenError
from hakken.imaging.files import read_geometry, read_image, read_volume
from hakken.imaging.flat_files import read_picture

GREY = np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (40, 50)).astype(np.uint16)
COLOURS = np.random.default_rng(2).integers(0, 256, (40, 50, 3)).astype(np.uint8)


def save(path: Path, pixels: Any, mode: str | None = None, **options: Any) -> Path:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def refusal(path: Path, colour: str | None = None) -> str:
    """What is said of a picture, without its path."""
    with pytest.raises(HakkenError) as caught:
        read_volume(path, colour)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        *[(f"a.{ending}", GREY) for ending in ("png", "tif", "tiff", "bmp", "pgm")],
        *[(f"a.{ending}", DEEP) for ending in ("png", "tif", "pgm")],
        ("a.tif", GREY.astype(np.int32)),
        ("a.tif", GREY.astype(np.float32) / 3),
        *[(f"a.{ending}", GREY > 128) for ending in ("png", "tif", "bmp", "pbm")],
        ("A.PNG", GREY),
    ],
)
def test_grey_pixels_are_read_as_they_stand(name: str, pixels: Any, tmp_path: Path) -> None:
    path = save(tmp_path / name, pixels)
    found = read_image(path)
    expected = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
    assert np.array_equal(found.volume.array[0], expected)
    assert found.volume.array.dtype == expected.dtype
    assert found.remarks == ()
    assert found.volume.spacing == (1, 1, 1)
    assert read_geometry(path) == found.volume.geometry


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_deflate"])
def test_compressed_tiff(compression: str, tmp_path: Path) -> None:
    assert np.array_equal(read_volume(save(tmp_path / "a.tif", GREY, compression=compression)).array[0], GREY)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp", "a.ppm"])
def test_colours_are_picked(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / name, COLOURS)
    for index, colour in enumerate(("red", "green", "blue")):
        assert np.array_equal(read_volume(path, colour).array[0], COLOURS[..., index])
    assert refusal(path).startswith("3 values a pixel (colour or vectors); convert it to one grey value a pixel, or")


def test_jpeg_is_what_pillow_shows(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", COLOURS)
    assert np.array_equal(read_volume(path, "green").array[0], np.asarray(Image.open(path))[..., 1])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_colours_of_sixteen_bits_keep_them(name: str, tmp_path: Path) -> None:
    deep = np.dstack([DEEP, DEEP // 2, DEEP // 3])
    sitk.WriteImage(sitk.GetImageFromArray(deep, isVector=True), str(tmp_path / name))
    assert np.array_equal(read_volume(tmp_path / name, "blue").array[0], DEEP // 3)
    sitk.WriteImage(sitk.GetImageFromArray(np.dstack([DEEP] * 3), isVector=True), str(tmp_path / name))
    assert np.array_equal(read_volume(tmp_path / name).array[0], DEEP)


def palette(colours: list[int]) -> Image.Image:
    image = Image.fromarray(GREY // 64).convert("P")
    image.putpalette(colours + [0] * (768 - len(colours)))
    return image


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_a_palette_is_looked_up(name: str, tmp_path: Path) -> None:
    grey = [level for level in (0, 10, 200, 255) for _ in range(3)]
    expected = np.array([0, 10, 200, 255])[GREY // 64]
    assert np.array_equal(read_volume(save(tmp_path / name, palette(grey))).array[0], expected)
    coloured = save(tmp_path / name, palette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255]))
    assert np.array_equal(read_volume(coloured, "red").array[0], np.array([0, 255, 0, 0])[GREY // 64])
    assert refusal(coloured).startswith("3 values a pixel")


@pytest.mark.parametrize("colours", [GREY, COLOURS])
def test_what_is_transparent_is_refused_and_what_is_opaque_is_read(colours: Any, tmp_path: Path) -> None:
    alpha = np.full_like(GREY, 255)
    mode = "LA" if colours.ndim == 2 else "RGBA"
    image = Image.fromarray(colours)
    image.putalpha(Image.fromarray(alpha))
    assert image.mode == mode
    red = colours if colours.ndim == 2 else colours[..., 0]
    assert np.array_equal(read_volume(save(tmp_path / "a.png", image), "red").array[0], red)
    alpha[3, 4] = 254
    image.putalpha(Image.fromarray(alpha))
    assert refusal(save(tmp_path / "a.png", image), "red") == (
        "partly transparent, and what stands there depends on the viewer; save it without transparency"
    )


def test_a_transparent_grey_value_counts_where_it_occurs(tmp_path: Path) -> None:
    few = (GREY // 2).astype(np.uint8)
    assert np.array_equal(read_volume(save(tmp_path / "a.png", few, transparency=200)).array[0], few)
    assert refusal(save(tmp_path / "b.png", few, transparency=int(few[0, 0]))).startswith("partly transparent")


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_colours_for_print_are_refused(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / name, COLOURS, "CMYK")
    assert refusal(path, "red") == "colours for print (CMYK); convert it to RGB or to grey values"


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_several_pictures_in_one_file_are_refused(name: str, tmp_path: Path) -> None:
    save(tmp_path / name, GREY, save_all=True, append_images=[Image.fromarray(255 - GREY)])
    said = "holds several pictures; give one, or a volume as NIfTI, which knows their distance"
    assert refusal(tmp_path / name) == said


def turned(pixels: Any, orientation: int) -> Any:
    """The pixels as a viewer shows them: the orientation says where row 0 and column 0 of the file lie."""
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.T,
        6: pixels.T[:, ::-1],
        7: pixels.T[::-1, ::-1],
        8: pixels.T[::-1],
    }[orientation]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_asks_to_be_turned_is_turned(orientation: int, name: str, tmp_path: Path) -> None:
    image = Image.fromarray(COLOURS)
    plain = read_volume(save(tmp_path / name, image), "red").array[0]
    exif = image.getexif()
    exif[0x0112] = orientation
    path = save(tmp_path / name, image, exif=exif)
    found = read_image(path, "red")
    assert np.array_equal(found.volume.array[0], turned(plain, orientation))
    with Image.open(path) as opened:
        assert np.array_equal(found.volume.array[0], np.asarray(ImageOps.exif_transpose(opened))[..., 0])
    assert bool(found.remarks) == (orientation > 1)
    assert read_geometry(path) == found.volume.geometry
    if orientation == 6:
        assert found.remarks == ("is turned by 90 degrees, as its EXIF orientation asks",)


@pytest.mark.parametrize(
    ("content", "pixels"),
    [
        (b"P2\n3 2\n5\n0 1 2 3 4 5\n", [[0, 1, 2], [3, 4, 5]]),  # labels of a mask, not shades
        (b"P5\n3 1\n1\n\0\1\1", [[0, 1, 1]]),
        (b"P5\n# made by hand\n2 2 3\n\0\1\2\3", [[0, 1], [2, 3]]),
        (b"P5\n3 1\n4095\n\x0f\xff\0\1\0\2", [[4095, 1, 2]]),
        (b"P5\n2 1\n65535\n\xff\xff\0\1", [[65535, 1]]),
        (b"P1\n3 1\n0 1 1\n", [[255, 0, 0]]),
    ],
)
def test_the_numbers_of_a_pgm_are_not_stretched(content: bytes, pixels: list[list[int]], tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(content)
    assert read_volume(tmp_path / "a.pgm").array[0].tolist() == pixels


def test_every_value_of_every_range_of_a_pgm_survives(tmp_path: Path) -> None:
    for most in (2, 7, 100, 254, 256, 1000, 1023, 4095, 65534):
        values = np.linspace(0, most, 200).astype(int)
        (tmp_path / "a.pgm").write_text(f"P2\n200 1\n{most}\n" + " ".join(map(str, values)))
        assert np.array_equal(read_volume(tmp_path / "a.pgm").array.ravel(), values), most


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", GREY, format="PNG")
    assert np.array_equal(read_volume(tmp_path / "a.jpg").array[0], GREY)
    save(tmp_path / "a.png", GREY, format="GIF")
    assert refusal(tmp_path / "a.png").startswith("no readable image, or cut off (")


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32"])
def test_numbers_of_every_type_of_tiff_are_kept(kind: str, tmp_path: Path) -> None:
    if kind == "float32":
        pixels = np.random.default_rng(0).normal(0, 1e6, (20, 30)).astype(np.float32)
    else:
        most = np.iinfo(kind)
        pixels = np.random.default_rng(0).integers(most.min, most.max, (20, 30), dtype=kind, endpoint=True)
    sitk.WriteImage(sitk.GetImageFromArray(pixels), str(tmp_path / "a.tif"))
    assert np.array_equal(read_volume(tmp_path / "a.tif").array[0], pixels)


def test_a_jpeg_whose_end_was_never_written_is_refused(tmp_path: Path) -> None:
    content = save(tmp_path / "a.jpg", GREY).read_bytes()
    for tail in (bytes(len(content) // 2), b""):
        (tmp_path / "a.jpg").write_bytes(content[: len(content) - len(tail) - 2 * (not tail)] + tail)
        assert refusal(tmp_path / "a.jpg").startswith("no readable image, or cut off (")
    (tmp_path / "a.jpg").write_bytes(content + bytes(1000))
    assert read_volume(tmp_path / "a.jpg").array.shape == (1, 40, 50)


def test_a_tiff_of_another_type_that_asks_to_be_turned_is_refused(tmp_path: Path) -> None:
    for name, pixels in (("a.tif", DEEP.astype(np.int8)), ("b.tif", np.dstack([DEEP] * 3))):
        sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=pixels.ndim == 3), str(tmp_path / name))
        content = bytearray((tmp_path / name).read_bytes())
        place = content.index(struct.pack("<HHI", 274, 3, 1))  # the tag of the orientation, which is written as 1
        struct.pack_into("<H", content, place + 8, 6)
        (tmp_path / name).write_bytes(content)
        said = "numbers that are kept only upright, and a tag that turns them; save it turned"
        assert refusal(tmp_path / name) == said


def jpeg(**options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(20, 230, (64, 80)).astype(np.uint8)).save(
        stream, "JPEG", quality=95, **options
    )
    return stream.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_damaged_within_is_refused(progressive: bool, tmp_path: Path) -> None:
    whole = jpeg(progressive=progressive)
    (tmp_path / "a.jpg").write_bytes(whole)
    assert read_picture(tmp_path / "a.jpg").remarks == ()
    half = len(whole) // 2
    for damaged in (whole[:half] + bytes(len(whole) - half - 2) + whole[-2:], whole[:half] + whole[half + 300 :]):
        (tmp_path / "a.jpg").write_bytes(damaged)
        with pytest.raises(HakkenError, match=r"damaged or cut off within its pixels \(.*\); copy the file anew"):
            read_picture(tmp_path / "a.jpg")


def test_bytes_that_a_camera_left_before_the_end_are_remarked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = jpeg()
    (tmp_path / "a.jpg").write_bytes(whole[:-2] + bytes(5) + whole[-2:])
    (remark,) = read_picture(tmp_path / "a.jpg").remarks
    assert remark.endswith(" before its end that belong to nothing: a part may be damaged")
    assert capfd.readouterr() == ("", "")


def grey_by_its_tag(path: Path, pixels: Any, **options: Any) -> Path:
    """Save colours as a TIFF that calls them grey: PhotometricInterpretation 1, as the frames of CVC-ClinicDB do."""
    save(path, pixels, **options)
    said, meant = (struct.pack("<HHIHH", 262, 3, 1, photometric, 0) for photometric in (2, 1))
    data = path.read_bytes()
    assert data.count(said) == 1
    path.write_bytes(data.replace(said, meant))
    return path


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}, {"tiffinfo": {338: (0, 0)}}])
def test_three_values_a_pixel_of_a_tiff_that_calls_itself_grey_are_colours(
    options: dict[str, Any], tmp_path: Path
) -> None:
    path = grey_by_its_tag(tmp_path / "1.tif", COLOURS, **options)
    for number, colour in enumerate(("red", "green", "blue")):
        found = read_image(path, colour)
        assert np.array_equal(found.volume.array[0], COLOURS[..., number])
        said = "calls itself grey but holds three values a pixel, which are taken as red, green and blue"
        assert found.remarks == (said,)
    assert read_geometry(path).shape_zyx == (1, 40, 50)
    assert refusal(path).startswith("3 values a pixel (colour or vectors); convert it")


def test_colours_that_call_themselves_colours_are_read_without_a_remark(tmp_path: Path) -> None:
    assert read_image(save(tmp_path / "1.tif", COLOURS), "red").remarks == ()


def test_a_sound_tiff_of_numbers_that_are_not_read_is_not_called_damaged(tmp_path: Path) -> None:
    path = save(tmp_path / "1.tif", COLOURS)
    bits = struct.pack("<HHH", 8, 8, 8)
    data = path.read_bytes()
    assert data.count(bits) == 1
    path.write_bytes(data.replace(bits, struct.pack("<HHH", 5, 6, 5)))
    said = "a TIFF of numbers that are not read; save it with one grey value or RGB a pixel, of 8 or 16 bits"
    assert refusal(path, "red") == said


def test_a_tiff_without_its_end_is_cut_off(tmp_path: Path) -> None:
    path = grey_by_its_tag(tmp_path / "1.tif", COLOURS)
    path.write_bytes(path.read_bytes()[:200])
    assert refusal(path, "red").startswith("no readable image, or cut off (")
