"""A sketch of what is said or true of a case: so many sums that another content is told from the same one.

Sums are taken and not a digest, since another machine computes the last digits differently. What differs by more than
`TOLERANCE`, relative to what a sum adds up, is another content. The order of the rows of a table does not count; which
values stand in one row does, and the place of every value of an array. Beside plain sums each row, or each place, goes
into `DIRECTIONS` sums of cosines whose frequencies derive from the names of the columns and axes: values that are
exchanged, moved or mirrored leave plain sums as they are, but not these.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-6
DIRECTIONS = 8
NOT_A_NUMBER = -0.7  # what NaN counts as: a value of its own
Floats = NDArray[np.float64]
Sum = tuple[float, float]
"""A sum, and the size of what it adds up, at which differences are looked at; of size 0 it is exact."""
Sketch = Mapping[str, Mapping[str, Sequence[Sequence[float]]]]
"""The sums (`Sum`) of each part of what is said of each case, by a hash of its id."""


@dataclass(frozen=True, eq=False)
class _Rows:
    """A table whose rows may stand in any order: ``values`` (rows, columns)."""

    names: tuple[str, ...]
    values: Floats


def sketch(value: Any) -> dict[str, list[Sum]]:
    """Return the sums of each part of a value by where it stands.

    Arrays, mappings, sequences, data classes, numbers and text are walked through. A sequence of like objects, and an
    object that is nothing but arrays of one length, are tables.

    >>> sketch([{"x": 1.0, "score": 0.5}, {"x": 3.0, "score": 1.5}])["x"]
    [(2.0, 0.0), (4.0, 4.0), (10.0, 10.0)]
    """
    found: dict[str, list[Sum]] = {}
    for path, part in _parts(value, ""):
        if isinstance(part, _Rows):
            found |= {_below(path, name): _of_column(part.values[:, place]) for place, name in enumerate(part.names)}
            found[_below(path, "*")] = _of_rows(part)
        else:
            found[path] = _of_places(part)
    return found


def sketch_of_cases(values: Mapping[str, Any]) -> dict[str, dict[str, list[Sum]]]:
    """Return the sketch of each case, by a hash of what it is known by: no name, or a renamed case would be another."""
    return {
        hashlib.sha256(f"hakken case {name}".encode()).hexdigest()[:16]: sketch(one) for name, one in values.items()
    }


def same(one: Sketch, other: Sketch) -> bool:
    """Whether two sketches are of the same cases and differ by no more than the tolerance."""
    return one.keys() == other.keys() and all(_alike(one[case], other[case]) for case in one)


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(_near(one[name], other[name]) for name in one)


def _near(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> bool:
    if len(one) != len(other):
        return False
    return all(
        value == again or abs(value - again) <= TOLERANCE * max(size, size_again)
        for (value, size), (again, size_again) in zip(one, other, strict=True)
    )


def _of_column(values: Floats) -> list[Sum]:
    """Return how many there are, their sum and that of their squares."""
    squares = float(np.square(values).sum())
    return [(float(values.size), 0.0), (float(values.sum()), float(np.abs(values).sum())), (squares, squares)]


def _of_rows(rows: _Rows) -> list[Sum]:
    """Return sums over the rows of cosines of all columns together, each in units of its root mean square."""
    scale = np.sqrt(np.square(rows.values).mean(axis=0)) if len(rows.values) else np.ones(len(rows.names))
    values = rows.values / np.where(scale > 0, scale, 1.0)
    weights = np.stack([_drawn(f"column {name}") for name in rows.names]) * 3 + 1  # (columns, directions)
    size = float(len(values) * weights.sum() / DIRECTIONS)
    return [(float(one), size) for one in np.cos(values @ weights + _drawn("rows") * 6).sum(axis=0)]


def _of_places(array: NDArray[Any]) -> list[Sum]:
    """Return shape, sum, sum of squares, and sums that tell where each value stands, over slabs of the first axis."""
    if not array.ndim:
        return [(float(array), abs(float(array)))]
    shape: list[Sum] = [(float(count), 0.0) for count in array.shape]
    total = size = squares = 0.0
    placed = np.zeros(DIRECTIONS)
    waves = [_waves(axis, count) for axis, count in enumerate(array.shape)]
    for slab, along in zip(array, waves[0], strict=True):
        values = _finite(slab)
        total += float(values.sum())
        size += float(np.abs(values).sum())
        squares += float(np.square(values).sum())
        placed += along * _contracted(values, waves[1:])
    return [*shape, (total, size), (squares, squares), *((float(one), size) for one in placed)]


def _contracted(values: Floats, waves: Sequence[Floats]) -> Floats:
    """Return the sums (directions,) of an array times one wave (places, directions) of each of its axes."""
    if not waves:
        return np.full(DIRECTIONS, float(values))
    found = np.tensordot(values, waves[-1], (-1, 0))  # the last axis becomes that of the directions
    for wave in reversed(waves[:-1]):
        found = (found * wave).sum(axis=-2)
    return np.asarray(found, float)


def _waves(axis: int, count: int) -> Floats:
    """Return for each place of an axis a number of each direction, (places, directions); none of them repeats."""
    return np.cos(np.arange(count)[:, None] * (_drawn(f"axis {axis}") * 2 + 0.5) + _drawn(f"phase {axis}") * 6)


def _drawn(name: str) -> Floats:
    """Return numbers from 0 to 1, one for each direction, that derive from a name alone."""
    words = np.frombuffer(hashlib.sha256(f"hakken sketch {name}".encode()).digest(), ">u4")
    return words[:DIRECTIONS].astype(float) / 2**32


def _parts(value: Any, path: str) -> Iterator[tuple[str, NDArray[Any] | _Rows]]:
    """Yield the tables and arrays of a value by where they stand in it."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        yield path, value
    elif (number := _number(value)) is not None:
        yield path, np.array(number)
    elif (rows := _rows_of(value)) is not None:
        yield path, rows
    else:
        for name, one in _members(value):
            yield from _parts(one, _below(path, name))


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a value consists of, by name or number."""
    if isinstance(value, Mapping):
        yield from ((str(key), one) for key, one in value.items())
    elif dataclasses.is_dataclass(value):
        yield from ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    else:
        yield from ((str(place), one) for place, one in enumerate(value))


def _rows_of(value: Any) -> _Rows | None:
    """Return the table that a value is: objects with the same plain members, or an object of arrays of one length."""
    if isinstance(value, Mapping):
        return None
    members = [one for _, one in _members(value)]
    if dataclasses.is_dataclass(value):
        return _rows_of_arrays(dict(_members(value)))
    if not members or any(isinstance(one, np.ndarray) or _number(one) is not None for one in members):
        return None
    cells = [[(name, _number(cell)) for name, cell in _members(one)] for one in members]
    names = [name for name, _ in cells[0]]
    if any(cell is None for row in cells for _, cell in row) or any(
        [name for name, _ in row] != names for row in cells
    ):
        return None
    return _Rows(tuple(names), _finite([[cell for _, cell in row] for row in cells]))


def _rows_of_arrays(fields: Mapping[str, Any]) -> _Rows | None:
    arrays = {name: one for name, one in fields.items() if one is not None}
    columns = {name: one for name, one in arrays.items() if isinstance(one, np.ndarray) and one.ndim in (1, 2)}
    if len(columns) < len(arrays) or len(columns) < 2 or len({len(one) for one in columns.values()}) > 1:
        return None
    flat = {name: one.reshape(len(one), math.prod(one.shape[1:])) for name, one in columns.items()}
    names = [f"{name}.{place}" for name, one in flat.items() for place in range(one.shape[1])]
    return _Rows(tuple(names), _finite(np.concatenate(list(flat.values()), axis=1)))


def _number(value: Any) -> float | None:
    """Return a plain value as a number, text as one made of its digest; None of what is no plain value."""
    if isinstance(value, bool | int | float | np.generic):
        return float(value)
    if value is None or isinstance(value, str):
        return int(hashlib.sha256(f"{value}".encode()).hexdigest()[:8], 16) / 16**8
    return None


def _finite(values: Any) -> Floats:
    found: Floats = np.nan_to_num(np.asarray(values, float), nan=NOT_A_NUMBER)
    return found


def _below(path: str, name: str) -> str:
    return f"{path}.{name}".strip(".")
