"""One file of a DICOM series: what its header says of geometry, pixels and the series that it belongs to.

Attributes are those of DICOM PS3.3: C.7.6.2 and C.7.6.3 (geometry, pixels), C.11.1 (rescaling), C.7.3.1 (series).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np
import pydicom
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.volume import IDENTITY
from hakken.imaging.dicom_frames import ENHANCED, flat_headers
from hakken.imaging.dicom_pixels import Stored, stored_pixels
from hakken.imaging.dicom_values import MOST_FILE, number, numbers, read_header, tag_of, text
from hakken.imaging.limits import AGAIN, cut_off, require_image_file, require_shape

PET, CT, DOSE = "PT", "CT", "RTDOSE"
PROJECTIONS = ("CR", "DX", "MG", "RF", "XA", "IO", "PX", "RG")
"""Modalities of X-rays through the whole patient, whose pixels have a size at the detector."""
MEASURED = (CT, PET, "MR", "NM")
"""Modalities whose numbers are measurements, for which dark and bright cannot change places."""
GEOMETRY = ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness"]
SPACE_AND_TIME = [
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "TriggerTime",
    "EchoNumbers",
    "EchoTime",
    "DiffusionBValue",
    "ContrastBolusStartTime",
    "FrameReferenceTime",
    "KVP",
    "ConvolutionKernel",
    "ImageType",
]
"""What tells images at one place apart: phases, echoes, weightings, frames."""
READ = [
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "ModalityLUTSequence",
    "PixelPaddingValue",
    "PatientID",
    "StudyInstanceUID",
    "InstanceNumber",
    "GantryDetectorTilt",
    "BurnedInAnnotation",
    "ConversionType",
    "LossyImageCompression",
    *GEOMETRY,
    *SPACE_AND_TIME,
]
PICTURES = {
    "LOCALIZER": "a localiser",
    "PROJECTION IMAGE": "a projection",
    "MIP": "a maximum intensity projection",
    "MINIP": "a minimum intensity projection",
    "SCREEN SAVE": "a picture of a screen",
    "VRT": "a rendering of a volume",
}
"""Values of Image Type (PS3.3, C.7.6.1.1.2, C.8.2.1.1.1; vendors' own) of what is no plain slice."""
CAPTURES = ("1.2.840.10008.5.1.4.1.1.7",)
"""Classes of images that were made from others (PS3.4, B.5): secondary captures of one frame."""
PIXELS = (b"\x7f\xe0\0\x10", b"\xe0\x7f\x10\0")
FLOATS = (b"\x7f\xe0\0\x08", b"\xe0\x7f\x08\0", b"\x7f\xe0\0\x09", b"\xe0\x7f\x09\0")
"""Tags of pixels, (7FE0,0010), and of such that are floating-point numbers, in either byte order."""
ORTHOGONAL = 1e-3


@dataclass(frozen=True)
class Slice:
    """What is needed of one file; ``position`` of its first pixel, ``spacing`` of its rows and columns in mm.

    ``owner`` is the identity of patient and examination, compared and never shown; ``padding`` the number that stands
    where nothing was measured; ``oddities`` what else the header says of the image as a whole.
    """

    path: Path
    instance: str
    series: str
    frame: str
    modality: str
    rows: int
    columns: int
    pixels: Stored
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, float]
    at_detector: bool
    thickness: float | None
    rescaled: bool
    inverted: bool
    facts: dict[str, str]
    owner: tuple[str, str]
    number: int | None
    tilt: float
    padding: float | None
    oddities: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the file, with the frame of one that holds several, counted from 1."""
        return self.path.name if self.pixels.frames == 1 else f"{self.path.name} frame {self.pixels.frame + 1}"

    @property
    def placed(self) -> bool:
        """Whether the header says where in the patient the plane lies."""
        return self.position is not None and self.orientation is not None

    @property
    def axes(self) -> tuple[float, ...]:
        """Directions of the rows and of the columns in LPS."""
        return self.orientation or IDENTITY[:6]

    @property
    def normal(self) -> NDArray[np.float64]:
        """The direction across the plane."""
        return np.cross(self.axes[:3], self.axes[3:])

    @property
    def height(self) -> float:
        """Distance in mm along the normal of the plane."""
        return float(self.normal @ np.asarray(self.position, float))


def is_dicom(path: Path) -> bool:
    """Whether a file carries the DICOM mark after its preamble of 128 bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def read_slices(path: Path) -> list[Slice] | str:
    """Return what the header of a DICOM file says of its slice, or of its frames; of no image, what it is instead.

    Raises HakkenError for what cannot be read as grey planes with pixels of a known size, and for a file that is cut
    off.
    """
    held = require_image_file(path, MOST_FILE)
    with path.open("rb") as stream:
        header = read_header(path, READ, stream)
        length = _pixel_bytes(path, stream)
        begin = stream.tell()
    if length is None or "Rows" not in header:
        return _other_object(path, header)
    _check_grey(path, header)
    rows, columns = (int(number(header, keyword, path) or 0) for keyword in ("Rows", "Columns"))
    frames = flat_headers(path, header) if header.get("SOPClassUID") in ENHANCED else [header]
    require_shape(path, (columns, rows, len(frames))[: 2 + (len(frames) > 1)])
    kept = [stored_pixels(path, one, begin, length) for one in frames]
    needed = rows * columns * kept[0].allocated // 8
    if not kept[0].is_compressed and (length < needed * len(frames) or held - begin < length):
        raise cut_off(path)
    if len(frames) > 1:
        kept = [one.of_frame(number, len(frames), needed) for number, one in enumerate(kept)]
    return [_slice(path, one, (rows, columns), pixels) for one, pixels in zip(frames, kept, strict=True)]


