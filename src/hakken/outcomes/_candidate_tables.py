"""Candidates as a table, whose column of sizes says what they are: volumes, or areas in flat images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hakken.core.tables import Cell, Table, read_table
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates

SIZES = {"mm³": "volume_mm3", "mm²": "area_mm2", "px²": "area_px2"}
"""The column of a candidate's size, by its unit: of flat images an area, of pixels of unknown size in pixels."""
OF_VOLUMES = ("case_id", "candidate", "x", "y", "z", "score", SIZES["mm³"], "lesion")
CLASS = "class"
"""The column of a candidate's class, where lesions are told apart."""
REGION = "region"
"""The column of the region of the body that a candidate lies in, where the study names regions."""
SHOWN = 10


def columns_of(cases: Sequence[PreparedCase], found: Iterable[Candidates] = ()) -> tuple[str, ...]:
    """Return the columns of a table of candidates of ``cases``; those of volumes where there is none.

    A column `class` is the last where the candidates ``found`` have one.
    """
    named = SIZES[cases[0].geometry.size_unit] if cases else SIZES["mm³"]
    columns = tuple(named if column == SIZES["mm³"] else column for column in OF_VOLUMES)
    if any(one.classes is not None for one in found):
        columns = (*columns, CLASS)
    return (*columns, REGION) if cases and cases[0].has_body else columns


def read_candidates(path: Path) -> tuple[Table, str]:
    """Return a table of candidates and the name of its column of sizes; raises HakkenError for a missing column."""
    table = read_table(path)
    sized = next((column for column in SIZES.values() if column in table), SIZES["mm³"])
    return read_table(path, tuple(sized if column == SIZES["mm³"] else column for column in OF_VOLUMES)), sized


def candidate_rows(
    case_id: str,
    found: Candidates,
    lesion: NDArray[np.int64] | Sequence[int] | None = None,
    region: Sequence[str] | None = None,
) -> list[tuple[Cell, ...]]:
    """Return one row for each candidate, numbered from 1, highest score first; x, y, z in mm, LPS, or in px.

    ``lesion`` (n,) is the label of the lesion that each lies in (0 is none); without it the column stays empty. The
    class of each follows where they have one, and the ``region`` (n,) of each where that is given.
    """
    labels = [None] * len(found) if lesion is None else [int(label) for label in lesion]
    classes = [()] * len(found) if found.classes is None else [(name,) for name in found.classes]
    places = [()] * len(found) if region is None else [(name,) for name in region]
    return [
        (case_id, number, *map(float, xyz), float(score), float(size), label, *name, *place)
        for number, (xyz, score, size, label, name, place) in enumerate(
            zip(found.xyz, found.score, found.size, labels, classes, places, strict=True), start=1
        )
    ]


def best_lines(path: Path, found: Candidates, case: PreparedCase) -> Iterator[str]:
    """Yield where the candidates of a new case were written, and the best of them."""
    where = "mm, LPS, scanner space" if case.geometry.unit == "mm" else "px from the middle of the first pixel"
    yield f"{path}: {len(found)} candidates of {case.case_id}; {where} of the reference channel"
    if len(found):
        yield f"{'candidate':>9}{'x':>9}{'y':>9}{'z':>9}{'score':>9}{SIZES[case.geometry.size_unit]:>12}"
    named = found.classes or ("",) * len(found)
    best = zip(found.xyz[:SHOWN].tolist(), found.score.tolist(), found.size.tolist(), named, strict=False)
    for number, ((x, y, z), score, size, name) in enumerate(best, start=1):
        yield f"{number:>9}{x:>9.1f}{y:>9.1f}{z:>9.1f}{score:>9.4f}{size:>12.1f}  {name}".rstrip()
    if len(found) > SHOWN:
        yield f"{'…':>9}  {len(found) - SHOWN} more in the table"
