"""From a figure to files, the same bytes every time, with its provenance beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from hakken.core.errors import HakkenError
from hakken.core.files import replacing, write_json
from hakken.plots.footnotes import write_footnotes
from hakken.plots.style import style

# Neither dates nor versions: a figure drawn again from the same numbers is the same file.
METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
FORMATS = tuple(METADATA)


def save(figure: Figure, stem: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write ``stem``.pdf, .svg and .png, each in one step, and return their paths."""
    paths = [stem.with_name(f"{stem.name}.{kind}") for kind in formats]
    for path in paths:
        save_one(figure, path)
    return paths


def save_one(figure: Figure, path: Path, *, below: float = 0.0) -> None:
    """Write one picture in the format of its suffix, with ``below`` inches beneath its lower edge.

    Raises HakkenError for a format that is not offered.
    """
    kind = path.suffix.lstrip(".")
    if kind not in METADATA:
        raise HakkenError(f"{path}: figures are written as {', '.join(FORMATS)}, not as `{kind}`")
    with style(), replacing(path) as temporary:
        wide, high = figure.get_size_inches()
        region = Bbox([[0, -below], [wide, high]]) if below else None
        figure.savefig(temporary, format=kind, metadata=METADATA[kind], bbox_inches=region)


def save_warned(figure: Figure, path: Path, warnings: Sequence[str]) -> None:
    """Write one picture with what warns of its numbers below it; raises HakkenError as `save_one`."""
    with style():
        below = write_footnotes(figure, warnings)
    save_one(figure, path, below=below)


def publish(
    figure: Figure, output: Sequence[Path], provenance: Mapping[str, Any], warnings: Sequence[str] = ()
) -> None:
    """Write the pictures of ``output``, with ``warnings`` below, and, last, its JSON file with the ``provenance``."""
    with style():
        below = write_footnotes(figure, warnings)
    for path in output:
        if path.suffix != ".json":
            save_one(figure, path, below=below)
    for path in output:
        if path.suffix == ".json":
            write_json(path, dict(provenance))