def _slice(path: Path, header: pydicom.Dataset, size: tuple[int, int], kept: Stored) -> Slice:
    modality = text(header, "Modality")
    spacing, at_detector = _spacing(path, header, modality)
    return Slice(
        path=path,
        instance=f"{text(header, 'SOPInstanceUID')} {kept.frame}",
        series=text(header, "SeriesInstanceUID"),
        frame=text(header, "FrameOfReferenceUID"),
        modality=modality,
        rows=size[0],
        columns=size[1],
        pixels=kept,
        position=_position(path, header),
        orientation=_orientation(path, header),
        spacing=spacing,
        at_detector=at_detector,
        thickness=_thickness(path, header),
        rescaled=_is_rescaled(path, header),
        inverted=text(header, "PhotometricInterpretation") == "MONOCHROME1",
        facts={keyword: value for keyword in SPACE_AND_TIME if (value := text(header, keyword))},
        owner=(text(header, "PatientID"), text(header, "StudyInstanceUID")),
        number=_instance_number(header),
        tilt=number(header, "GantryDetectorTilt", path) or 0.0,
        padding=_padding(path, header, kept),
        oddities=tuple(_oddities(header, modality)),
    )


def _thickness(path: Path, header: pydicom.Dataset) -> float | None:
    """Return the thickness of a slice in mm, None where it is missing or 0; raises HakkenError for one below 0."""
    found = number(header, "SliceThickness", path) or None
    if found is not None and found < 0:
        raise HakkenError(
            f"{path}: SliceThickness {tag_of('SliceThickness')} is {found:g}, below 0; correct the header"
        )
    return found


def _instance_number(header: pydicom.Dataset) -> int | None:
    found = text(header, "InstanceNumber")
    return int(found) if found.isascii() and found.isdigit() else None


def _padding(path: Path, header: pydicom.Dataset, kept: Stored) -> float | None:
    """Return the number that stands where nothing was measured, as pixels are rescaled."""
    try:
        found = number(header, "PixelPaddingValue", path)
    except HakkenError:
        return None  # nothing depends on it
    return None if found is None else found * kept.slope + kept.intercept


def _oddities(header: pydicom.Dataset, modality: str) -> Iterator[str]:
    """Yield what a header says of an image that is hardly a measured slice of a patient."""
    kinds = [kind for kind in text(header, "ImageType").strip("[]").replace("'", "").split(", ") if kind in PICTURES]
    if kinds:
        yield f"is {PICTURES[kinds[0]]} by its ImageType {tag_of('ImageType')}, {kinds[0]}"
    if header.get("SOPClassUID") in CAPTURES or text(header, "ConversionType"):
        yield f"is a secondary capture (SOPClassUID {tag_of('SOPClassUID')}): its numbers may be those of a screen"
    if text(header, "BurnedInAnnotation") == "YES":
        yield f"has text in its pixels (BurnedInAnnotation {tag_of('BurnedInAnnotation')}), which may name the patient"
    if text(header, "LossyImageCompression") == "01":
        yield f"was compressed with losses (LossyImageCompression {tag_of('LossyImageCompression')})"
    kind = text(header, "RescaleType")
    if modality == CT and kind not in ("", "HU"):
        yield f"has numbers of the kind {kind} (RescaleType {tag_of('RescaleType')}), not Hounsfield units"


