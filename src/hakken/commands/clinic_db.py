"""`hakken clinic-db`: the case table of a local copy of CVC-ClinicDB, for study `polyp`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.parser import add_command

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers


THRESHOLD = 128  # half of white


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "clinic-db",
        "write the case table of a local copy of CVC-ClinicDB, frames of one sequence kept together (study polyp)",
        "hakken clinic-db ~/data/CVC-ClinicDB data/clinic_db/cases.csv",
        run,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="its folder, with `Original` and `Ground Truth`")
    parser.add_argument("output", type=Path, metavar="OUT", help="table to write (CSV)")
    parser.add_argument(
        "--sequences",
        type=Path,
        metavar="CSV",
        help="table `first, last, sequence` of the frames of each sequence (default: as the data set's page says)",
    )


def run(options: argparse.Namespace) -> None:
    """Write the table and say what is in it."""
    from hakken.cohort.clinic_db import read_sequences, write_case_table

    sequences = read_sequences(options.sequences) if options.sequences is not None else None
    table = write_case_table(options.folder, options.output, sequences)
    patients = len({case.patient for case in table.cases})
    print(f"{options.output}: case table of {len(table)} frames in {patients} sequences")
    grey = sum(_is_grey(case.lesion_mask) for case in table.cases if case.lesion_mask is not None)
    if grey:
        print(
            f"{grey} of {len(table)} masks have grey rims; in the study: cohort: {{table: {options.output}, labels: "
            f"binary, mask_threshold: {THRESHOLD}}}"
        )


def _is_grey(mask: Path) -> bool:
    """Whether a mask holds other values than black and white."""
    import numpy as np

    from hakken.imaging.files import read_volume

    values = np.unique(read_volume(mask).array)
    return bool(((values > 0) & (values < values[-1])).any())
