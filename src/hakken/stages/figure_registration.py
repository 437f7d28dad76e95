"""Stage `figure_registration`: channels over the reference channel, before and after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.plots.publish import publish
from hakken.plots.registration import PairInput, RegistrationInput, draw_registration
from hakken.plots.style import Origin
from hakken.core.files import read_json
from hakken.report.figure import provenance
from hakken.report.seal import read_openings
from hakken.stages import stage
from hakken.study import Study

SHOWN = 4
READING = (
    "Axial, coronal and sagittal planes through the middle. Green: reference; magenta: the channel; grey where both "
    "agree. Lower metric: more alike."
)


@stage
def figure_registration(
    *, study: Study, registered: list[Path], table: Path, openings: Path, code: str, output: list[Path]
) -> None:
    """Draw cases from the folders ``registered``, spread evenly over all that were registered."""
    found = sorted(
        (record.stem, channel, folder)
        for folder in registered
        for record in folder.glob("*.json")
        for channel in read_json(record)["channels"]
    )
    picked = [found[index] for index in np.unique(np.linspace(0, len(found) - 1, SHOWN).round().astype(int)) if found]
    opened = len(read_openings(openings))
    method = study.registration.method
    given = RegistrationInput(
        pairs=tuple(_pair(*place) for place in picked),
        reference=study.reference,
        metric=study.registration.metric.replace("_", " "),
        reading=READING if found else f"{study.reference} is the only channel: nothing to register.",
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    facts = provenance(study, figure="registration", inputs=[*registered, table], code=code, openings=opened)
    publish(draw_registration(given), output, facts)
    progress(f"{len(picked)} of {len(found)} registrations, {method}")


def _pair(case_id: str, channel: str, folder: Path) -> PairInput:
    record = read_json(folder / f"{case_id}.json")["channels"][channel]
    path = folder / f"{case_id}_{channel}.png"
    try:
        picture = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError:
        raise HakkenError(f"{path}: no readable picture; delete its folder and register again") from None
    before, after = record["metric_before"], record["metric_after"]
    return PairInput(picture, case_id, channel, before, after, float(record["seconds"]))