def _pixel_bytes(path: Path, stream: IO[bytes]) -> int | None:
    """Return the length of the pixels that begin in ``stream``, None where none do (PS3.5, 7.1.2)."""
    tag = stream.read(4)
    if tag in FLOATS:
        raise HakkenError(f"{path}: pixels that are floating-point numbers (7FE0,0008); convert it to NIfTI")
    if tag not in PIXELS:
        return None
    order: Literal["big", "little"] = "big" if tag[0] == 0x7F else "little"
    following = stream.read(4)
    return int.from_bytes(stream.read(4) if following[:2].isalpha() else following, order)


def _other_object(path: Path, header: pydicom.Dataset) -> str:
    """Return what a DICOM object without pixels is, by its class; raises HakkenError for an image that lost them."""
    uid = header.get("SOPClassUID") or getattr(header, "file_meta", {}).get("MediaStorageSOPClassUID", "")
    name = str(getattr(uid, "name", "") or "")
    if "Image" in name or "Rows" in header:
        raise cut_off(path)
    if not uid:
        raise HakkenError(f"{path}: no readable DICOM image; {AGAIN}")
    return name.removesuffix(" Storage") if not name[0].isdigit() else "no image"


def _check_grey(path: Path, header: pydicom.Dataset) -> None:
    """Raise HakkenError for several frames, for colours, and for grey values that a table or a lamp turns around."""
    if text(header, "Modality") == DOSE:
        raise HakkenError(f"{path}: doses of a radiation therapy (RTDOSE) and no image; name the folder of the series")
    frames = number(header, "NumberOfFrames", path)
    if frames is not None and frames > 1 and header.get("SOPClassUID") not in ENHANCED:
        raise HakkenError(f"{path}: holds several frames; convert it to NIfTI, or export one file a slice")
    photometric = text(header, "PhotometricInterpretation")
    if not photometric.startswith("MONOCHROME") or (number(header, "SamplesPerPixel", path) or 1) > 1:
        raise HakkenError(f"{path}: a colour image; a channel needs one grey value a pixel")
    if photometric == "MONOCHROME1" and text(header, "Modality") in MEASURED:
        raise HakkenError(
            f"{path}: PhotometricInterpretation (0028,0004) is MONOCHROME1, dark for bright, in an image whose numbers "
            "are measurements; export the series again"
        )
    if "ModalityLUTSequence" in header and "RescaleSlope" not in header:
        raise HakkenError(f"{path}: a table (Modality LUT, 0028,3000) makes its numbers; convert it to NIfTI")


def _is_rescaled(path: Path, header: pydicom.Dataset) -> bool:
    """Whether a header says how stored values become numbers; raises HakkenError where that cannot be."""
    slope = number(header, "RescaleSlope", path)
    number(header, "RescaleIntercept", path)
    if slope == 0:
        raise HakkenError(f"{path}: RescaleSlope (0028,1053) is 0, which makes all pixels the same; correct the header")
    return slope is not None


def _spacing(path: Path, header: pydicom.Dataset, modality: str) -> tuple[tuple[float, float], bool]:
    """Return the size in mm of rows and columns, and whether it is that at the detector (projections alone)."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        found = numbers(header, keyword, path)
        if found is None or (keyword == "ImagerPixelSpacing" and modality not in PROJECTIONS):
            continue
        if len(found) != 2 or min(found) <= 0:
            shown = "\\".join(f"{value:g}" for value in found)
            raise HakkenError(f"{path}: {keyword} {tag_of(keyword)} is {shown}, not two numbers above 0; {FIX}")
        return (found[0], found[1]), keyword == "ImagerPixelSpacing"
    raise HakkenError(f"{path}: PixelSpacing (0028,0030) is missing, so sizes in mm are not known; {FIX}")


FIX = "export the series with it, or convert it to NIfTI where the size of a pixel is known"


def _position(path: Path, header: pydicom.Dataset) -> tuple[float, ...] | None:
    found = numbers(header, "ImagePositionPatient", path)
    if found is not None and len(found) != 3:
        raise HakkenError(f"{path}: ImagePositionPatient (0020,0032) holds {len(found)} numbers, not three; {FIX}")
    return found


def _orientation(path: Path, header: pydicom.Dataset) -> tuple[float, ...] | None:
    """Return the directions of rows and columns; raises HakkenError where they are not orthogonal and of length 1."""
    found = numbers(header, "ImageOrientationPatient", path)
    if found is None:
        return None
    if len(found) == 6:
        along, down = np.array(found[:3]), np.array(found[3:])
        lengths = [math.hypot(*along), math.hypot(*down)]
        if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(float(along @ down))) <= ORTHOGONAL:
            return found
    shown = "\\".join(f"{value:g}" for value in found)
    raise HakkenError(
        f"{path}: ImageOrientationPatient (0020,0037) is {shown}, not two orthogonal directions of length 1; {FIX}"
    )
