"""NODE21 as a case table: frontal chest radiographs with boxes about their nodules.

The folder holds ``images`` and ``metadata.csv`` (or ``metadata.csv`` alone beside the pictures): a row for each box,
with ``img_name, x, y, width, height, label``, boxes in pixels by their upper left corner; an image without a nodule has
one row of label 0. Each image is a case. Whose it is, nothing in the set says, so each passes for a patient of its own;
a table ``img_name, patient`` tells otherwise.

Source: https://node21.grand-challenge.org/Data/ and https://zenodo.org/record/4725881, the columns as the organisers'
own reader takes them (node21challenge/node21_detection_baseline, training_utils/dataset.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.table import write_table
from hakken.core import tables
from hakken.core.errors import HakkenError

CHANNEL = "XR"
METADATA, IMAGES = "metadata.csv", "images"
BOX = ("x", "y", "width", "height")
COLUMNS = ("img_name", *BOX, "label")
BOXES = "boxes.csv"


def read_patients(path: Path) -> dict[str, str]:
    """Return the patient of each image from a table ``img_name, patient``."""
    table = tables.read_table(path, ("img_name", "patient"))
    return dict(zip(table.text("img_name"), table.text("patient"), strict=True))


def write_case_table(source: Path, output: Path, patients: Mapping[str, str] | None = None) -> CaseTable:
    """Write the case table of the set in ``source`` to ``output``, its boxes beside it, and return it.

    Raises HakkenError for a folder of another form, a picture that is missing, a label that is neither 0 nor 1, an
    image that is both, two pictures of one name, and, where ``patients`` are given, an image that they leave out.
    """
    if not (source / METADATA).is_file():
        raise HakkenError(f"{source}: no {METADATA}; give the folder of NODE21 that holds it and `{IMAGES}`")
    folder = source / IMAGES if (source / IMAGES).is_dir() else source
    boxes = _boxes(tables.read_table(source / METADATA, COLUMNS))
    _require_pictures(folder, boxes)
    names = {Path(name).stem: name for name in boxes}
    if len(names) < len(boxes):
        twice = next(name for name in boxes if names[Path(name).stem] != name)
        raise HakkenError(f"{folder}: {twice} and {names[Path(twice).stem]} are one case; keep one of them")
    if patients is not None and (lost := next((name for name in boxes if name not in patients), None)):
        raise HakkenError(f"no patient is given for {lost}; add a row")
    beside = output.parent / BOXES
    tables.write_table(
        beside, ("case_id", *BOX), [(Path(name).stem, *box) for name, own in boxes.items() for box in own]
    )
    cases = tuple(
        Case(
            case_id=case_id,
            patient=case_id if patients is None else patients[name],
            split=None,
            channels={CHANNEL: folder / name},
            lesion_table=beside if boxes[name] else None,
        )
        for case_id, name in names.items()
    )
    table = CaseTable(cases, output)
    write_table(output, table)
    return table


def _boxes(table: tables.Table) -> dict[str, list[tuple[float, ...]]]:
    """Return the boxes of each image, in the order of the table; none of an image without a nodule."""
    values = [table.numbers(name) for name in BOX]
    found: dict[str, list[tuple[float, ...]]] = {}
    labelled: dict[str, float] = {}
    for entry, (name, label) in enumerate(zip(table.text("img_name"), table.numbers("label").tolist(), strict=True)):
        if label not in (0, 1):
            raise table.error(entry, "label", f"{label:g} is neither 0 (no nodule) nor 1; is this NODE21?")
        if labelled.setdefault(name, label) != label:
            raise table.error(entry, "label", f"{name} stands there with a nodule and without; keep one of the two")
        own = found.setdefault(name, [])
        if label:
            own.append(tuple(float(column[entry]) for column in values))
    return found


def _require_pictures(folder: Path, boxes: Mapping[str, object]) -> None:
    if not boxes:
        raise HakkenError(f"{folder}: {METADATA} has no row; is this NODE21?")
    if lacking := [name for name in boxes if not (folder / name).is_file()]:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise HakkenError(f"{folder}: lacks {', '.join(lacking[:3])}{more}; fetch these files again")
