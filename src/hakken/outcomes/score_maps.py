"""Outcome `score_maps`: a number for each voxel of a case, the higher the more abnormal, for figures.

A method predicts a float32 array (z, y, x) of a case. They are kept as `score_maps/<case>.npy`, float32. Nothing is
measured on them.
"""

from __future__ import annotations

from pathlib import Path

from hakken.outcomes import Measured, Part
from hakken.outcomes._arrays import Predictions, read_arrays, write_arrays
from hakken.study import Section

FOLDER = "score_maps"
FIGURES = ("anomalies",)
MEASURED_ON = ()


class Settings(Section):
    """How maps are measured: they are not."""


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write the maps of a part."""
    write_arrays(folder / FOLDER, found, part.case_ids, "float32")


def read(folder: Path, part: Part) -> Predictions:
    """Return the maps of a part, memory-mapped; raises HakkenError naming one that does not fit its case."""
    shapes = {case.case_id: case.geometry.shape_zyx for case in part.images}
    return read_arrays(folder / FOLDER, shapes)


def measure(found: Predictions, part: Part) -> Measured:
    """Return nothing: maps are shown, not measured."""
    return Measured(objective=None, rows=())
