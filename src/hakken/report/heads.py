"""How measurements are called where several stand side by side, and what warns of those that a figure draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hakken import plugins
from hakken.core.names import spoken
from hakken.evaluation.caution import Caution, lines
from hakken.runs.measurement import FILE, read_measurement

# By their names: `hakken.runs.table`, where these stand, knows the methods, of which no figure is to depend.
HEADS = {
    ("validation", "selected"): "validation",
    ("test", "selected"): "test",
    ("test", "default"): "test, untuned default",
}


def head_of(part: str, model: str) -> str:
    """Return the head of a column of the table of what was measured.

    >>> head_of("test", "selected"), head_of("test", "brightest_components")
    ('test', 'test, brightest components')
    """
    return HEADS.get((part, model), f"{part}, {spoken(model)}" if part != "records" else model)


def warnings_of(figure: str, files: Mapping[str, Sequence[Path]]) -> list[str]:
    """Return what warns of the numbers of a ``figure`` that draws the measurements among its ``files``.

    Of an outcome that has such a figure only its own numbers are meant; a figure of images shows none.
    """
    if "predictions" in files:
        return []
    folders = [path for paths in files.values() for path in paths if (path / FILE).is_file()]
    found = []
    for measured in map(read_measurement, folders):
        own = [name for name in measured.outcomes if figure in plugins.literals("outcomes", name).get("FIGURES", ())]
        for name in own or measured.outcomes:
            found += [Caution(head_of(measured.part, measured.model), line) for line in measured.outcomes[name].said]
    return lines(found)
