"""Files of many frames (enhanced CT and MR): of each frame a header as that of a file of one slice.

What such a file says of all frames stands in functional groups that are shared, what it says of one in those of the
frame (DICOM PS3.3, C.7.6.16). Enhanced PET is not among them: what an SUV is made of stands elsewhere there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from hakken.core.errors import HakkenError
from hakken.imaging.dicom_values import number

ENHANCED = (
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4",
)
"""Enhanced CT, legacy converted enhanced CT, and the same of MR (PS3.4, B.5)."""
SHARED, OWN = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
TAKEN = {
    **{name: name for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")},
    **{name: name for name in ("RescaleSlope", "RescaleIntercept", "RescaleType", "KVP", "ConvolutionKernel")},
    **{name: name for name in ("DiffusionBValue", "GantryDetectorTilt")},
    "EffectiveEchoTime": "EchoTime",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "FrameType": "ImageType",
}
"""Attributes of functional groups, and what they are called in a file of one slice."""
MOST_FRAMES = 5000


def flat_headers(path: Path, header: Dataset) -> list[Dataset]:
    """Return a header for each frame; raises HakkenError where frames and their groups are not equally many."""
    count = int(number(header, "NumberOfFrames", path) or 1)
    shared, own = header.get(SHARED) or [Dataset()], header.get(OWN) or []
    if len(own) != count or not 0 < count <= MOST_FRAMES:
        raise HakkenError(
            f"{path}: {count} frames (NumberOfFrames (0028,0008)) and {len(own)} descriptions of such (5200,9230), of "
            f"{MOST_FRAMES:,} at most; export the image again"
        )
    return [_flat(header, (shared[0], groups)) for groups in own]


def _flat(header: Dataset, groups: tuple[Dataset, Dataset]) -> Dataset:
    """Return the header of one frame: that of the file, with what the groups say of the frame."""
    flat = Dataset()
    for element in header:
        if element.keyword not in (SHARED, OWN, "InstanceNumber"):
            flat.add(element)
    flat.file_meta = header.file_meta
    for group in groups:
        for sequence in group:
            for element in sequence.value[0] if sequence.VR == "SQ" and sequence.value else ():
                if element.keyword in TAKEN:
                    setattr(flat, TAKEN[element.keyword], _plain(element.value))
    return flat


def _plain(value: Any) -> Any:
    """Return a value as it may stand under another attribute."""
    return list(value) if isinstance(value, pydicom.multival.MultiValue) else value
