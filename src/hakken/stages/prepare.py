"""Prepare: put every channel of a batch of cases on one grid, normalised inside one mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hakken.cohort.checked import read_checked, require_checked
from hakken.cohort.table import Case, read_table
from hakken.core.case_ids import file_name
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.channels import mask_to_prepare, read_channels
from hakken.imaging.doubts import REMEDY
from hakken.imaging.files import read_volume
from hakken.imaging.lesion_tables import read_lesion_classes, read_lesion_table
from hakken.imaging.pieces import Mask
from hakken.imaging.preparation import Prepared, prepare_case
from hakken.imaging.prepared import Lesion, save_prepared
from hakken.imaging.region_labels import RegionLabels, read_region_labels
from hakken.imaging.regions import read_region
from hakken.imaging.scalar_values import scalars_of
from hakken.imaging.segmentation_objects import read_mask
from hakken.stages import stage
from hakken.study import REGION, Study

LARGE = 0.5
"""Lesions that fill more of the mask than this are told: they are larger than the organ is likely to bear."""


@stage
def prepare(*, study: Study, table: Path, cases: list[str], checked: Path, registered: Path, output: Path) -> None:
    """Write the prepared ``cases`` into the folder ``output``, through the transforms in the folder ``registered``.

    Raises HakkenError where a file is not the one that was ``checked``.
    """
    output.mkdir(parents=True, exist_ok=True)
    known = read_checked([checked])
    if (threshold := study.cohort.mask_threshold) is not None:
        progress(f"lesion masks: values from {threshold:g} on are lesion (`cohort.mask_threshold`)")
    for number, case in enumerate(read_table(table, study, files_exist=False).select(cases), start=1):
        require_checked(case, known, checked)
        try:
            prepared = _prepare_case(study, case, registered)
        except HakkenError as error:
            raise HakkenError(f"case {case.case_id}: {error}") from None
        save_prepared(
            output,
            prepared.case,
            prepared.image,
            prepared.mask,
            prepared.labels,
            regions=prepared.regions,
            body=prepared.body,
        )
        progress(f"case {number}/{len(cases)} {case.case_id}: {_line(prepared)}")


def _prepare_case(study: Study, case: Case, registered: Path) -> Prepared:
    channels = read_channels(case.channels, study)
    begin = registered / file_name(case.case_id)
    transforms = {name: _read_transform(Path(f"{begin}.{name}.tfm")) for name in channels if name != study.reference}
    return prepare_case(
        channels,
        transforms,
        _read_truth(study, case, channels[study.reference].geometry),
        study,
        case_id=case.case_id,
        patient=case.patient,
        label=case.label,
        region=_read_region(study, case, channels[study.reference].geometry, Path(f"{begin}.mask.nii.gz")),
        classes=_read_classes(study, case),
        regions=_read_organs(study, case, channels[study.reference].geometry),
        scalars=scalars_of(case.columns, case.channels, study),
    )


def _read_region(study: Study, case: Case, reference: Geometry, found: Path) -> Mask | None:
    """Return the region of interest that the case brings, where the study asks for one, or that registration found.

    Raises HakkenError where the file of what was ``found`` lies on another grid.
    """
    if study.preparation.mask != "given":
        if not found.exists():
            return None
        mask = read_volume(found)
        if not mask.geometry.matches(reference, tolerance_mm=0.01 * min(reference.spacing)):
            raise HakkenError(f"{found}: not on the grid of {study.reference}; delete its folder and register again")
        return mask_to_prepare(study, mask.array > 0)
    return read_region(case.channels[REGION], reference, case.channels[study.reference], study)


def _read_transform(path: Path) -> sitk.Transform:
    try:
        transform: sitk.Transform = sitk.ReadTransform(str(path))
    except RuntimeError:
        raise HakkenError(f"{path}: no readable transform; delete its folder and register again") from None
    return transform


def _read_truth(study: Study, case: Case, reference: Geometry) -> Volume | Sequence[Lesion] | None:
    """Return the lesion mask or the lesions (without either it has none); None where a label is all that is known."""
    if study.cohort.truth == "label":
        return None
    if study.cohort.truth == "lesion_mask" and case.lesion_mask is not None:
        return read_mask(case.lesion_mask, reference, case.channels[study.reference], study.cohort)
    if study.cohort.truth == "lesion_table" and case.lesion_table is not None:
        return read_lesion_table(case.lesion_table, reference, case.case_id)
    return ()


def _read_classes(study: Study, case: Case) -> Mapping[int, str] | None:
    """Return the classes of the lesions of a mask by number, where the study tells classes apart."""
    if not study.names_classes or case.lesion_table is None:
        return None
    return read_lesion_classes(case.lesion_table, case.case_id)


def _read_organs(study: Study, case: Case, reference: Geometry) -> RegionLabels | None:
    """Return the labels of the regions on the reference's grid, where the study names some."""
    if not study.cohort.regions or case.regions is None:
        return None
    return read_region_labels(case.regions, reference, case.channels[study.reference], study)


def _line(prepared: Prepared) -> str:
    """Say size, number of lesions, which of them lie outside of the mask, and why the mask may be wrong."""
    case = prepared.case
    z, y, x = case.geometry.shape_zyx
    size = f"{x}x{y} pixels" if case.geometry.is_flat else f"{x}x{y}x{z} voxels"
    named = ", ".join(map(str, case.outside))
    share = 0 if prepared.labels is None else np.count_nonzero(prepared.labels) / np.count_nonzero(prepared.mask)
    large = f", they fill {share:.0%} OF THE MASK" if share > LARGE else ""
    warning = f", {len(case.outside)} OUTSIDE THE MASK (lesion {named})" if case.outside else ""
    without = f", without {', '.join(case.missing)}" if case.missing else ""
    doubt = f", IN DOUBT: {case.doubt}; {REMEDY}" if case.doubt else ""
    return f"{size}, lesions: {len(case.lesions)}{without}{large}{warning}{doubt}"
