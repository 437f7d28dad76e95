"""From a figure to files, the same bytes every time, with its provenance beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from hakken.core.errors import HakkenError
from hakken.core.files import replacing, write_json
from hakken.plots.letters import prepare
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
    _save(figure, paths)
    return paths


def save_one(figure: Figure, path: Path) -> None:
    """Write one picture in the format of its suffix; raises HakkenError for a format that is not offered."""
    _save(figure, [path])


def publish(figure: Figure, output: Sequence[Path], provenance: Mapping[str, Any]) -> None:
    """Write the pictures of ``output`` and, last, its JSON file with the ``provenance``."""
    _save(figure, [path for path in output if path.suffix != ".json"])
    for path in output:
        if path.suffix == ".json":
            write_json(path, dict(provenance))


def _save(figure: Figure, paths: Sequence[Path]) -> None:
    """Write the pictures; letters that no font has are named once."""
    with style():
        prepare(figure)
        for path in paths:
            kind = path.suffix.lstrip(".")
            if kind not in METADATA:
                raise HakkenError(f"{path}: figures are written as {', '.join(FORMATS)}, not as `{kind}`")
            with replacing(path) as temporary:
                figure.savefig(temporary, format=kind, metadata=METADATA[kind])
