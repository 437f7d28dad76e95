"""Prepare: put every channel of a batch of cases on one grid, normalised inside one mask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hakken.cohort.checked import read_checked, require_checked
from hakken.cohort.table import Case, read_table
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.volume import Volume
from hakken.imaging.files import read_volume
from hakken.imaging.lesions import read_lesion_table
from hakken.imaging.preparation import Prepared, prepare_case
from hakken.imaging.prepared import Lesion, save_prepared
from hakken.stages import stage
from hakken.study import Study


@stage
def prepare(*, study: Study, table: Path, cases: list[str], checked: Path, registered: Path, output: Path) -> None:
    """Write the prepared ``cases`` into the folder ``output``, through the transforms in the folder ``registered``.

    Raises HakkenError where a file is not the one that was ``checked``.
    """
    output.mkdir(parents=True, exist_ok=True)
    known = read_checked([checked])
    for number, case in enumerate(read_table(table, study, files_exist=False).select(cases), start=1):
        require_checked(case, known, checked)
        try:
            prepared = _prepare_case(study, case, registered)
        except HakkenError as error:
            raise HakkenError(f"case {case.case_id}: {error}") from None
        save_prepared(output, prepared.case, prepared.image, prepared.mask, prepared.labels)
        progress(f"case {number}/{len(cases)} {case.case_id}: {_line(prepared)}")


def _prepare_case(study: Study, case: Case, registered: Path) -> Prepared:
    channels = {name: read_volume(case.channels[name], channel.colour) for name, channel in study.channels.items()}
    transforms = {
        name: _read_transform(registered / f"{case.case_id}_{name}.tfm") for name in channels if name != study.reference
    }
    return prepare_case(
        channels,
        transforms,
        _read_truth(study, case),
        study,
        case_id=case.case_id,
        patient=case.patient,
        label=case.label,
    )


def _read_transform(path: Path) -> sitk.Transform:
    try:
        transform: sitk.Transform = sitk.ReadTransform(str(path))
    except RuntimeError:
        raise HakkenError(f"{path}: no readable transform; delete its folder and register again") from None
    return transform


def _read_truth(study: Study, case: Case) -> Volume | Sequence[Lesion] | None:
    """Return the lesion mask or the lesions (without either it has none); None where a label is all that is known."""
    if study.cohort.truth == "label":
        return None
    if study.cohort.truth == "lesion_mask" and case.lesion_mask is not None:
        return read_volume(case.lesion_mask)
    if study.cohort.truth == "lesion_table" and case.lesion_table is not None:
        return read_lesion_table(case.lesion_table)
    return ()


def _line(prepared: Prepared) -> str:
    """Say size, number of lesions, and how many of their centres the mask misses."""
    geometry, lesions = prepared.case.geometry, prepared.case.lesions
    z, y, x = geometry.shape_zyx
    places = np.rint(geometry.to_voxel([lesion.centre for lesion in lesions])).astype(int)
    places = np.clip(places, 0, np.array(geometry.shape_zyx) - 1)
    missed = int(np.count_nonzero(~prepared.mask[tuple(places.T)]))
    warning = f", {missed} OUTSIDE THE MASK" if missed else ""
    return f"{x}x{y}x{z} voxels, lesions: {len(lesions)}{warning}"
