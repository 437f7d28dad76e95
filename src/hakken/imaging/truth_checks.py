"""What can be wrong with the truth of one case: its lesion mask or its table of lesions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.names import counted, nearest
from hakken.core.problems import Problem
from hakken.core.volume import Geometry, Points, Volume
from hakken.imaging.case_files import CaseFiles, problem_of
from hakken.imaging.fingerprint import mask_digest
from hakken.imaging.lesion_tables import read_lesion_classes, read_lesion_table
from hakken.imaging.lesions import MOST, label_lesions, measure_lesions, minimum_size, placed
from hakken.imaging.prepared import Lesion
from hakken.imaging.segmentation_objects import read_mask
from hakken.imaging.table_questions import asked_of_table, meant
from hakken.imaging.truth_questions import Asked, asked
from hakken.imaging.whole import NORMAL
from hakken.study import Cohort, Study

GRID_TOLERANCE = 0.01
VALUE_TOLERANCE = 1e-4
"""How far from a whole number the value of a mask may be that was resampled or kept as a float."""
SHOWN_VALUES = 5
LEVELS = 8  # more unknown values than this are levels of grey
WHITE = 255  # the lesion's value in a mask that was saved as a picture


@dataclass(frozen=True)
class Truth:
    """What is known of the truth of a case: its problems, and where it can be read its digest and its lesions.

    ``digest`` is that of the lesions as they are used, not of the file; None where there is none. ``findings`` is what
    another case is known by that has the same ones; None where that could be by chance. ``lesions`` is how many there
    are, excluded ones among them; None where the truth cannot be read.
    """

    problems: tuple[Problem, ...] = ()
    digest: str | None = None
    findings: str | None = None
    lesions: int | None = None


def check_truth(case: CaseFiles, study: Study, reference: Volume) -> Truth:
    """Return what is known of the truth of ``case``, whose reference channel is ``reference``."""
    if study.cohort.truth == "label":
        return Truth(tuple(_label(case, study)), lesions=int(case.label is not None))
    if study.cohort.truth == "lesion_table" and case.lesion_table is not None:
        return _of_table(case, case.lesion_table, study, reference)
    if study.cohort.truth == "lesion_mask" and case.lesion_mask is not None:
        return _of_mask(case, case.lesion_mask, study, reference)
    more = _named(case, (), None, study)[0] if study.names_classes else []
    return Truth(tuple(more), lesions=0)


def _label(case: CaseFiles, study: Study) -> Iterator[Problem]:
    """Yield a label that is no class of the study, where it names classes."""
    classes, label = study.cohort.classes, case.label or NORMAL
    if classes and label not in classes:
        reason = f"`{label}` is no class of the study{nearest(label, classes)}"
        yield Problem(case.case_id, "label", reason, f"use one of {', '.join(classes)} (`cohort.classes`)", case.row)


def truth_digest(truth: NDArray[np.int16] | tuple[Lesion, ...]) -> str | None:
    """Return the SHA-256 of labels (z, y, x) or of the lesions of a table; None where there is no lesion.

    It is that of what the truth says: the file, its type and which numbers stand for the lesions are no part of it.
    """
    if isinstance(truth, tuple):
        rows = sorted([*lesion.centre, lesion.diameter, *(lesion.extent or ())] for lesion in truth)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest() if rows else None
    boxes = ndimage.find_objects((truth > 0).astype(np.uint8))
    if not boxes:
        return None
    part = truth[boxes[0]]
    ranks = np.searchsorted(np.unique(np.append(part, 0)), part)
    where = [(side.start, side.stop) for side in boxes[0]]
    digest = hashlib.sha256(repr((truth.shape, where)).encode())
    digest.update(np.ascontiguousarray(ranks, "<i4").data)
    return digest.hexdigest()


def _of_mask(case: CaseFiles, path: Path, study: Study, reference: Volume) -> Truth:
    """Check a mask: readable, on the reference's grid, of values that the study knows, and plausible."""
    try:
        mask = placed(read_mask(path, reference.geometry, case.channels[study.reference], study.cohort), reference)
    except HakkenError as error:
        return Truth((problem_of(case, "lesion_mask", error),))
    if not mask.matches(reference, tolerance_mm=GRID_TOLERANCE * min(reference.spacing)):
        reason = f"lies on another grid than the reference channel {study.reference}: mask {mask.geometry}; "
        reason += f"{study.reference} {reference.geometry}"
        return Truth((_problem(case, reason, onto_grid(mask.geometry, reference.geometry)),))
    if wrong := _values(mask.array, study.cohort):
        return Truth((_problem(case, *wrong),))
    try:
        labels = label_lesions(mask.array, study.cohort)
        lesions = measure_lesions(labels, mask.geometry, minimum_size(study.cohort, mask.geometry))
    except HakkenError as error:
        return Truth((problem_of(case, "lesion_mask", error),))
    found = asked(labels, lesions, reference, instances=study.cohort.labels == "instances")
    problems = [_question(case, "lesion_mask", one) for one in found if one.name not in study.cohort.accept]
    digest = truth_digest(labels)
    if study.names_classes:
        more, digest = _named(case, lesions, digest, study)
        problems += more
    return Truth(tuple(problems), digest, mask_digest(Volume(labels)), len(lesions))


