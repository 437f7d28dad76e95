"""How lesions are given in a table: spheres in mm, or discs of flat images, in mm or in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hakken.core.headings import read_known
from hakken.core.tables import Table

POINT = ("x", "y", "z")


@dataclass(frozen=True)
class Shape:
    """What a lesion is: ``flat`` ones are discs and need no z; diameters are in ``length``, mm or px."""

    flat: bool = False
    length: str = "mm"

    @property
    def axes(self) -> tuple[str, ...]:
        """The columns of a place."""
        return POINT[:2] if self.flat else POINT

    @property
    def diameter(self) -> str:
        """The column of the diameter."""
        return f"diameter_{self.length}"


SPHERES = Shape()


def shape_of(lesions: Path | None, cases: Table) -> Shape:
    """Return what the lesions are of a table, of a folder of tables, or of those that the ``cases`` name.

    They are flat where `z` is missing beside a diameter, or where diameters are in pixels (`diameter_px`).
    """
    first = next(iter(_files(lesions, cases)), None)
    if first is None or not first.is_file():
        return SPHERES
    found = read_known(first, (), (*POINT, "diameter_mm", "diameter_px"), others=True)
    if "diameter_px" in found and "diameter_mm" not in found:
        return Shape(flat=True, length="px")
    return Shape(flat="diameter_mm" in found and "z" not in found)


def _files(lesions: Path | None, cases: Table) -> list[Path]:
    if lesions is None:
        cells = cases.cells.get("lesion_table", [])
        return [cases.path.parent / cell for cell in cells if cell and cell.lower() != "none"]
    return [*sorted(lesions.glob("*.csv")), *sorted(lesions.glob("*/lesions.csv"))] if lesions.is_dir() else [lesions]
