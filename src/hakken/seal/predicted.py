"""What models said of opened cases, in so many numbers that other predictions are told from the same ones.

Of the predictions and of the truth of each case a few sums are kept beside the opening. Predictions that differ by more
than `TOLERANCE`, relatively, are not those that the opening was for: they count as another opening. Another machine, or
predicting again, changes less.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.cohort.parts import writing_openings
from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.core.publish import create
from hakken.seal.guard import Opened
from hakken.seal.openings import BACKUP, Opening, again, append
from hakken.seal.receipts import FOLDER, write_receipt

TOLERANCE = 1e-6
Sums = tuple[float, ...]
Sketch = Mapping[str, Mapping[str, Sums]]
"""A few sums of each column of what is said of each case, by a hash of what the case is known by."""


def sketch(value: Any) -> dict[str, Sums]:
    """Return a few sums of each column of numbers in a value: how many, their sum, of sizes, squares, places, products.

    Arrays, mappings, sequences, data classes, numbers and text are walked through. The order of the rows of a table
    does not count; which values stand in one row does, and the place of values in arrays of several dimensions.

    >>> sketch([{"x": 1.0, "score": 0.5}, {"x": 3.0, "score": 1.5}])["score"]
    (2.0, 2.0, 2.0, 2.5, 0.0, 5.0)
    """
    columns: dict[str, list[NDArray[np.float64]]] = {}
    for path, array in _arrays(value, ""):
        columns.setdefault(path, []).append(array)
    whole = {
        path: found[0] if len(found) == 1 else np.concatenate([one.ravel() for one in found])
        for path, found in columns.items()
    }
    names = sorted(whole)
    return {name: _sums(whole[name], whole[names[(place + 1) % len(names)]]) for place, name in enumerate(names)}


def sketch_of_cases(values: Mapping[str, Any]) -> dict[str, dict[str, Sums]]:
    """Return the sketch of each case, by a hash of what it is known by: no name, or a renamed case would be another."""
    return {
        hashlib.sha256(f"hakken case {name}".encode()).hexdigest()[:16]: sketch(one) for name, one in values.items()
    }


def same(one: Sketch, other: Sketch) -> bool:
    """Whether two sketches are of the same cases and differ by no more than the tolerance."""
    return one.keys() == other.keys() and all(_alike(one[case], other[case]) for case in one)


def _alike(one: Mapping[str, Sums], other: Mapping[str, Sums]) -> bool:
    return one.keys() == other.keys() and all(_near(one[name], other[name]) for name in one)


def _near(one: Sums, other: Sums) -> bool:
    """Whether sums are the same; a sum in which signs cancel is compared at the size of what it adds up."""
    sizes = np.maximum(np.abs(one), np.abs(other))
    sizes[1] = max(one[2], other[2])
    return one[0] == other[0] and bool(np.all(np.abs(np.subtract(one, other)) <= TOLERANCE * sizes + 1e-12))


def record(ledger: Path, results: Path, opened: Opened, model: str, found: Sketch) -> Opening:
    """Return the opening that predictions of a model belong to.

    That is the last one for the same models and cases; where other predictions are written down there, another one is
    added. Raises HakkenError where what was written down has vanished on one side.
    """
    mine = [one for one in opened.known if one.same_cases(opened.opening)]
    while not _agrees(ledger, results, mine[-1], model, found):
        mine = _another(ledger, results, mine, model)
    return mine[-1]


def _agrees(ledger: Path, results: Path, opening: Opening, model: str, found: Sketch) -> bool:
    """Whether predictions are those that are written down of an opening, or the first ones."""
    name = f"{opening.number:04d}.{model}.json"
    path, receipt = ledger / name, results / FOLDER / name
    if not path.is_file() and receipt.is_file():
        raise HakkenError(f"{path}: missing, but {receipt} is its receipt; {BACKUP}")
    content = {
        "opening": opening.hash,
        "model": model,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "sketch": {case: {name: list(sums) for name, sums in one.items()} for case, one in found.items()},
    }
    with writing_openings(ledger):
        create(path, content)
    known = read_json(path)
    if receipt.is_file() and read_json(receipt) != known:
        raise HakkenError(f"{path}: is not what its receipt {receipt} says; {BACKUP}")
    if known["opening"] != opening.hash:
        raise HakkenError(f"{path}: belongs to another opening than {opening.number}; {BACKUP}")
    create(receipt, known)
    return same(found, known["sketch"])


def _another(ledger: Path, results: Path, mine: list[Opening], model: str) -> list[Opening]:
    """Return the openings of the same models and cases after one was added, by this run or by another."""
    last = mine[-1]
    reason = f"predictions or truth of {model} differ from those of opening {last.number}"
    later: list[Opening] = []

    def wanted(openings: tuple[Opening, ...]) -> Opening | None:
        later[:] = [one for one in openings if one.same_cases(last) and one.number > last.number]
        return None if later else again(last, reason)

    added = append(ledger, wanted)
    if added is not None:
        later = [added]
        write_receipt(results, added)
    return [*mine, *later]


def _sums(array: NDArray[np.float64], beside: NDArray[np.float64]) -> Sums:
    values, others = np.nan_to_num(array), np.nan_to_num(beside)
    sizes = np.abs(values)
    places = 0.0
    if array.ndim > 1:
        for axis, count in enumerate(array.shape):
            along = sizes.sum(axis=tuple(other for other in range(array.ndim) if other != axis))
            places += float(along @ np.arange(count))
    products = float(np.abs(values * others).sum()) if array.shape == beside.shape and beside is not array else 0.0
    return (
        float(array.size),
        float(values.sum()),
        float(sizes.sum()),
        float(np.square(values).sum()),
        places,
        products,
    )


def _arrays(value: Any, path: str) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield the columns of a value by where they stand in it; text is a number made of its digest."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        yield path, np.asarray(value, float)
    elif isinstance(value, bool | int | float | np.generic):
        yield path, np.array([float(value)])
    elif isinstance(value, str):
        yield path, np.array([int(hashlib.sha256(value.encode()).hexdigest()[:8], 16) / 16**8])
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _arrays(one, f"{path}.{key}".lstrip("."))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _arrays(getattr(value, field.name), f"{path}.{field.name}".lstrip("."))
    elif isinstance(value, Sequence | np.ndarray):
        for one in value:
            yield from _arrays(one, path)