def _named(
    case: CaseFiles, lesions: tuple[Lesion, ...], digest: str | None, study: Study
) -> tuple[list[Problem], str | None]:
    """Return what is wrong with the classes of the lesions of a mask, and the digest of the mask with them."""
    path = case.lesion_table
    try:
        classes = {} if path is None else read_lesion_classes(path, case.case_id)
    except HakkenError as error:
        return [problem_of(case, "lesion_table", error)], digest
    named = tuple(replace(lesion, lesion_class=classes.get(lesion.lesion)) for lesion in lesions)
    if path is None:
        reason = f"is `none`, but the lesion mask holds {counted(len(lesions), 'lesion')}"
        remedy = "name a table of their numbers and classes (columns `lesion` and `class`)"
        return [Problem(case.case_id, "lesion_table", reason, remedy, case.row)] if lesions else [], digest
    problems = [*_strange(case, path, lesions, classes), *_classes(case, path, named, study)]
    told = [lesion.lesion_class for lesion in named]
    return problems, digest and hashlib.sha256(json.dumps([digest, told]).encode()).hexdigest()


def _strange(case: CaseFiles, path: Path, lesions: tuple[Lesion, ...], classes: Mapping[int, str]) -> Iterator[Problem]:
    """Yield rows of a table of classes that are of no lesion of the mask."""
    known = {lesion.lesion for lesion in lesions}
    for number in classes:
        if number not in known:
            reason = f"{path}: lesion {number} is not in the lesion mask, which holds {len(known)}"
            remedy = "number the rows as the lesions of the mask, or remove the row"
            yield Problem(case.case_id, "lesion_table", reason, remedy, case.row)


def onto_grid(mask: Geometry, grid: Geometry) -> str:
    """Return what to do about a mask on another grid: the same voxels under another header are not to be resampled."""
    if mask.shape_zyx == grid.shape_zyx:
        return (
            "it has as many voxels along each axis, so its header may have been lost: if it was drawn on this image, "
            "give it the image's header (origin, spacing, directions); else resample it by nearest neighbour"
        )
    if sorted(mask.shape_zyx) == sorted(grid.shape_zyx):
        return "its axes stand in another order or it was turned: save it as the image is stored"
    return "resample the mask onto the reference channel by nearest neighbour"


def _problem(case: CaseFiles, reason: str, remedy: str) -> Problem:
    return Problem(case.case_id, "lesion_mask", reason, remedy, case.row)


def _question(case: CaseFiles, column: str, question: Asked) -> Problem:
    remedy = f"{question.remedy}, or accept it: `cohort.accept: [{question.name}]`"
    return Problem(case.case_id, column, question.reason, remedy, case.row, question.stops)


def _values(array: NDArray[Any], cohort: Cohort) -> tuple[str, str] | None:
    """Return what is wrong with the values of a mask, and the remedy; None where the study knows them all.

    Whole numbers from 0 are known, of a binary mask 0 and 1, or 0 and 255 as pictures have it; with a threshold all.
    """
    missing = int(np.count_nonzero(~np.isfinite(array)))
    values = np.unique(array[np.isfinite(array)]).astype(float)
    if missing:
        return _unknown(["NaN or infinity"], cohort)
    if cohort.mask_threshold is not None:
        return _unreached(values, cohort.mask_threshold)
    if cohort.labels == "binary":
        known = (0, WHITE) if values[-1:] > WHITE / 2 else (0, 1)
        unknown = values[~_is_among(values, known)]
    else:
        whole = np.abs(values - np.rint(values)) <= VALUE_TOLERANCE
        unknown = values[(values < -VALUE_TOLERANCE) | (values > MOST) | ~whole]
    if not unknown.size:
        return None
    if values[0] >= 0 and (len(unknown) > LEVELS or WHITE / 2 < values[-1] <= WHITE):
        return _grey(values, unknown)
    return _unknown([_shown(value) for value in unknown[:SHOWN_VALUES].tolist()], cohort)


