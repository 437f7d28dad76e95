"""Stage `phantom`: draw the cases of one batch of a phantom cohort."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hakken import plugins
from hakken.cohort.phantom import check_channels, phantom_cases, phantom_of
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import replacing, write_json
from hakken.core.names import nearest
from hakken.core.tables import Cell, write_table
from hakken.imaging.files import write_volume
from hakken.imaging.lesion_tables import COLUMNS
from hakken.imaging.lesions import measure_lesions
from hakken.phantoms import Drawn, DrawnItem, DrawnWithRegions, PhantomCase
from hakken.stages import stage
from hakken.study import Study


@stage
def phantom(*, study: Study, cases: list[str], output: Path) -> None:
    """Draw ``cases`` into ``output``/<case>/: one image per channel, lesions.nii.gz and truth.json; lesions.csv where
    the study's truth is a lesion table or lesions have classes, regions.nii.gz where it names regions; or the files of
    items.

    What they show is up to the phantom. Raises HakkenError for a case that the phantom does not have, or a study whose
    channels the phantom cannot draw.
    """
    check_channels(study)
    draw = plugins.load("phantoms", phantom_of(study).generator, "draw").draw_case
    known = {case.case_id: case for case in phantom_cases(study)}
    for number, case_id in enumerate(cases, start=1):
        if case_id not in known:
            raise HakkenError(f"case {case_id}: the phantom has no such case{nearest(case_id, known)}")
        drawn = draw(known[case_id], study)
        if study.cohort.kind == "items":
            _write_item(drawn, study, output / case_id)
        else:
            _write(drawn, study, output / case_id)
        progress(f"{number} of {len(cases)}: {_describe(known[case_id])}")


def _write_item(drawing: DrawnItem, study: Study, folder: Path) -> None:
    for column, arrays in drawing.files(study).items():
        with replacing(folder / f"{column}.npz") as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
    write_json(folder / "truth.json", drawing.truth)


def _write(drawing: Drawn, study: Study, folder: Path) -> None:
    for channel, image in drawing.images(study).items():
        write_volume(folder / f"{channel}.nii.gz", image)
    write_volume(folder / "lesions.nii.gz", drawing.lesions)
    if study.cohort.regions:
        assert isinstance(drawing, DrawnWithRegions)
        write_volume(folder / "regions.nii.gz", drawing.regions)
    if study.cohort.truth == "lesion_table" or study.names_classes:
        write_table(folder / "lesions.csv", (*COLUMNS, "class"), _lesion_rows(drawing))
    write_json(folder / "truth.json", drawing.truth)


def _lesion_rows(drawing: Drawn) -> Iterator[tuple[Cell, ...]]:
    """Yield each lesion as a sphere, or a circle, with its class, where the phantom's lesions have one."""
    classes = {lesion["lesion"]: lesion.get("class", "") for lesion in drawing.truth["lesions"]}
    for lesion in measure_lesions(drawing.lesions.array, drawing.lesions.geometry):
        yield (lesion.lesion, *lesion.centre, lesion.diameter, classes[lesion.lesion])


def _describe(case: PhantomCase) -> str:
    lesions = "1 lesion" if case.lesions == 1 else f"{case.lesions or 'no'} lesions"
    return f"{case.case_id}, scanner {case.scanner}, {lesions}"
