"""Points of the unit cube and the parameters that they stand for.

Notation: n points, d parameters in the order of the study.
    u       (n, d) float, coordinates in [0, 1]
    active  (n, d) bool, whether a parameter exists under the values of its parents

Integers and choices own equal shares of their axis (integers reach half a step beyond their bounds, so that the lowest
and the highest are as likely as any other). `snap` moves points to the middle of their share and inactive coordinates
to 0.5: two points with equal parameters are then equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hakken.search.space import Dimension, Space
from hakken.search.trial import Value

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
NEUTRAL = 0.5


@dataclass(frozen=True)
class Points:
    """Valid points of a space: coordinates ``u`` (n, d) on the grid and which of them are ``active`` (n, d)."""

    u: Floats
    active: Flags

    def __len__(self) -> int:
        return len(self.u)

    def take(self, rows: NDArray[np.intp] | Flags | slice) -> Points:
        """Return some of the points."""
        return Points(self.u[rows], self.active[rows])

    def join(self, other: Points) -> Points:
        """Return these points and ``other``."""
        return Points(np.vstack([self.u, other.u]), np.vstack([self.active, other.active]))


def snap(space: Space, u: Floats) -> Points:
    """Return the valid points nearest to ``u`` (n, d)."""
    snapped = np.clip(u, 0.0, 1.0)
    active = np.ones(snapped.shape, dtype=bool)
    columns = {name: column for column, name in enumerate(space.by_name)}
    for name in space.order:
        column, dimension = columns[name], space[name]
        snapped[:, column] = to_unit(dimension, from_unit(dimension, snapped[:, column]))
        for parent, allowed in dimension.when.items():
            values = from_unit(space[parent], snapped[:, columns[parent]])
            met = np.isin(values, [_number(space[parent], value) for value in allowed])
            active[:, column] &= active[:, columns[parent]] & met
    return Points(np.where(active, snapped, NEUTRAL), active)


def encode(space: Space, points: Sequence[Mapping[str, Value]]) -> Points:
    """Return the coordinates of parameters that `Space.check` accepts."""
    u = np.full((len(points), len(space.dimensions)), NEUTRAL)
    active = np.zeros(u.shape, dtype=bool)
    for column, dimension in enumerate(space.dimensions):
        rows = [row for row, parameters in enumerate(points) if dimension.name in parameters]
        numbers = np.array([_number(dimension, points[row][dimension.name]) for row in rows], dtype=float)
        u[rows, column] = to_unit(dimension, numbers)
        active[rows, column] = True
    return Points(u, active)


def decode(space: Space, points: Points, row: int) -> dict[str, Value]:
    """Return the parameters of one point as plain booleans, numbers and texts; inactive ones are absent."""
    parameters: dict[str, Value] = {}
    for column, dimension in enumerate(space.dimensions):
        if points.active[row, column]:
            number = float(from_unit(dimension, points.u[row : row + 1, column])[0])
            parameters[dimension.name] = _value(dimension, number)
    return parameters


def from_unit(dimension: Dimension, u: Floats) -> Floats:
    """Return the numbers at coordinates ``u``: the value, or the position among the choices."""
    if dimension.kind == "categorical":
        return np.minimum(np.floor(u * len(dimension.choices)), len(dimension.choices) - 1)
    low, high = _borders(dimension)
    numbers = np.exp(low + u * (high - low)) if dimension.log else low + u * (high - low)
    whole = np.rint(numbers) if dimension.kind == "integer" else numbers
    return np.clip(whole, dimension.low, dimension.high)


def to_unit(dimension: Dimension, numbers: Floats) -> Floats:
    """Return the coordinates of ``numbers`` as `from_unit` gives them; 0.5 where there is only one value.

    Neighbouring numbers may have the same logarithm: their axis has no length, and there is one value on it too.
    """
    if dimension.count == 1:
        return np.full(numbers.shape, NEUTRAL)
    if dimension.kind == "categorical":
        return (numbers + 0.5) / len(dimension.choices)
    low, high = _borders(dimension)
    if low == high:
        return np.full(numbers.shape, NEUTRAL)
    return np.clip(((np.log(numbers) if dimension.log else numbers) - low) / (high - low), 0.0, 1.0)


def _borders(dimension: Dimension) -> tuple[float, float]:
    """Return the ends of an axis, on its scale."""
    margin = 0.5 if dimension.kind == "integer" else 0.0
    low, high = dimension.low - margin, dimension.high + margin
    return (float(np.log(low)), float(np.log(high))) if dimension.log else (low, high)


def _number(dimension: Dimension, value: Value) -> float:
    place = dimension.index(value)
    return float(value) if place is None else float(place)


def _value(dimension: Dimension, number: float) -> Value:
    if dimension.kind == "categorical":
        return dimension.choices[int(number)]
    return int(number) if dimension.kind == "integer" else number