def _is_among(values: NDArray[np.float64], known: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.asarray((np.abs(values[:, None] - np.array(known)) <= VALUE_TOLERANCE).any(axis=1))


def _unknown(shown: list[str], cohort: Cohort) -> tuple[str, str]:
    reason = f"label values that the study does not know: {', '.join(shown)} "
    if cohort.labels == "binary":
        remedy = "write 0 and 1, or set `cohort.labels: instances` if n stands for lesion n"
        return f"{reason}(`cohort.labels: binary` knows 0 and 1)", remedy
    return f"{reason}(0 is background, n = 1, 2, ... is lesion n)", f"write whole numbers from 0 to {MOST}"


def _grey(values: NDArray[np.float64], unknown: NDArray[np.float64]) -> tuple[str, str]:
    """Say that a mask holds levels of grey, and which threshold would make two values of them."""
    half = "128" if WHITE / 2 < values[-1] <= WHITE else f"{values[-1] / 2:g}"
    shown = ", ".join(_shown(value) for value in unknown[:SHOWN_VALUES].tolist())
    shown += ", ..." if len(unknown) > SHOWN_VALUES else ""
    return (
        f"{len(values)} values from {_shown(values[0])} to {_shown(values[-1])} ({shown}): levels of grey, as "
        "smoothing and lossy pictures leave them at an edge",
        "write 0 and 1 (or 0 and n for lesion n, with `cohort.labels: instances`), or say from which value on a voxel "
        f"is lesion: `cohort: {{labels: binary, mask_threshold: {half}}}`",
    )


def _unreached(values: NDArray[np.float64], threshold: float) -> tuple[str, str] | None:
    """Return what is wrong where a mask that is not empty has no voxel that reaches the threshold."""
    if not len(values) or values[-1] >= threshold or values[-1] <= VALUE_TOLERANCE:
        return None
    reason = f"no voxel reaches `cohort.mask_threshold: {threshold:g}`; the highest is {_shown(values[-1])}"
    return reason, "lower the threshold, or write masks of one kind"


def _shown(value: float) -> str:
    """Return a value as it can be told from the whole number beside it.

    >>> _shown(0.9999), _shown(3.0), _shown(-1.5)
    ('0.9999', '3', '-1.5')
    """
    return f"{value:g}" if float(f"{value:g}") == value or abs(value - round(value)) > 1e-3 else f"{value:.9g}"


def _of_table(case: CaseFiles, path: Path, study: Study, reference: Volume) -> Truth:
    """Check a table: readable, its lesions within the image, no larger than it, and plausible."""
    grid = reference.geometry
    try:
        lesions = read_lesion_table(path, grid, case.case_id)
        minimum_size(study.cohort, grid)
    except HakkenError as error:
        return Truth((problem_of(case, "lesion_table", error),))
    outside = tuple(_places(case, path, lesions, reference))
    odd = [] if outside else [one for one in asked_of_table(lesions, reference) if one.name not in study.cohort.accept]
    problems = (
        *outside,
        *_classes(case, path, lesions, study),
        *(_question(case, "lesion_table", replace(one, reason=f"{path}: {one.reason}")) for one in odd),
    )
    digest = truth_digest(lesions)
    return Truth(problems, digest, digest, len(lesions))


def _classes(case: CaseFiles, path: Path, lesions: tuple[Lesion, ...], study: Study) -> Iterator[Problem]:
    """Yield lesions whose class is none of the study, where it tells classes apart."""
    known = study.cohort.classes
    for lesion in lesions if "classes" in study.outcomes or study.names_classes else ():
        if (name := lesion.lesion_class or "") not in known:
            said = f"is of class `{name}`, which is none of the study{nearest(name, known)}" if name else "has no class"
            remedy = f"use one of {', '.join(known)} (`cohort.classes`)"
            yield Problem(case.case_id, "lesion_table", f"{path}: lesion {lesion.lesion} {said}", remedy, case.row)


def _places(case: CaseFiles, path: Path, lesions: tuple[Lesion, ...], reference: Volume) -> Iterator[Problem]:
    grid = reference.geometry
    inside = inside_grid(grid.to_voxel([lesion.centre for lesion in lesions]), grid)
    span = float(np.linalg.norm(np.ptp(grid.corners(), axis=0)))
    unit, hint = grid.unit, "" if inside.all() else meant(lesions, reference)
    for lesion, within in zip(lesions, inside.tolist(), strict=True):
        if not within:
            place = f"{lesion.x:g}, {lesion.y:g}, {lesion.z:g} {unit}"
            remedy = f"give x, y, z in mm in the LPS convention{hint}" if unit == "mm" else "give x, y in pixels from 0"
            reason = f"{path}: lesion {lesion.lesion} lies outside the image, at {place}"
            yield Problem(case.case_id, "lesion_table", reason, remedy, case.row)
        elif lesion.diameter > span:
            reason = f"{path}: lesion {lesion.lesion} is {lesion.diameter:g} {unit} across, the image {span:g} {unit}"
            yield Problem(case.case_id, "lesion_table", reason, f"give its diameter in {unit}", case.row)


def inside_grid(places: Points, grid: Geometry) -> NDArray[np.bool_]:
    """Whether voxel indices (n, 3) z, y, x lie inside the outermost voxels, (n,)."""
    inside = (places >= -0.5) & (places <= np.asarray(grid.shape_zyx) - 0.5)
    return np.asarray(np.all(inside, axis=1))
