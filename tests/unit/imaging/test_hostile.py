"""Files that were made, or broken, to hang a reader or to take all memory: refused in words, in seconds, in little room.

Whatever the file, nothing but HakkenError leaves the reading, its message names the file, and nothing is written to the
terminal by a library.
"""

# ruff: noqa: E501 - one file a line

from __future__ import annotations

import gzip
import io
import os
import resource
import signal
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image

from hakken.core.errors import HakkenError
from hakken.imaging.files import KNOWN, read_image

from .conftest import write_slice

SECONDS = 8
ROOM = 1 << 30
"""Bytes that reading a small hostile file may take beyond what the process has."""
ZEROS = gzip.compress(bytes(1 << 24), 9)
"""16 MiB of zeros in 16 KiB; many of them in a row are one gzip file."""
SOFTWARE = b"Software\0"
Make = Callable[[Path], Path]


def timed_out(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


@pytest.fixture
def bounded() -> Iterator[None]:
    """No test hangs, and none takes all memory of the machine."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, timed_out)
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, handler)


def nifti(sizes: tuple[int, ...], data: bytes, kind: int = 2, **fields: Any) -> bytes:
    """A NIfTI file whose header promises so many voxels, and what stands behind it."""
    header = nib.Nifti1Header()
    header["dim"] = [len(sizes), *sizes, *[1] * (7 - len(sizes))]
    header["pixdim"] = 1
    header["datatype"], header["vox_offset"], header["magic"] = kind, 352, b"n+1"
    for name, value in fields.items():
        header[name] = value
    return bytes(header.binaryblock) + bytes(4) + data


def png(columns: int, rows: int, *chunks: tuple[bytes, bytes], bits: int = 8) -> bytes:
    """A PNG of grey pixels that promises so many, and its further chunks."""
    head = (b"IHDR", struct.pack(">IIBBBBB", columns, rows, bits, 0, 0, 0, 0))
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in (head, *chunks, (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A TIFF of one directory; each entry is tag, type, count and value."""
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following)


def shape(columns: int, rows: int) -> list[tuple[int, int, int, int]]:
    return [(256, 4, 1, columns), (257, 4, 1, rows), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]


def jpeg(columns: int, rows: int) -> bytes:
    """A JPEG that promises so many pixels and ends soon."""
    frame = struct.pack(">HBHHBBBB", 11, 8, rows, columns, 1, 1, 0x11, 0)
    return b"\xff\xd8\xff\xc0" + frame + b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 0, 63, 0) + bytes(20)


def meta(data: bytes = b"12345678", **fields: str) -> bytes:
    """A MetaImage of 2 x 2 x 2 bytes with changed fields."""
    known = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "DimSize": "2 2 2",
        "ElementSpacing": "1 1 1",
        "ElementType": "MET_UCHAR",
    }
    last = {"ElementDataFile": fields.pop("ElementDataFile", "LOCAL")}
    return b"".join(f"{name} = {value}\n".encode() for name, value in (known | fields | last).items()) + data


def dicom(**tags: Any) -> bytes:
    """A CT slice with changed attributes."""
    with TemporaryDirectory() as folder:
        return bytes(write_slice(Path(folder) / "a.dcm", np.zeros((3, 4), np.int16), **tags).read_bytes())


def nested(depth: int) -> bytes:
    """A DICOM file of sequences in sequences without a length."""
    begin = b"\x08\0\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    content = dicom()
    place = content.index(b"\x08\0\x16\0UI")
    return content[:place] + begin * depth


def deflated() -> bytes:
    """A DICOM file that is deflated as a whole and grows a thousandfold."""
    content = bytearray(dicom())
    syntax = b"1.2.840.10008.1.2.1\0"
    place = content.index(syntax)
    length = struct.unpack_from("<I", content, 140)[0]
    content[place : place + len(syntax)] = b"1.2.840.10008.1.2.1.99"
    struct.pack_into("<H", content, place - 2, 22)
    struct.pack_into("<I", content, 140, length + 2)
    squeeze = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(squeeze.compress(bytes(1 << 24)) for _ in range(256)) + squeeze.flush()
    return bytes(content[: 144 + length + 2]) + bomb


def jpeg_2000(folder: Path) -> Path:
    """A real slice in JPEG 2000 whose stream promises 60,000 x 60,000 pixels."""
    content = bytearray((Path(pydicom.__file__).parent / "data/test_files/MR_small_jp2klossless.dcm").read_bytes())
    place = content.index(b"\xff\x4f\xff\x51") + 8
    for offset in (0, 4, 16, 20):
        struct.pack_into(">I", content, place + offset, 60_000)
    return written("a.dcm", bytes(content))(folder)


