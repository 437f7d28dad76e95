"""Public data sets are never downloaded: a local copy is given, or found in one of the usual places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hakken.core.errors import HakkenError

PLACES = ("data", "../shared/data", "shared/data", "../data")


def find_local_copy(name: str, what: str, inner: Sequence[str], folder: Path | None = None) -> Path:
    """Return the folder of a data set: ``folder`` itself, else the first of `PLACES` / ``name``.

    It must hold the folders ``inner``. Raises HakkenError that names every place where it looked; ``what`` is the data
    set in words, with its verb, as in `the chest X-rays were`.
    """
    places = [folder] if folder is not None else [Path(place) / name for place in PLACES]
    for place in places:
        if all((place / part).is_dir() for part in inner):
            return place
    looked = ", ".join(str(place.absolute()) for place in places)
    raise HakkenError(
        f"{what} not found; looked for the folders {', '.join(inner)} in {looked}; "
        f"give the folder, or link it as data/{name}"
    )
