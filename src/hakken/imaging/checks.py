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
from hakken.imaging.files import read_volume
from hakken.imaging.fingerprint import Fingerprint, content_digest, fingerprint
from hakken.imaging.regions import check_region
from hakken.imaging.truth_checks import check_truth, inside_grid
from hakken.study import Study

PROBES = 12


@dataclass(frozen=True)
class Examination:
    """What an examination of one case found; ``pixel_digest`` is None where the reference channel cannot be read.

    ``truth_digest`` is that of its lesions, None without any; ``lesions`` how many there are, None where the truth
    cannot be read.
    """

    problems: tuple[Problem, ...]
    pixel_digest: str | None
    images: Mapping[str, str] = field(default_factory=dict)
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    truth_digest: str | None = None
    lesions: int | None = None


def check_case(case: CaseFiles, study: Study) -> list[Problem]:
    """Return every problem of the images of ``case``; an empty list when all is well."""
    return list(examine_case(case, study).problems)


def examine_case(case: CaseFiles, study: Study) -> Examination:
    """Read every image of ``case`` once; return all problems and the digest of the reference channel's pixels."""
    volumes: dict[str, Volume] = {}
    problems: list[Problem] = []
    for name in study.channels:
        found = _read(case, name, case.channels.get(name), study)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            volumes[name] = found
            problems += _check_pixels(case, name, found)
    reference = volumes.get(study.reference)
    if reference is None:
        return Examination(tuple(problems), None)
    for name, volume in volumes.items():
        problems += _check_together(case, name, volume, study.reference, reference)
    truth = check_truth(case, study, reference)
    images = {name: content_digest(volume) for name, volume in volumes.items()}
    prints = {} if study.of_phantom else {name: fingerprint(volume) for name, volume in volumes.items()}
    known = {name: one for name, one in prints.items() if one is not None}
    every = (*problems, *check_region(case, study, reference), *truth.problems)
    return Examination(every, pixel_digest(reference), images, known, truth.digest, truth.lesions)


def pixel_digest(volume: Volume) -> str:
    """Return the SHA-256 of shape and pixels (as float32): equal for equal pixels, whatever file they came from."""
    pixels = np.ascontiguousarray(volume.array, "<f4")
    digest = hashlib.sha256(repr(tuple(volume.array.shape)).encode())
    digest.update(pixels.data)
    return digest.hexdigest()


def _read(case: CaseFiles, column: str, path: Path | None, study: Study) -> Volume | Problem:
    if path is None:
        return Problem(case.case_id, column, "no image", "fill in its path", case.row)
    try:
        return read_volume(path, study.channels[column].colour, study.cohort.pixel_mm)
    except HakkenError as error:
        return problem_of(case, column, error)


def _check_pixels(case: CaseFiles, column: str, volume: Volume) -> list[Problem]:
    bad = volume.array.size - int(np.count_nonzero(np.isfinite(volume.array)))
    if bad == 0:
        return []
    reason = f"{bad} of {volume.array.size} pixels are NaN or infinite"
    return [Problem(case.case_id, column, reason, "replace them or export the image again", case.row)]


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