def written(name: str, content: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def special(name: str, kind: str) -> Make:
    """What is no file at all, under the name of one."""

    def make(folder: Path) -> Path:
        path = folder / name
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            os.chdir(folder)  # the names of sockets are short
            socket.socket(socket.AF_UNIX).bind(name)
        elif kind == "folder":
            path.mkdir()
        elif kind == "loop":
            path.symlink_to(name)
        elif kind == "sparse":
            with path.open("wb") as stream:
                stream.truncate(1 << 40)
        else:
            path.symlink_to("/dev/zero")
        return path

    return make


def pipe_among_slices(folder: Path) -> Path:
    (folder / "a").write_bytes(dicom())
    os.mkfifo(folder / "b")
    (folder / "c").symlink_to("c")
    (folder / "d").symlink_to("/dev/zero")
    return folder


def outside(folder: Path) -> Path:
    (folder / "secret.raw").write_bytes(b"12345678")
    (folder / "in").mkdir()
    return written("in/a.mhd", meta(b"", ElementDataFile="../secret.raw"))(folder)


def pair_with_pipe(folder: Path) -> Path:
    header = bytearray(nifti((4, 5, 6), b"", vox_offset=0, magic=b"ni1"))
    os.mkfifo(folder / "a.img")
    return written("a.hdr", bytes(header[:348]))(folder)


def beside(folder: Path, name: str, kind: str) -> Path:
    special(name, kind)(folder)
    return written("a.mhd", meta(b"", ElementDataFile=name))(folder)


PAGES = (
    b"II*\0"
    + struct.pack("<I", 8)
    + b"".join(struct.pack("<H", 0) + struct.pack("<I", 8 + 6 * (number + 1)) for number in range(200_000))
)
PROMISES = "cut off or damaged while copying; copy the file anew from its source"
TOO_MANY = "more than the 100,000,000 of a plane"
HOSTILE: list[tuple[str, Make, str]] = [
    ("a bomb behind a small image", written("a.nii.gz", gzip.compress(nifti((4, 5, 6), bytes(120))) + ZEROS * 1000), "holds more slices than its header promises"),
    ("a bomb in the header's extensions", written("a.nii.gz", gzip.compress(nifti((4, 5, 6), b"", vox_offset=2e9)) + ZEROS * 200), "pixels start at byte 2e+09"),
    ("30,000 squared", written("a.nii.gz", gzip.compress(nifti((30_000, 30_000), b"")) + ZEROS * 60), TOO_MANY),
    ("every dimension at its most", written("a.nii", nifti((32_767, 32_767, 32_767), b"")), TOO_MANY),
    ("a thousand gigabytes", written("a.nii.gz", gzip.compress(nifti((10_000, 10_000, 10_000), b"", 64))), "536,870,912 of a volume"),
    ("gigabytes in 400 bytes", written("a.nii", nifti((512, 512, 2000), b"", 64)), PROMISES),
    ("gigabytes in a kilobyte of gzip", written("a.nii.gz", gzip.compress(nifti((512, 512, 2000), bytes(1000), 64))), PROMISES),
    ("gzip in gzip", written("a.nii.gz", gzip.compress(gzip.compress(nifti((4, 5, 6), bytes(120))))), PROMISES),
    ("a zip that is called gzip", written("a.nii.gz", b"PK\x03\x04" + bytes(500)), "no NIfTI image; copy the file anew"),
    ("a web page that is called NIfTI", written("a.nii.gz", b"<!DOCTYPE html>" + b" " * 500), "no NIfTI image"),
    ("more than a terabyte of nothing", special("a.nii", "sparse"), "1,024.0 GiB, more than the 4.0 GiB"),
    ("a pair whose pixels are a pipe", pair_with_pipe, "a pipe and no file"),
    ("30,000 squared in PNG", written("a.png", png(30_000, 30_000, (b"IDAT", zlib.compress(bytes(1 << 20), 9)))), TOO_MANY),
    ("2^31 columns in PNG", written("a.png", png(2**31 - 1, 1)), TOO_MANY),
    ("PNG without pixels", written("a.png", png(50, 50)), "no readable image, or cut off"),
    ("PNG of no columns", written("a.png", png(0, 50, (b"IDAT", zlib.compress(b"")))), "no readable image, or cut off"),
    ("a text in PNG that grows", written("a.png", png(5, 5, (b"zTXt", SOFTWARE + b"\0" + zlib.compress(bytes(1 << 28), 9)), (b"IDAT", zlib.compress(bytes(30))))), "no readable image, or cut off"),
    ("a profile in PNG that grows", written("a.png", png(5, 5, (b"iCCP", SOFTWARE + b"\0" + zlib.compress(bytes(1 << 28), 9)), (b"IDAT", zlib.compress(bytes(30))))), ""),
    ("PNG of too many bits", written("a.png", png(5, 5, (b"IDAT", zlib.compress(bytes(30))), bits=77)), "no readable image"),
    ("JPEG of 65,000 squared", written("a.jpg", jpeg(65_000, 65_000)), TOO_MANY),
    ("JPEG that ends", written("a.jpg", jpeg(50, 50)), "no readable image, or cut off"),
    ("TIFF of 60,000 squared", written("a.tif", tiff(*shape(60_000, 60_000), (273, 4, 1, 8), (279, 4, 1, 99))), TOO_MANY),
    ("TIFF without pixels", written("a.tif", tiff(*shape(50, 50))), "no readable image, or cut off"),
    ("TIFF whose pages are a circle", written("a.tif", tiff(*shape(50, 50), (273, 4, 1, 0), (279, 4, 1, 2500), following=8)), ""),
    ("TIFF of 200,000 pages", written("a.tif", PAGES), "no readable image, or cut off"),
    ("TIFF with a directory beyond its end", written("a.tif", b"II*\0" + struct.pack("<I", 1 << 31)), "no readable image"),
    ("TIFF with a tag of gigabytes", written("a.tif", tiff(*shape(50, 50), (270, 2, 1 << 31, 0))), "no readable image"),
    ("BMP of 60,000 squared", written("a.bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 8, 0, 0, 1, 1, 0, 0)), TOO_MANY),
    ("PGM of 99,999 squared", written("a.pgm", b"P5\n99999 99999\n255\n"), TOO_MANY),
    ("PGM of a number without end", written("a.pgm", b"P5\n" + b"9" * 3_000_000), "no readable image"),
    ("PGM of a comment without end", written("a.pgm", b"P5\n#" + b"x" * 3_000_000), "no readable image"),
    ("MetaImage of 10^12 voxels", written("a.mha", meta(DimSize="10000 10000 10000")), "536,870,912 of a volume"),
    ("MetaImage of more digits than a number has", written("a.mha", meta(DimSize="9" * 400 + " 1 1")), "DimSize of its header is"),
    ("MetaImage of 900 dimensions", written("a.mha", meta(NDims="900")), "NDims and DimSize of its header do not fit"),
    ("MetaImage that names another folder's file", outside, "its header names `../secret.raw` for its pixels"),
    ("MetaImage that names a file of the system", written("a.mhd", meta(b"", ElementDataFile="/etc/passwd")), "its header names `/etc/passwd`"),
    ("MetaImage that names a device", lambda folder: beside(folder, "x", "device"), "x: a device and no file"),
    ("MetaImage that names a pipe", lambda folder: beside(folder, "x", "pipe"), "x: a pipe and no file"),
    ("MetaImage that names itself", written("a.mhd", meta(b"", ElementDataFile="a.mhd", DimSize="200 200 200")), PROMISES),
    ("MetaImage of many files", written("a.mhd", meta(b"", ElementDataFile="LIST")), "its pixels stand in several files"),
    ("MetaImage of a pattern of files", written("a.mhd", meta(b"", ElementDataFile="%09999999d.raw 1 999999999 1")), "its pixels stand in several files"),
    ("MetaImage of numbers in text", written("a.mha", meta(BinaryData="False")), "pixels written as text"),
    ("MetaImage that grows", written("a.mha", meta(zlib.compress(bytes(1 << 24), 9), CompressedData="True", CompressedDataSize="99999")), ""),
    ("MetaImage that promises to grow", written("a.mha", meta(b"x" * 100, CompressedData="True", DimSize="500 500 2000")), PROMISES),
    ("MetaImage without an end of its header", written("a.mha", b"ObjectType = Image\n" + b"".join(b"K%d = 1\n" % n for n in range(300_000))), "no readable image (no ElementDataFile"),
    ("MetaImage with a spacing that is no number", written("a.mha", meta(ElementSpacing="1 nan 1")), "1 x nan x 1 mm: every size must be a number"),
    ("MetaImage with a spacing of nothing", written("a.mha", meta(ElementSpacing="1 1 0")), "1 x 1 x 0 mm: every size must be a number above 0"),
    ("MetaImage without a spacing", written("a.mha", meta().replace(b"ElementSpacing", b"Else")), "does not say how large its voxels are"),
    ("DICOM of 65,535 squared", written("a.dcm", dicom(Rows=65_535, Columns=65_535)), TOO_MANY),
    ("DICOM of 10^9 frames", written("a.dcm", dicom(NumberOfFrames=10**9)), "holds several frames"),
    ("DICOM of sequences in sequences", written("a.dcm", nested(20_000)), "no readable DICOM image"),
    ("DICOM that is a preamble", written("a.dcm", bytes(128) + b"DICM"), "no readable DICOM image"),
    ("DICOM that grows", written("a.dcm", deflated()), "compressed as a whole"),
    ("DICOM whose JPEG 2000 promises more", jpeg_2000, "its pixels cannot be read (JPEG 2000 Image Compression (Lossless Only)); export it again"),
    ("a terabyte that is called DICOM", special("a.dcm", "sparse"), "1,024.0 GiB, more than the 512 MiB"),
    ("a pipe, a loop and a device among slices", pipe_among_slices, ""),
    *[(f"{kind} called {name}", special(name, kind), said)
      for name in ("a.nii.gz", "a.png", "a.mha", "a.dcm")
      for kind, said in (("pipe", "a pipe and no file"), ("device", "a device and no file"), ("socket", "a socket and no file"), ("folder", "a folder without DICOM files"), ("loop", "Too many levels of symbolic links"))],
]  # fmt: skip


@pytest.mark.parametrize(("make", "said"), [pytest.param(make, said, id=name) for name, make, said in HOSTILE])
@pytest.mark.usefixtures("bounded")
def test_hostile_files_are_refused_in_words(
    make: Make, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path)
    capfd.readouterr()
    begun = time.monotonic()
    try:
        read_image(path)
    except HakkenError as error:
        message = str(error)
        assert said in message
        assert message.startswith(f"{tmp_path}")
        assert "MemoryError" not in message
        assert "Timeout" not in message
    else:
        assert said == "", "it was to be refused"
    assert time.monotonic() - begun < SECONDS / 2
    assert capfd.readouterr() == ("", "")


def test_a_folder_of_more_files_than_a_series_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hakken.imaging.dicom.MOST_FILES", 5)
    for number in range(6):
        (tmp_path / f"{number}").touch()
    with pytest.raises(HakkenError, match=r": 6 files, more than the 5 that are read; name the folder of one series"):
        read_image(tmp_path)


@pytest.mark.parametrize("ending", KNOWN)
@pytest.mark.parametrize("content", [b"", b"\0", b"x", bytes(5000), b"hello, image\n" * 100, bytes(range(256)) * 40])
@pytest.mark.usefixtures("bounded")
def test_what_holds_no_image_is_refused(
    ending: str, content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(f"a{ending}", content)(tmp_path)
    with pytest.raises(HakkenError, match=r"a[.]"):
        read_image(path)
    assert capfd.readouterr() == ("", "")


def examples() -> dict[str, bytes]:
    """One good file of every kind."""
    grey = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint8))
    found = {}
    for ending, kind in ((".png", "PNG"), (".jpg", "JPEG"), (".tif", "TIFF"), (".bmp", "BMP"), (".pgm", "PPM")):
        stream = io.BytesIO()
        grey.save(stream, kind)
        found[ending] = stream.getvalue()
    plain = nifti((5, 6, 7), np.random.default_rng(0).integers(0, 256, 210).astype(np.uint8).tobytes())
    return found | {".nii": plain, ".nii.gz": gzip.compress(plain), ".mha": meta(), ".dcm": dicom()}


@pytest.mark.parametrize("ending", list(examples()))
def test_a_file_that_ends_early_is_refused_wherever_it_ends(
    ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = examples()[ending]
    whole = read_image(written(f"whole{ending}", content)(tmp_path)).volume.array
    for length in {*np.linspace(0, len(content) - 1, 40).astype(int).tolist(), len(content) - 1}:
        path = written(f"a{ending}", content[:length])(tmp_path)
        try:
            found = read_image(path).volume.array
        except HakkenError:
            continue
        assert np.array_equal(found, whole), f"{length} of {len(content)} bytes are read as another image"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", list(examples()))
@pytest.mark.usefixtures("bounded")
def test_a_changed_byte_never_ends_in_anything_but_words(
    ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = examples()[ending]
    draw = np.random.default_rng(0)
    for _ in range(60):
        changed = bytearray(content)
        for place in draw.integers(0, min(len(content), 1500), 3).tolist():
            changed[place] = int(draw.integers(0, 256))
        try:
            read_image(written(f"a{ending}", bytes(changed))(tmp_path))
        except HakkenError as error:
            assert "MemoryError" not in str(error)
    assert capfd.readouterr() == ("", "")
