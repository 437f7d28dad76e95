"""Chest X-rays of children, normal or with pneumonia, as a case table.

The folder holds ``train`` and ``test``, each with ``NORMAL`` and ``PNEUMONIA``. ``hakken chest-xray`` writes the table
that the study ``chest_xray_autoencoder`` reads: the published test set is the test set; of the published training set
five normal patients of six train, the sixth and one image of each patient with pneumonia validate. Some numbers of
patients with pneumonia stand in both published parts; these patients are left out of validation.

Source: Kermany, Zhang and Goldbaum, Labeled optical coherence tomography (OCT) and chest X-ray images for
classification, Mendeley Data, doi:10.17632/rscbjbr9sj.2 (2018).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.local_copy import find_local_copy
from hakken.cohort.table import write_table
from hakken.core.errors import HakkenError
from hakken.study import Part

FOLDERS = tuple(f"{part}/{kind}" for part in ("train", "test") for kind in ("NORMAL", "PNEUMONIA"))
NORMAL = re.compile(r"((?:NORMAL2-)?IM-\d+)-\d+(?:-\d+)?\.jpeg")
PNEUMONIA = re.compile(r"(person\d+)_(bacteria|virus)_\d+(?:_\d+)?\.jpeg")
VALIDATES = 6  # every so many normal patients of the published training set, one validates
LABEL = "pneumonia"


@dataclass(frozen=True)
class Picture:
    """One image: its file, its patient, and `bacteria` or `virus` where it shows pneumonia."""

    path: Path
    patient: str
    germ: str | None = None


def find_chest_xray(folder: Path | None = None) -> Path:
    """Return the folder of the data set: ``folder`` itself, else the first usual place beside the working folder.

    Raises HakkenError that names every place where it looked.
    """
    return find_local_copy("chest_xray", "the chest X-rays were", FOLDERS, folder)


def write_case_table(source: Path, output: Path) -> CaseTable:
    """Write the case table of the data set in ``source`` to ``output`` and return it.

    Raises HakkenError for a file whose name does not tell its patient.
    """
    known = {folder: _pictures(source / folder) for folder in FOLDERS}
    test = [*known["test/NORMAL"], *known["test/PNEUMONIA"]]
    sealed = {picture.patient for picture in test}
    cases = [_case(picture, "test") for picture in test]
    normal = known["train/NORMAL"]
    order = {patient: number for number, patient in enumerate(sorted({picture.patient for picture in normal}))}
    for picture in normal:
        if picture.patient not in sealed:
            cases.append(_case(picture, "validation" if order[picture.patient] % VALIDATES == 0 else "train"))
    first = {picture.patient: picture for picture in reversed(known["train/PNEUMONIA"])}
    cases += [_case(picture, "validation") for patient, picture in sorted(first.items()) if patient not in sealed]
    table = CaseTable(tuple(cases), output)
    write_table(output, table)
    return table


def _pictures(folder: Path) -> list[Picture]:
    """Return the images of a folder, in the order of their names."""
    found = []
    for path in sorted(folder.glob("*.jpeg")):
        normal, ill = NORMAL.fullmatch(path.name), PNEUMONIA.fullmatch(path.name)
        if normal:
            found.append(Picture(path, normal[1]))
        elif ill:
            found.append(Picture(path, ill[1], ill[2]))
        else:
            raise HakkenError(f"{path}: its name does not tell the patient; take the data set's own file names")
    if not found:
        raise HakkenError(f"{folder}: holds no .jpeg file; fetch the data set again")
    return found


def _case(picture: Picture, part: Part) -> Case:
    return Case(
        case_id=picture.path.stem,
        patient=picture.patient,
        split=part,
        channels={"XR": picture.path},
        label=LABEL if picture.germ else None,
        columns={"germ": picture.germ or ""},
    )
