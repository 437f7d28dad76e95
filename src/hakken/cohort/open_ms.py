"""The open MS data set: three patients with multiple sclerosis as a case table.

The folder holds ``patient07``, ``patient19`` and ``patient26``, each with T1, T1POST, FLAIR and a consensus mask of the
lesions, skull-stripped, at 1 mm. ``hakken open-ms`` finds the folder and writes ``data/open_ms/cases.csv``,
the table that the study ``white_matter_lesion`` reads.

Source: Lesjak et al., A novel public MR image dataset of multiple sclerosis patients with lesion segmentations based on
multi-rater consensus, Neuroinformatics 16 (2018); CC BY.
"""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.local_copy import find_local_copy
from hakken.cohort.table import write_table
from hakken.core.errors import HakkenError
from hakken.study import Part

PATIENTS: dict[str, Part] = {"patient07": "train", "patient26": "validation", "patient19": "test"}
CHANNELS = ("T1", "T1POST", "FLAIR")


def find_open_ms(folder: Path | None = None) -> Path:
    """Return the folder of the data set: ``folder`` itself, else the first usual place beside the working folder.

    Raises HakkenError that names every place where it looked.
    """
    return find_local_copy("open_ms", "the open MS data set was", tuple(PATIENTS), folder)


def write_case_table(source: Path, output: Path) -> CaseTable:
    """Write the case table of the data set in ``source`` to ``output`` and return it; raises HakkenError for gaps."""
    cases = [_case(source, patient, part) for patient, part in PATIENTS.items()]
    missing = [str(path) for case in cases for path in case.files if not path.is_file()]
    if missing:
        raise HakkenError(f"{source}: the data set lacks {', '.join(missing)}; fetch these files again")
    table = CaseTable(tuple(cases), output)
    write_table(output, table)
    return table


def _case(source: Path, patient: str, part: Part) -> Case:
    return Case(
        case_id=patient,
        patient=patient,
        split=part,
        channels={channel: source / patient / f"{channel}.nii.gz" for channel in CHANNELS},
        lesion_mask=source / patient / "lesions.nii.gz",
    )
