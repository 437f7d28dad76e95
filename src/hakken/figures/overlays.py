"""The overlay figure: slices through found lesions, false positives and missed lesions.

Colour and shape say the same, so that the figure reads in print and for colour-blind readers: a found lesion is a
magenta circle with a cross at the candidate, a false positive a red square, a missed lesion a dashed blue circle.
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
from numpy.typing import NDArray

from hakken.figures.style import GREY, TWO_COLUMNS, Origin, new_figure, place, style, write

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


@dataclass(frozen=True)
class Mark:
    """A finding on a tile: its centre x, y in mm from the tile's left upper corner and its radius in mm.

    ``cross`` is the place of the candidate that found a lesion.
    """

    kind: Kind
    x: float
    y: float
    radius: float
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
    """Tiles of each kind in the order to draw them, how many there are in all, and a line on what is shown."""

    tiles: tuple[Tile, ...]
    totals: dict[Kind, int]
    reading: str
    origin: Origin


def draw_overlays(given: OverlaysInput) -> Figure:
    """Draw a block of tiles for each kind: false positives, missed lesions, found lesions."""
    kinds: tuple[Kind, ...] = ("false", "missed", "found")
    groups = [(kind, [tile for tile in given.tiles if tile.kind == kind]) for kind in kinds]
    rows = [max(1, math.ceil(len(tiles) / COLUMNS)) if tiles else 0 for _, tiles in groups]
    height = 0.62 + sum(0.3 + (count * (STEP + CAPTION) if count else 0.2) for count in rows)
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        top = height - 0.05
        for (kind, tiles), count in zip(groups, rows, strict=True):
            _heading(figure, top - 0.17, kind, len(tiles), given.totals.get(kind, 0))
            top -= 0.27
            _tiles(figure, top, tiles)
            top -= count * (STEP + CAPTION) + 0.03 if count else 0.2
        write(figure, 0.1, 0.3, given.reading, fontsize=6, color=GREY)
    return figure


def _heading(figure: Figure, y: float, kind: Kind, shown: int, total: int) -> None:
    words = {"found": "lowest and highest scores", "false": "highest scores", "missed": "largest first"}[kind]
    text = f"{TITLES[kind]}: {shown} of {total}, {words}" if shown < total else f"{TITLES[kind]}: {total}"
    write(figure, 0.1, y, text, fontsize=7.5, weight="bold", color=DARK[kind])


def _tiles(figure: Figure, top: float, tiles: Sequence[Tile]) -> None:
    """Draw tiles row by row below ``top`` inches."""
    for number, tile in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        left, upper = 0.1 + STEP * column, top - row * (STEP + CAPTION)
        axes = place(figure, left, upper - TILE, TILE, TILE)
        _tile(axes, tile, scale_bar=number == 0)
        for line, text in enumerate(tile.caption):
            write(figure, left, upper - TILE - 0.1 - 0.095 * line, text, fontsize=5.6)


def _tile(axes: Axes, tile: Tile, scale_bar: bool) -> None:
    """Draw the slice with its marks; the first tile of a block has a bar of 10 mm."""
    extent = (0.0, tile.width_mm, tile.height_mm, 0.0)
    low, high = tile.window
    axes.imshow(tile.image, extent=extent, vmin=low, vmax=high, interpolation="bilinear", aspect="equal")
    for mark in tile.marks:
        _mark(axes, mark)
    if scale_bar:
        left, y = 0.06 * tile.width_mm, 0.94 * tile.height_mm
        axes.plot([left, left + 10], [y, y], color="white", linewidth=1.5)
        axes.text(left + 5, y - 0.03 * tile.height_mm, "10 mm", color="white", fontsize=5, ha="center", va="bottom")
    axes.set_xlim(0, tile.width_mm)
    axes.set_ylim(tile.height_mm, 0)
    axes.set_axis_off()


def _mark(axes: Axes, mark: Mark) -> None:
    color = COLORS[mark.kind]
    if mark.kind == "false":
        corner, size = (mark.x - mark.radius, mark.y - mark.radius), 2 * mark.radius
        axes.add_patch(Rectangle(corner, size, size, fill=False, ec=color, lw=1.0))
    else:
        dashes = (0, (3, 1.6)) if mark.kind == "missed" else "solid"
        axes.add_patch(Circle((mark.x, mark.y), mark.radius, fill=False, ec=color, lw=1.0, ls=dashes))
    if mark.cross is not None:
        axes.plot(*mark.cross, "+", color=color, ms=4, mew=0.8)
