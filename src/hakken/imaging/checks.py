"""What can be wrong with the images of one case, found before anything is computed from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.problems import Problem
from hakken.core.volume import Geometry, Points, Volume
from hakken.imaging.files import read_volume
from hakken.imaging.lattice import onto_lattice
from hakken.imaging.lesions import read_lesion_table
from hakken.study import Study

PROBES = 12
SHOWN_VALUES = 5
WHITE = 255  # the lesion's value in a mask that was saved as a picture


class CaseFiles(Protocol):
    """What is asked of a case: its id, its files and the row of the case table that it stands in."""

    @property
    def case_id(self) -> str:
        """Name of the case."""
        ...

    @property
    def channels(self) -> Mapping[str, Path]:
        """Image of each channel."""
        ...

    @property
    def lesion_mask(self) -> Path | None:
        """Mask of the lesions."""
        ...

    @property
    def lesion_table(self) -> Path | None:
        """Table of the lesions."""
        ...

    @property
    def row(self) -> int | None:
        """Line of the case table, its heading being line 1."""
        ...


@dataclass(frozen=True)
class Examination:
    """What an examination of one case found; ``pixel_digest`` is None where the reference channel cannot be read."""

    problems: tuple[Problem, ...]
    pixel_digest: str | None


def check_case(case: CaseFiles, study: Study) -> list[Problem]:
    """Return every problem of the images of ``case``; an empty list when all is well."""
    return list(examine_case(case, study).problems)


def examine_case(case: CaseFiles, study: Study) -> Examination:
    """Read every image of ``case`` once; return all problems and the digest of the reference channel's pixels."""
    volumes: dict[str, Volume] = {}
    problems: list[Problem] = []
    for name in study.channels:
        found = _read(case, name, case.channels.get(name), study.channels[name].colour)
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
    problems += _check_truth(case, study, reference)
    return Examination(tuple(problems), pixel_digest(reference))


def pixel_digest(volume: Volume) -> str:
    """Return the SHA-256 of shape and pixels (as float32): equal for equal pixels, whatever file they came from."""
    pixels = np.ascontiguousarray(volume.array, "<f4")
    digest = hashlib.sha256(repr(tuple(volume.array.shape)).encode())
    digest.update(pixels.data)
    return digest.hexdigest()


def _read(case: CaseFiles, column: str, path: Path | None, colour: str | None = None) -> Volume | Problem:
    if path is None:
        return Problem(case.case_id, column, "no image", "fill in its path", case.row)
    try:
        return read_volume(path, colour)
    except HakkenError as error:
        return _problem(case, column, error)


def _problem(case: CaseFiles, column: str, error: HakkenError) -> Problem:
    """Turn an error "what: reason; remedy" into a problem of ``case``."""
    reason, _, remedy = str(error).rpartition("; ")
    return Problem(case.case_id, column, reason or remedy, remedy if reason else "correct the file", case.row)


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
    return bool(_within(places, other).any())


def _within(places: Points, grid: Geometry) -> NDArray[np.bool_]:
    """Whether voxel indices (n, 3) z, y, x lie inside the outermost voxels, (n,)."""
    inside = (places >= -0.5) & (places <= np.asarray(grid.shape_zyx) - 0.5)
    return np.asarray(np.all(inside, axis=1))


def _check_truth(case: CaseFiles, study: Study, reference: Volume) -> list[Problem]:
    if study.cohort.truth == "lesion_table":
        return [] if case.lesion_table is None else _check_lesion_table(case, case.lesion_table, reference.geometry)
    if case.lesion_mask is None:
        return []
    mask = _read(case, "lesion_mask", case.lesion_mask)
    if isinstance(mask, Problem):
        return [mask]
    if onto_lattice(mask, reference.geometry) is None:
        reason = f"lies on another grid than the reference channel {study.reference}: mask {mask.geometry}; "
        reason += f"{study.reference} {reference.geometry}"
        remedy = "resample the mask onto the reference channel by nearest neighbour"
        return [Problem(case.case_id, "lesion_mask", reason, remedy, case.row)]
    return _check_values(case, study, mask)


def _check_values(case: CaseFiles, study: Study, mask: Volume) -> list[Problem]:
    """Lesion masks hold whole numbers from 0; binary ones hold 0 and 1, or 0 and 255 as pictures do."""
    values = np.unique(mask.array[np.isfinite(mask.array)]).astype(float)
    if study.cohort.labels == "binary":
        unknown = values[~np.isin(values, (0, WHITE) if 1 not in values else (0, 1))]
    else:
        unknown = values[(values < 0) | (values > np.iinfo(np.int16).max) | (values != np.rint(values))]
    missing = int(np.count_nonzero(~np.isfinite(mask.array)))
    if unknown.size == 0 and missing == 0:
        return []
    shown = ", ".join([f"{value:g}" for value in unknown[:SHOWN_VALUES]] + (["NaN or infinity"] if missing else []))
    if study.cohort.labels == "binary":
        reason = f"label values that the study does not know: {shown} (`cohort.labels: binary` knows 0 and 1)"
        remedy = "write 0 and 1, or set `cohort.labels: instances` if n stands for lesion n"
    else:
        reason = f"label values that the study does not know: {shown} (0 is background, n = 1, 2, ... is lesion n)"
        remedy = "write whole numbers from 0"
    return [Problem(case.case_id, "lesion_mask", reason, remedy, case.row)]


def _check_lesion_table(case: CaseFiles, path: Path, reference: Geometry) -> list[Problem]:
    try:
        lesions = read_lesion_table(path)
    except HakkenError as error:
        return [_problem(case, "lesion_table", error)]
    places = reference.to_voxel([lesion.centre for lesion in lesions])
    inside = _within(places, reference)
    return [
        Problem(
            case.case_id,
            "lesion_table",
            f"{path}: lesion {lesion.lesion} lies outside the image, at {lesion.x:g}, {lesion.y:g}, {lesion.z:g} mm",
            "give x, y, z in mm in the LPS convention",
            case.row,
        )
        for lesion, within in zip(lesions, inside.tolist(), strict=True)
        if not within
    ]
