"""The table of predicted classes, read as evaluation takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hakken.columns import FIRST_ROW
from hakken.errors import HakkenError
from hakken.evaluation.classification import Classified
from hakken.report.tables import numbers, read_rows

COLUMNS = ("case_id", "patient", "lesion", "class", "called")


def read_classified(path: Path, classes: Sequence[str]) -> Classified:
    """Return the lesions of a table of predictions (case_id, patient, lesion, class, and a column for each class).

    Raises HakkenError naming the row of a class that the study does not have, or of a probability that is none.
    """
    rows = read_rows(path, (*COLUMNS, *classes))
    number = {name: place for place, name in enumerate(classes)}
    for place, row in enumerate(rows):
        if row["class"] not in number:
            raise HakkenError(
                f"{path}: row {place + FIRST_ROW}, column class: `{row['class']}` is none of {', '.join(classes)}"
            )
    try:
        return Classified(
            tuple(classes),
            np.array([number[row["class"]] for row in rows], np.int64),
            [row["patient"] or row["case_id"] for row in rows],
            np.stack([numbers(path, rows, name) for name in classes], axis=1),
        )
    except HakkenError as error:
        message = str(error)
        raise HakkenError(message if message.startswith(str(path)) else f"{path}: {message}") from None
