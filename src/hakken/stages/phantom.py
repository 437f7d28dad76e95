"""Stage `phantom`: draw the images of one batch of a phantom cohort."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.phantom.cohort import PhantomCase, phantom_cases, phantom_of
from hakken.cohort.phantom.draw import Drawn, draw
from hakken.cohort.phantom.generators import GENERATORS, check_channels
from hakken.console import progress
from hakken.errors import HakkenError
from hakken.files import write_json
from hakken.imaging.files import write_volume
from hakken.names import nearest
from hakken.stages import stage
from hakken.study import Study


@stage
def phantom(*, study: Study, cases: list[str], output: Path) -> None:
    """Draw ``cases`` into ``output``/<case>/: one image per channel, lesions.nii.gz and truth.json.

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
    write_json(folder / "truth.json", drawing.truth)


def _describe(case: PhantomCase) -> str:
    lesions = "1 lesion" if case.lesions == 1 else f"{case.lesions or 'no'} lesions"
    return f"{case.case_id}, scanner {case.scanner}, {lesions}"
