"""Lesions of a case as a table: spheres, and in flat images circles or boxes.

| columns | what a row is |
| --- | --- |
| `x, y, z, diameter_mm` | a sphere, in mm, LPS; in a flat image a circle, and `z` may be missing |
| `x, y, diameter_px` | a circle of a flat image, in pixels: the centre of the first pixel is (0, 0) |
| `x, y, diameter` | a circle of a flat image, in its own unit: mm, or px of a picture of unknown pixel size |
| `x1, y1, x2, y2` | a box of a flat image, in pixels from the corner of the first: 0, 0, 2, 1 are two pixels |
| `x, y, width, height` | the same box by its upper left corner, as COCO has it |

`lesion` numbers the rows, which are 1, 2, 3 ... without it; `class` may stand in any of them, and `kind`: `included`
(as an empty cell is) or `excluded`. Where there is a `case_id`, the rows of other cases are left out, so that cases may
share a table. Names of columns may hold their unit (`X (mm)`, `x_mm`), or be those of LUNA16 (`coordX`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.headings import called
from hakken.core.names import plain
from hakken.core.tables import Table, read_table
from hakken.core.volume import Geometry
from hakken.imaging.lesions import MOST, equivalent_diameter, size_of
from hakken.imaging.prepared import Kind, Lesion

COLUMNS = ("lesion", "x", "y", "z", "diameter_mm")
"""The columns of the tables that hakken writes."""
CORNERS, COCO = ("x1", "y1", "x2", "y2"), ("x", "y", "width", "height")
DIAMETERS = ("diameter_mm", "diameter_px", "diameter")
KNOWN = (*COLUMNS, *DIAMETERS[1:], *CORNERS, *COCO[2:], "class", "kind", "case_id")
WITH_UNIT = {"xmm": "x", "ymm": "y", "zmm": "z", "diametermm": "diameter_mm", "diameterpx": "diameter_px"}
BRACKETS = str.maketrans("", "", "()[]")
Floats = NDArray[np.float64]
Shape = tuple[Floats, float, float, tuple[float, float] | None]
"""Centre (3,) x, y, z, diameter, size, and width and height of a box; all in the unit of the image."""


def read_lesion_table(path: Path, geometry: Geometry, case_id: str | None = None) -> tuple[Lesion, ...]:
    """Return the lesions of a table that belongs to an image on ``geometry``, in the unit of the image.

    Of a table with a column ``case_id`` they are those of the case. Raises HakkenError naming the row of whatever is
    missing, no number, not positive or there twice, for boxes and pixels of a volume, for mm where no size of a pixel
    is known, and where all rows are of other cases.
    """
    table = _of_case(read_table(path, optional=KNOWN, rename=_called), case_id)
    read = _reader(table, geometry)
    classes = table.cells.get("class", [""] * len(table))
    kinds = _kinds(table)
    found: dict[int, Lesion] = {}
    for entry, number in enumerate(_lesion_numbers(table)):
        centre, diameter, size, extent = read(entry)
        if number in found:
            raise table.error(entry, "lesion", f"lesion {number} stands there twice; number the lesions 1, 2, 3 ...")
        x, y, z = centre.tolist()
        found[number] = Lesion(number, x, y, z, diameter, size, kinds[entry], classes[entry] or None, extent)
    return tuple(found.values())


def read_lesion_classes(path: Path, case_id: str | None = None) -> dict[int, str]:
    """Return the class of each lesion of a mask by its number, from the columns `lesion` and `class` of a table.

    Of a table with a column ``case_id`` they are those of the case. Raises HakkenError naming a missing column, and the
    row of a number that is none or stands there twice.
    """
    _require_named(path, ("lesion", "class"))
    table = _of_case(read_table(path, optional=KNOWN, rename=_called), case_id)
    found: dict[int, str] = {}
    for entry, (number, name) in enumerate(zip(_lesion_numbers(table), table.cells["class"], strict=True)):
        if number in found:
            raise table.error(entry, "lesion", f"lesion {number} stands there twice; number the lesions 1, 2, 3 ...")
        found[number] = name
    return found


def _called(heading: Sequence[str]) -> list[str]:
    """Return the heading with what is known under its own name.

    >>> _called(["coordX", "Y [mm]", "z", "Diameter (mm)", "note"])
    ['x', 'y', 'z', 'diameter_mm', 'note']
    """
    found = called(heading, KNOWN)
    for place, name in enumerate(found):
        known = WITH_UNIT.get(plain(name).translate(BRACKETS))
        if known is not None and known not in found:
            found[place] = known
    return found


def _of_case(table: Table, case_id: str | None) -> Table:
    """Return the rows of a case, all of them where the table names no cases; HakkenError where it names others."""
    if case_id is None or "case_id" not in table or not len(table):
        return table
    names = table.text("case_id")
    chosen = [entry for entry, name in enumerate(names) if name == case_id]
    if not chosen:
        others = list(dict.fromkeys(names))
        shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        raise HakkenError(
            f"{table.path}: column case_id: no row is of case {case_id} (there are {shown}); name the table of this "
            "case, or write `none` for it if it has no lesions"
        )
    cells = {name: [column[entry] for entry in chosen] for name, column in table.cells.items()}
    return Table(table.path, cells, [table.rows[entry] for entry in chosen])


def _kinds(table: Table) -> list[Kind]:
    """Return of each row whether its lesion counts; raises HakkenError for other words."""
    cells = table.cells.get("kind", [""] * len(table))
    known: dict[str, Kind] = {"": "included", "included": "included", "excluded": "excluded"}
    for entry, cell in enumerate(cells):
        if cell not in known:
            raise table.error(entry, "kind", f"`{cell}` is neither `included` nor `excluded`; write one of them")
    return [known[cell] for cell in cells]


def _reader(table: Table, geometry: Geometry) -> Callable[[int], Shape]:
    """Return what reads the shape of an entry, by the columns that the table has."""
    diameters = [name for name in DIAMETERS if name in table]
    if diameters:
        return _round_reader(table, geometry, diameters[0])
    for columns in (CORNERS, COCO):
        if all(name in table for name in columns):
            return _box_reader(table, geometry, columns)
    if geometry.unit == "mm":
        _require_named(table.path, COLUMNS[1:])
    there = ", ".join(read_table(table.path).columns)
    raise HakkenError(
        f"{table.path}: column diameter_px is missing; the table needs x, y, diameter_px or x1, y1, x2, y2; there are "
        f"{there}"
    )


def _require_named(path: Path, columns: Sequence[str]) -> None:
    """Raise HakkenError that says which of the columns of a table is missing, and which there are."""
    read_table(path, columns, rename=_called)


def _round_reader(table: Table, geometry: Geometry, column: str) -> Callable[[int], Shape]:
    """Return what reads a sphere or a circle whose diameter stands in ``column``."""
    _check_unit(table, geometry, column)
    flat, pixels = geometry.is_flat, column == "diameter_px"
    axes = ("x", "y") if pixels or (flat and "z" not in table) else ("x", "y", "z")
    if any(name not in table for name in axes):
        _require_named(table.path, (*axes, column))
    places = np.stack([table.numbers(name) for name in axes], axis=1)
    if len(axes) == 2:
        places = _in_plane(places, geometry, pixels)
    diameters = table.numbers(column) * (geometry.spacing[0] if pixels else 1.0)

    def read(entry: int) -> Shape:
        diameter = float(diameters[entry])
        if diameter <= 0:
            cell = table.cells[column][entry]
            unit = "pixels" if geometry.unit == "px" or pixels else "mm"
            raise table.error(entry, column, f"{float(cell):g} is no diameter; give {unit} above 0")
        return places[entry], diameter, size_of(diameter, flat), None

    return read


def _in_plane(places: Floats, geometry: Geometry, pixels: bool) -> Floats:
    """Return points (n, 3) x, y, z of the slice of a flat image from their x, y (n, 2), in pixels or in its unit."""
    if pixels:
        return geometry.to_world(np.concatenate([np.zeros((len(places), 1)), places[:, ::-1]], axis=1))
    return np.concatenate([places, np.full((len(places), 1), geometry.origin[2])], axis=1)


def _box_reader(table: Table, geometry: Geometry, columns: tuple[str, ...]) -> Callable[[int], Shape]:
    """Return what reads a box, given in pixels by two corners, or by one with width and height."""
    if not geometry.is_flat:
        raise HakkenError(
            f"{table.path}: {', '.join(columns)} are boxes, but the image is a volume; give its lesions as a mask or "
            f"as {', '.join(COLUMNS[1:])}"
        )
    values = np.stack([table.numbers(name) for name in columns], axis=1)
    if len(values) and values.max() <= 1 and (values % 1).any():
        raise HakkenError(
            f"{table.path}: {', '.join(columns)} are all between 0 and 1, as shares of the image; give them in pixels"
        )
    first, last = values[:, :2], values[:, 2:] + (values[:, :2] if columns == COCO else 0)
    sx, sy, _ = geometry.spacing
    centres = _in_plane((first + last) / 2 - 0.5, geometry, pixels=True)

    def read(entry: int) -> Shape:
        width, height = (last[entry] - first[entry]).tolist()
        if min(width, height) <= 0:
            column = columns[2 if width <= 0 else 3]
            raise table.error(entry, column, f"the box is {width:g} wide and {height:g} high; give pixels above 0")
        extent = (width * sx, height * sy)
        return centres[entry], equivalent_diameter(extent[0] * extent[1], flat=True), extent[0] * extent[1], extent

    return read


def _check_unit(table: Table, geometry: Geometry, column: str) -> None:
    """Raise HakkenError where the unit of a diameter is not one that the image has."""
    if column == "diameter_mm" and geometry.unit == "px":
        raise HakkenError(
            f"{table.path}: column diameter_mm: how large a pixel of this picture is in mm is not known; give the "
            "study `cohort.pixel_mm`, or x, y, diameter_px"
        )
    if column != "diameter_mm" and not geometry.is_flat:
        raise HakkenError(f"{table.path}: column {column}: the image is a volume; give x, y, z, diameter_mm")
    sx, sy, _ = geometry.spacing
    if column == "diameter_px" and abs(sx - sy) > 1e-3 * sx:
        raise HakkenError(f"{table.path}: column diameter_px: the pixels are not square ({sx:g} x {sy:g} mm); give mm")


def _lesion_numbers(table: Table) -> list[int]:
    if "lesion" not in table:
        return list(range(1, len(table) + 1))
    numbers = table.numbers("lesion")
    for entry, number in enumerate(numbers.tolist()):
        if number < 1 or number != int(number) or number > MOST:
            cell = table.cells["lesion"][entry]
            raise table.error(entry, "lesion", f"`{cell}` is no lesion number; number the lesions 1, 2, 3 ...")
    return [int(number) for number in numbers]
