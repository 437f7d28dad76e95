"""A head made of ellipsoids, small studies, and DICOM series to take apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.volume import Geometry, Volume
from hakken.study import Study
from hakken.study.reading import parse_study

TILT = (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6)  # orthonormal, exact in decimals


@dataclass(frozen=True)
class Head:
    """Two contrasts of one head, and where the brain is."""

    fixed: Volume
    moving: Volume
    brain: NDArray[np.bool_]


@pytest.fixture(scope="session")
def head() -> Head:
    """A head of 3 mm voxels with scalp, skull, grey and white matter, ventricles and one bright lesion."""
    geometry = Geometry((44, 56, 46), (3.0, 3.0, 3.0), (-69.0, -84.0, -66.0))
    points = geometry.to_world(np.indices(geometry.shape_zyx).reshape(3, -1).T).reshape(*geometry.shape_zyx, 3)

    def ball(centre: tuple[float, ...], radii: tuple[float, ...]) -> NDArray[np.bool_]:
        return np.asarray((((points - centre) / radii) ** 2).sum(axis=-1) < 1)

    first, second = np.zeros((2, *geometry.shape_zyx), np.float32)
    brain = ball((0, 0, 0), (48, 62, 46))
    for region, one, other in [
        (ball((0, 0, 0), (64, 78, 62)), 900, 700),  # scalp
        (ball((0, 0, 0), (58, 72, 56)), 60, 40),  # skull
        (brain, 500, 800),  # grey matter
        (ball((14, 8, 6), (22, 40, 26)), 700, 500),  # white matter
        (ball((-18, -4, 2), (18, 38, 22)), 700, 500),
        (ball((8, 0, 4), (6, 22, 12)), 150, 1000),  # ventricles
        (ball((-9, 4, 2), (5, 18, 10)), 150, 1000),
        (ball((-25, -30, 15), (6, 6, 6)), 1100, 650),  # lesion
    ]:
        first[region], second[region] = one, other
    noise = np.random.default_rng(7).normal(0, 12, (2, *geometry.shape_zyx))
    blurred = [ndimage.gaussian_filter(values, 0.7) for values in (first, second)]
    fixed, moving = (np.abs(values + extra).astype(np.float32) for values, extra in zip(blurred, noise, strict=True))
    return Head(Volume.on(geometry, fixed), Volume.on(geometry, moving), brain)


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Study]:
    """Return studies with the given sections changed."""

    def make(**changes: Any) -> Study:
        content: dict[str, Any] = {
            "name": "small",
            "title": "Small",
            "seed": 1,
            "method": "patch_classifier",
            "cohort": {"table": "cases.csv"},
            "channels": {"A": {"modality": "mr"}, "B": {"modality": "mr"}},
            "reference": "A",
            "preparation": {"spacing_mm": [2, 2, 2], "mask": "nonzero", "margin_mm": 4},
            "search": {"space": {}},
        }
        return parse_study(content | changes)

    return make


@pytest.fixture
def write_dicom() -> Callable[..., Path]:
    """Return a function that writes one DICOM slice with planted personal data."""
    return write_slice


def write_slice(path: Path, pixels: NDArray[np.integer[Any]], **tags: Any) -> Path:
    """Write one CT slice; ``tags`` replace or (None) remove DICOM attributes by keyword."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    values: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": "1.2.3.4",
        "Modality": "CT",
        "PatientName": "Geheim^Gertrud",
        "PatientID": "ID-4711-GEHEIM",
        "PatientBirthDate": "19470813",
        "PatientAddress": "Verstecktestrasse 12",
        "InstitutionName": "Klinik Unbekannt",
        "StudyDescription": "Kopf Geheim",
        "ImagePositionPatient": [0.0, 0.0, 0.0],
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "PixelSpacing": [1.0, 1.0],
        "SliceThickness": 2.0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "RescaleSlope": 1.0,
        "RescaleIntercept": 0.0,
        "PixelData": pixels.astype("<i2").tobytes(),
    }
    for keyword, value in (values | tags).items():
        if value is not None:
            setattr(data, keyword, value)
    data.save_as(path, enforce_file_format=True)
    return path
