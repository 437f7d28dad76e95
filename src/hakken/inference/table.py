"""The table of candidates that every part of hakken reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from hakken.inference.candidates import Candidates

COLUMNS = ("case_id", "candidate", "x", "y", "z", "score", "volume_mm3", "lesion")


def candidate_rows(
    case_id: str, found: Candidates, lesion: NDArray[Any] | Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """Return one row a candidate, numbered from 1, highest score first; x, y, z in mm, LPS.

    ``lesion`` (n,) is the label of the lesion that each lies in (0 is none); without it the column stays empty.
    """
    labels = [""] * len(found) if lesion is None else [int(label) for label in lesion]
    return [
        dict(zip(COLUMNS, (case_id, number, *map(float, xyz), float(score), float(volume), label), strict=True))
        for number, (xyz, score, volume, label) in enumerate(
            zip(found.xyz, found.score, found.volume_mm3, labels, strict=True), start=1
        )
    ]


def candidate_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as CSV; numbers keep every digit."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
