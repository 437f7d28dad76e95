"""Whether what is learnt from and measured on is still what was written: prepared cases, patches, predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from hakken.imaging.cases import Case
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.patches.shards import CONTENTS, PatchStore
from hakken.runs.predictions import MANIFEST, verified


def require_as_written(cases: Iterable[Case], full: bool = False) -> None:
    """Raise HakkenError naming a file of a prepared case that is not the one that was written.

    Unless ``full``, only files are read that were touched since they were last read.
    """
    for case in cases:
        if isinstance(case, PreparedCase):
            case.require_as_written(full)


def require_whole(folder: Path) -> None:
    """Read every byte of a folder of patches, of prepared cases or of predictions.

    Raises HakkenError naming a file that is not the one that was written.
    """
    if (folder / CONTENTS).is_file():
        PatchStore.open(folder, verify="all")
    elif (folder / MANIFEST).is_file():
        verified(folder)
    else:
        require_as_written(prepared_cases(folder), full=True)


def data_folders(results: Path) -> Iterator[Path]:
    """Yield the folders of prepared cases, of patches and of predictions below ``results``, in the order of names."""
    found = {path.parent for name in (CONTENTS, MANIFEST) for path in results.rglob(name)}
    found |= {path.parent for path in results.rglob("prepared/*/*.mask.npy")}
    yield from sorted(found)
