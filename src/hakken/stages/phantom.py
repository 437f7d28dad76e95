"""Stage `phantom`: draw the images of one batch of a phantom cohort."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hakken.cohort.phantom.cohort import PhantomCase, phantom_cases, phantom_of
from hakken.cohort.phantom.draw import Drawn, draw
from hakken.cohort.phantom.generators import GENERATORS, check_channels
from hakken.console import progress
from hakken.errors import HakkenError
from hakken.files import write_json
from hakken.imaging.files import write_volume
from hakken.imaging.lesions import COLUMNS, measure_lesions
from hakken.names import nearest
from hakken.report.tables import Cell, write_rows
from hakken.stages import stage
from hakken.study import Study


@stage
def phantom(*, study: Study, cases: list[str], output: Path) -> None:
    """Draw ``cases`` into ``output``/<case>/: one image per channel, lesions.nii.gz and truth.json, and
    lesions.csv where the study's truth is a lesion table.

    What the channels show is up to the phantom's generator. Raises HakkenError for a case that the
    phantom does not have, or a study whose channels the phantom cannot draw.
    """
    check_channels(study, GENERATORS[phantom_of(study).generator])
    known = {case.case_id: case for case in phantom_cases(study)}
    for number, case_id in enumerate(cases, start=1):
        if case_id not in known:
            raise HakkenError(f"case {case_id}: the phantom has no such case{nearest(case_id, known)}")
        _write(draw(known[case_id], study), study, output / case_id)
        progress(f"{number} of {len(cases)}: {_describe(known[case_id])}")


def _write(drawing: Drawn, study: Study, folder: Path) -> None:
    for channel, image in drawing.images(study).items():
        write_volume(folder / f"{channel}.nii.gz", image)
    write_volume(folder / "lesions.nii.gz", drawing.lesions)
    if study.cohort.truth == "lesion_table":
        write_rows(folder / "lesions.csv", (*COLUMNS, "class"), _lesion_rows(drawing))
    write_json(folder / "truth.json", drawing.truth)


def _lesion_rows(drawing: Drawn) -> Iterator[tuple[Cell, ...]]:
    """Yield each lesion as a sphere with its class, where the phantom's lesions have one."""
    classes = {lesion["lesion"]: lesion.get("class", "") for lesion in drawing.truth["lesions"]}
    for lesion in measure_lesions(drawing.lesions.array, drawing.lesions.geometry):
        yield (lesion.lesion, *lesion.centre, lesion.diameter_mm, classes[lesion.lesion])


def _describe(case: PhantomCase) -> str:
    lesions = "1 lesion" if case.lesions == 1 else f"{case.lesions or 'no'} lesions"
    return f"{case.case_id}, scanner {case.scanner}, {lesions}"
