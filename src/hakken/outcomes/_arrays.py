"""One array a case, as NumPy files of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.case_ids import file_name
from hakken.core.errors import HakkenError
from hakken.core.files import replacing

Predictions = Mapping[str, NDArray[Any]]


def array_file(folder: Path, case_id: str) -> Path:
    """Return the file of a case's array."""
    return folder / f"{file_name(case_id)}.npy"


def write_arrays(folder: Path, found: Predictions, case_ids: Sequence[str], dtype: str) -> None:
    """Write the array of each case as a file of its own."""
    for case_id in case_ids:
        with replacing(array_file(folder, case_id)) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.asarray(found[case_id]).astype(dtype), allow_pickle=False)


def read_arrays(
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]],
    further: Mapping[str, tuple[int, ...]] = {},
) -> dict[str, NDArray[Any]]:
    """Return the arrays by case, memory-mapped; raises HakkenError naming one that is missing or of another shape.

    ``further`` are shapes that are as good.
    """
    found: dict[str, NDArray[Any]] = {}
    for case_id, shape in shapes.items():
        path = array_file(folder, case_id)
        try:
            found[case_id] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise HakkenError(f"{path}: cannot be read ({error}); predict again") from None
        if found[case_id].shape not in (shape, further.get(case_id)):
            raise HakkenError(f"{path}: holds {found[case_id].shape}, the case {shape}; predict again")
    return found
