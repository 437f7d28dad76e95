"""Figure `flow_memory`: memory and time of a step of training against the depth of a flow, by each way back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hakken.core.tables import read_table
from hakken.figures import Drawing, Files, Table, cells
from hakken.plots.flow_memory import Course, FlowMemoryInput, draw_flow_memory
from hakken.study import Study

INPUTS = {"memory": "glow/memory.csv"}
CAPTION = (
    "Bytes kept for the backward pass, and time of a step of training, against the steps on each level of a flow, in "
    "two and three axes: everything kept, the input of each step, or the output of each level alone."
)
COLUMNS = ("axes", "depth", "backward", "shape", "kept_bytes", "peak_bytes", "seconds", "device")
MIB = 2**20


def draw(study: Study, files: Files) -> Drawing:
    """Draw what was measured."""
    table = read_table(files.one("memory"), COLUMNS)
    rows = table.records()
    courses = tuple(_courses(rows))
    solid = [one for one in courses if one.axes == 3]
    words = ", ".join(f"{one.name} {one.megabytes[-1]:.3g} MB" for one in solid)
    given = FlowMemoryInput(courses, tuple(_notes(rows)), files.origin)
    listed = [tuple(row[name] for name in COLUMNS) for row in rows]
    return Drawing(draw_flow_memory(given), Table(COLUMNS, cells(listed)), words)


def _courses(rows: Sequence[dict[str, str]]) -> Iterator[Course]:
    """Yield what was measured of each number of axes and way back, by depth."""
    for axes, way in dict.fromkeys((row["axes"], row["backward"]) for row in rows):
        own = [row for row in rows if (row["axes"], row["backward"]) == (axes, way)]
        yield Course(
            axes=int(axes),
            name=way,
            depths=tuple(int(row["depth"]) for row in own),
            megabytes=tuple(float(row["kept_bytes"]) / MIB for row in own),
            seconds=tuple(float(row["seconds"]) for row in own),
        )


def _notes(rows: Sequence[dict[str, str]]) -> Iterator[str]:
    """Yield what was measured on what."""
    shapes = " and ".join(dict.fromkeys(row["shape"] for row in rows))
    yield (
        f"Mini-batches of {shapes} (samples, channels, extents) on {rows[0]['device']}. Weights are not counted. The "
        "look at the inverse that `invert` takes in every 50th step is not part of its time."
    )
