"""The overlay figure: slices through found lesions, false positives and missed lesions.

Colour and shape say the same, so that the figure reads in print and for colour-blind readers: a found lesion has a
magenta outline with a cross at the candidate, a false positive a red square, a missed lesion a dashed blue outline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from hakken.plots.style import GREY, TWO_COLUMNS, Origin, new_figure, place, style, write

Kind = Literal["found", "false", "missed"]
COLORS: dict[Kind, str] = {"found": "#FF3DF5", "false": "#FF4A3D", "missed": "#4DA3FF"}
DARK: dict[Kind, str] = {"found": "#B300A8", "false": "#C41E12", "missed": "#0B5FBF"}
"""The same colours for text on white."""

TITLES: dict[Kind, str] = {
    "found": "Found lesions",
    "false": "False positives",
    "missed": "Missed lesions",
}
COLUMNS = 6
TILE = 1.1
STEP = 1.17
CAPTION = 0.24


@dataclass(frozen=True, eq=False)
class Mark:
    """A finding on a tile: its centre x, y from the tile's left upper corner, and its radius.

    ``outline`` holds the pixels (rows, columns) of a lesion whose shape is known, drawn instead of a circle; ``cross``
    is the place of the candidate that found a lesion.
    """

    kind: Kind
    x: float
    y: float
    radius: float
    outline: NDArray[np.bool_] | None = None
    cross: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Tile:
    """A slice around one finding: pixels (rows, columns), its width and height in mm, its marks and its caption."""

    kind: Kind
    image: NDArray[np.floating[Any]]
    width_mm: float
    height_mm: float
    window: tuple[float, float]
    marks: tuple[Mark, ...]
    caption: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class OverlaysInput:
    """Tiles of each kind in the order to draw them, how many there are in all, and a line on what is shown.

    Lengths are in ``unit``.
    """

    tiles: tuple[Tile, ...]
    totals: dict[Kind, int]
    reading: str
    origin: Origin
    unit: str = "mm"


def draw_overlays(given: OverlaysInput) -> Figure:
    """Draw a block of tiles for each kind: false positives, missed lesions, found lesions."""
    kinds: tuple[Kind, ...] = ("false", "missed", "found")
    groups = [(kind, [tile for tile in given.tiles if tile.kind == kind]) for kind in kinds]
    rows = [max(1, math.ceil(len(tiles) / COLUMNS)) if tiles else 0 for _, tiles in groups]
    height = 0.52 + sum(0.3 + (count * (STEP + CAPTION) if count else 0.2) for count in rows)
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        top = height - 0.05
        for (kind, tiles), count in zip(groups, rows, strict=True):
            _heading(figure, top - 0.17, kind, len(tiles), given.totals.get(kind, 0))
            top -= 0.27
            _tiles(figure, top, tiles, given.unit)
            top -= count * (STEP + CAPTION) + 0.03 if count else 0.2
        write(figure, 0.1, 0.3, given.reading, fontsize=6, color=GREY)
    return figure


def _heading(figure: Figure, y: float, kind: Kind, shown: int, total: int) -> None:
    words = {"found": "lowest and highest scores", "false": "highest scores", "missed": "largest first"}[kind]
    text = f"{TITLES[kind]}: {shown} of {total}, {words}" if shown < total else f"{TITLES[kind]}: {total}"
    write(figure, 0.1, y, text, fontsize=7.5, weight="bold", color=DARK[kind])


def _tiles(figure: Figure, top: float, tiles: Sequence[Tile], unit: str) -> None:
    """Draw tiles row by row below ``top`` inches."""
    for number, tile in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        left, upper = 0.1 + STEP * column, top - row * (STEP + CAPTION)
        axes = place(figure, left, upper - TILE, TILE, TILE)
        _tile(axes, tile, None if number else unit)
        for line, text in enumerate(tile.caption):
            write(figure, left, upper - TILE - 0.1 - 0.095 * line, text, fontsize=5.6)


def bar_of(width: float) -> float:
    """Return a round length of at most a quarter of a ``width``.

    >>> bar_of(50), bar_of(384), bar_of(9)
    (10.0, 50.0, 2.0)
    """
    power = 10.0 ** math.floor(math.log10(width / 4))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= width / 4)


def _tile(axes: Axes, tile: Tile, unit: str | None) -> None:
    """Draw the slice with its marks; the first tile of a block has a bar, whose length is given in its ``unit``."""
    extent = (0.0, tile.width_mm, tile.height_mm, 0.0)
    low, high = tile.window
    axes.imshow(tile.image, extent=extent, vmin=low, vmax=high, interpolation="bilinear", aspect="equal")
    for mark in tile.marks:
        _mark(axes, tile, mark)
    if unit is not None:
        length = bar_of(tile.width_mm)
        left, y = 0.06 * tile.width_mm, 0.94 * tile.height_mm
        axes.plot([left, left + length], [y, y], color="white", linewidth=1.5)
        words = f"{length:g} {unit}"
        label = axes.text(left, y - 0.03 * tile.height_mm, words, color="white", fontsize=5)
        label.set_path_effects([withStroke(linewidth=1, foreground="black")])
    axes.set_xlim(0, tile.width_mm)
    axes.set_ylim(tile.height_mm, 0)
    axes.set_axis_off()


def _mark(axes: Axes, tile: Tile, mark: Mark) -> None:
    """Draw a square for a false positive, and the outline of a lesion, a circle where it is not known."""
    color = COLORS[mark.kind]
    dashes = "dashed" if mark.kind == "missed" else "solid"
    if mark.kind == "false":
        corner, size = (mark.x - mark.radius, mark.y - mark.radius), 2 * mark.radius
        axes.add_patch(Rectangle(corner, size, size, fill=False, ec=color, lw=1.0))
    elif mark.outline is None:
        axes.add_patch(Circle((mark.x, mark.y), mark.radius, fill=False, ec=color, lw=1.0, ls=dashes))
    else:
        rows, columns = mark.outline.shape
        x = (np.arange(columns) + 0.5) * tile.width_mm / columns
        y = (np.arange(rows) + 0.5) * tile.height_mm / rows
        axes.contour(x, y, mark.outline, levels=[0.5], colors=[color], linewidths=1.0, linestyles=dashes)
    if mark.cross is not None:
        axes.plot(*mark.cross, "+", color=color, ms=4, mew=0.8)
