"""What can be wrong with the images of one case, found before anything is computed from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hakken.core.errors import HakkenError
from hakken.core.problems import Problem
from hakken.core.volume import Geometry, Volume
from hakken.imaging.case_files import CaseFiles, problem_of
from hakken.imaging.dicom_slices import PROJECTIONS
from hakken.imaging.files import read_image
from hakken.imaging.fingerprint import Fingerprint, content_digest, fingerprint
from hakken.imaging.image_questions import odd_image
from hakken.imaging.reading import Reading
from hakken.imaging.region_labels import check_region_labels
from hakken.imaging.regions import check_region
from hakken.imaging.scalar_values import check_scalars
from hakken.imaging.truth_checks import Truth, check_truth, inside_grid
from hakken.study import Study

PROBES = 12
LARGEST = 1e30
"""Numbers beyond were never measured, and their squares have no place in 32 bits."""
LEAST_HU, MOST_HU, MOST_SUV = -300.0, 32768.0, 2000.0
"""CT images hold air or at least fat; metal ends at the range of 16 bits; nothing takes up more than a full bladder."""
BELOW_AIR, PADDED = -1200.0, 0.002
"""HU that noise and streaks of metal reach in few voxels alone, and how many these are."""
MODALITIES = {
    "mr": ("MR",),
    "ct": ("CT",),
    "pet": ("PT",),
    "xray": PROJECTIONS,
    "endoscopy": ("ES", "XC", "GM", "OT"),
}
"""Terms of DICOM (PS3.3, C.7.3.1.1.1) for the modalities of a study."""


@dataclass(frozen=True)
class Examination:
    """What an examination of one case found; of its images nothing where the reference channel cannot be read.

    ``truth_digest`` is that of its lesions, None without any; ``regions_digest`` that of its regions, where the study
    names some; ``findings`` what tells whether another case has the same lesions; ``lesions`` how many there are, None
    where the truth cannot be read; ``grid`` that of the reference channel, ``identity`` what its DICOM header says of
    patient and examination.
    """

    problems: tuple[Problem, ...]
    images: Mapping[str, str] = field(default_factory=dict)
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    truth_digest: str | None = None
    regions_digest: str | None = None
    findings: str | None = None
    lesions: int | None = None
    grid: Geometry | None = None
    identity: tuple[str, str] = ("", "")


def check_case(case: CaseFiles, study: Study, truth: bool = True) -> list[Problem]:
    """Return every problem of the images of ``case``, and of its ``truth``; an empty list when all is well."""
    return list(examine_case(case, study, truth).problems)


def examine_case(case: CaseFiles, study: Study, truth: bool = True) -> Examination:
    """Read every image of ``case`` once; return all problems, and what its images and its truth are known by.

    Without ``truth`` nothing is asked about that: of a new case nobody knows it.
    """
    volumes: dict[str, Volume] = {}
    problems: list[Problem] = []
    identities: dict[str, tuple[str, str]] = {}
    for name in (one for one in study.channels if one in case.channels or one not in study.optional):
        found = _read(case, name, case.channels.get(name), study)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            volumes[name], identities[name] = found.volume, found.identity
            problems += _remarks(case, name, found)
            problems += _check_kind(case, study, name, found)
            problems += _check_pixels(case, name, found.volume)
    reference = volumes.get(study.reference)
    if reference is None:
        return Examination(tuple(problems))
    for name, volume in volumes.items():
        problems += _check_together(case, name, volume, study.reference, reference)
    told = check_truth(case, study, reference) if truth else Truth()
    unsound, organs = check_region_labels(case, study, reference) if truth else ([], None)
    images = {name: content_digest(volume) for name, volume in volumes.items()}
    prints = {} if study.of_phantom else {name: fingerprint(volume) for name, volume in volumes.items()}
    known = {name: one for name, one in prints.items() if one is not None}
    asked = (*check_scalars(case, study), *check_region(case, study, reference))
    every = (*problems, *asked, *told.problems, *unsound)
    return Examination(
        problems=every,
        images=images,
        fingerprints=known,
        truth_digest=told.digest,
        regions_digest=organs,
        findings=told.findings,
        lesions=told.lesions,
        grid=reference.geometry,
        identity=identities[study.reference],
    )


def pixel_digest(volume: Volume) -> str:
    """Return the SHA-256 of shape and pixels (as float32): equal for equal pixels, whatever file they came from."""
    with np.errstate(over="ignore"):  # said of its pixels
        pixels = np.ascontiguousarray(volume.array, "<f4")
    digest = hashlib.sha256(repr(tuple(volume.array.shape)).encode())
    digest.update(pixels.data)
    return digest.hexdigest()


def _read(case: CaseFiles, column: str, path: Path | None, study: Study) -> Reading | Problem:
    if path is None:
        return Problem(case.case_id, column, "no image", "fill in its path", case.row)
    try:
        return read_image(path, study.channels[column].colour, study.cohort.pixel_mm)
    except HakkenError as error:
        return problem_of(case, column, error)


def _remarks(case: CaseFiles, column: str, found: Reading) -> list[Problem]:
    """Return what reading an image left open, as questions."""
    remedy = "look whether this is right"
    return [Problem(case.case_id, column, one, remedy, case.row, stops=False) for one in found.remarks]


def _check_kind(case: CaseFiles, study: Study, name: str, found: Reading) -> list[Problem]:
    """Return what does not fit what the study says of a channel: its modality, the numbers of that, its place."""
    problems = []
    if study.method is not None:  # else nobody has said what the channel is
        problems += _check_modality(case, name, study.channels[name].modality, found)
    if name == study.reference and study.cohort.truth == "lesion_table" and not (found.placed or found.volume.is_flat):
        reason = "does not say where its voxels lie, so a table of lesions in mm (LPS) has no place in it"
        remedy = "export the image with its position, or give the lesions as a mask"
        problems.append(Problem(case.case_id, name, reason, remedy, case.row))
    return problems


def _check_modality(case: CaseFiles, name: str, modality: str, found: Reading) -> list[Problem]:
    terms = MODALITIES[modality]
    if found.modality and found.modality not in terms:
        reason = f"is of modality {found.modality} by its DICOM header, the study says `{modality}`"
        remedy = f"correct the file, or `channels.{name}.modality`"
        return [Problem(case.case_id, name, reason, remedy, case.row)]
    values = found.volume.array[np.isfinite(found.volume.array)]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    reason = ""
    if not values.size or low == high:
        pass  # said of its pixels
    elif modality == "ct" and (low > LEAST_HU or high > MOST_HU):
        reason = f"has values from {low:g} to {high:g}, which do not look like Hounsfield units (air has -1000)"
    elif modality == "ct" and np.count_nonzero(values < BELOW_AIR) > PADDED * values.size and not _said(found):
        reason = (
            f"has values down to {low:g}, below air (-1000), in {np.mean(values < BELOW_AIR):.1%}: padding, it seems"
        )
    elif modality == "pet" and high > MOST_SUV:
        reason = f"has values up to {high:g}, which do not look like SUV"
    remedy = "look whether an offset or a factor is missing"
    return [Problem(case.case_id, name, reason, remedy, case.row, stops=False)] if reason else []


def _said(found: Reading) -> bool:
    """Whether a remark names padding already."""
    return any("PixelPaddingValue" in remark for remark in found.remarks)


def _check_pixels(case: CaseFiles, column: str, volume: Volume) -> list[Problem]:
    """Return a problem for pixels that are no numbers, and for an image that shows nothing."""
    finite = np.isfinite(volume.array)
    bad = volume.array.size - int(np.count_nonzero(finite))
    if bad:
        reason = f"{bad} of {volume.array.size} pixels are NaN or infinite"
        return [Problem(case.case_id, column, reason, "replace them or export the image again", case.row)]
    low, high = float(volume.array.min()), float(volume.array.max())
    if max(-low, high) > LARGEST:
        reason = f"has values from {low:.3g} to {high:.3g}, beyond what images hold (32 bits)"
        return [Problem(case.case_id, column, reason, "export the image again", case.row)]
    if low == high:
        reason, remedy = f"is {low:g} everywhere", "export the image again, or remove the case"
        return [Problem(case.case_id, column, reason, remedy, case.row, stops=low == 0)]
    return list(odd_image(case, column, volume))


def _check_together(case: CaseFiles, column: str, volume: Volume, name: str, reference: Volume) -> list[Problem]:
    if volume.is_flat != reference.is_flat:
        kinds = ["one slice" if one.is_flat else "a volume" for one in (volume, reference)]
        reason = f"is {kinds[0]}, but the reference channel {name} is {kinds[1]}"
        return [Problem(case.case_id, column, reason, "give images of one kind", case.row)]
    if volume.unit != reference.unit:
        known, unknown = (name, column) if reference.unit == "mm" else (column, name)
        reason = f"how large a pixel of {unknown} is in mm is not known, that of {known} is"
        return [Problem(case.case_id, column, reason, "give the study `cohort.pixel_mm`", case.row)]
    if volume.unit == "px" and volume.array.shape != reference.array.shape:
        sizes = [f"{one.array.shape[2]} x {one.array.shape[1]}" for one in (volume, reference)]
        reason = f"has {sizes[0]} pixels, the reference channel {name} {sizes[1]}, and no size in mm says how they lie"
        remedy = "give pictures of as many pixels, or images that know the size of theirs"
        return [Problem(case.case_id, column, reason, remedy, case.row)]
    if not _overlap(volume.geometry, reference.geometry):
        reason = f"does not overlap the reference channel {name}: {volume.geometry}; {name}: {reference.geometry}"
        return [Problem(case.case_id, column, reason, "correct origin and direction in its header", case.row)]
    return []


def _overlap(one: Geometry, other: Geometry) -> bool:
    """Whether some of a lattice of points of one grid lies inside the other; one-slice images always do."""
    if one.shape_zyx[0] == 1:
        return True
    axes = [np.linspace(0, size - 1, PROBES) for size in one.shape_zyx]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    places = other.to_voxel(one.to_world(points))
    return bool(inside_grid(places, other).any())
