"""Figure `registration`: channels over the reference channel, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from hakken.core.case_ids import file_name
from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.figures import Drawing, Files, Table, cells
from hakken.plots.registration import PairInput, RegistrationInput, draw_registration
from hakken.study import Study

INPUTS = {"registered": "registered"}
CAPTION = "Channels over the reference channel before and after registration, some cases of the whole cohort."
COLUMNS = ("case_id", "channel", "metric_before", "metric_after", "seconds")
SHOWN = 4
READING = (
    "Planes through the middle, of volumes axial, coronal and sagittal. Green: reference; magenta: the channel; grey "
    "where both agree. Lower metric: more alike."
)

Record = dict[str, Any]


def draw(study: Study, files: Files) -> Drawing:
    """Draw some cases, spread evenly over all that were registered; the table holds them all."""
    found = _registrations(files.all("registered"))
    places = np.unique(np.linspace(0, len(found) - 1, SHOWN).round().astype(int)) if found else np.zeros(0, int)
    given = RegistrationInput(
        pairs=tuple(_pair(*found[place]) for place in places.tolist()),
        reference=study.reference,
        metric=study.registration.metric.replace("_", " "),
        reading=READING if found else f"{study.reference} is the only channel: nothing to register.",
        origin=files.origin,
    )
    rows = [(case_id, channel, *(record[name] for name in COLUMNS[2:])) for case_id, channel, _, record in found]
    words = f"{len(places)} of {len(found)} registrations, {study.registration.method}"
    return Drawing(draw_registration(given), Table(COLUMNS, cells(rows)), words)


def _registrations(folders: Sequence[Path]) -> list[tuple[str, str, Path, Record]]:
    """Return case, channel, folder and record of each registration, in the order of the cases."""
    read = [(folder, read_json(path)) for folder in folders for path in folder.glob("*.json")]
    found = [
        (content["case_id"], channel, folder, record)
        for folder, content in read
        for channel, record in content["channels"].items()
    ]
    return sorted(found, key=lambda one: one[:3])


def _pair(case_id: str, channel: str, folder: Path, record: Record) -> PairInput:
    path = folder / f"{file_name(case_id)}.{channel}.png"
    try:
        picture = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError:
        raise HakkenError(f"{path}: no readable picture; delete its folder and register again") from None
    before, after = record["metric_before"], record["metric_after"]
    return PairInput(picture, case_id, channel, before, after, float(record["seconds"]))
