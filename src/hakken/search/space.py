"""The search space: parameters with ranges and conditions, as a study file writes them.

`Space` checks the description and the parameters of a trial and knows which parameters are active. How a point of the
unit cube becomes parameters stands in `hakken.search.cube`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.search.trial import Value

Kind = Literal["real", "integer", "categorical"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SCALES = ("linear", "log")
Key = tuple[tuple[str, float], ...]
KEYS = ("type", "low", "high", "scale", "choices", "when", "provenance")
LARGEST_INTEGER = 2**53  # above it not every integer is a float
TOLERANCE = 1e-9  # relative; a real number written as text and read again may leave its range by so much


@dataclass(frozen=True)
class Dimension:
    """One parameter: its kind, its range or choices, and the values of other parameters under which it is active."""

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Value, ...] = ()
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    @property
    def count(self) -> float:
        """How many values the parameter can take; infinite for a range of reals."""
        if self.kind == "categorical":
            return len(self.choices)
        if self.kind == "integer":
            return self.high - self.low + 1
        return 1 if self.low == self.high else math.inf

    def values(self) -> Sequence[Value]:
        """Return all values of a parameter with finite ``count``."""
        if self.kind == "categorical":
            return self.choices
        return range(int(self.low), int(self.high) + 1) if self.kind == "integer" else [self.low]

    def index(self, value: Value) -> int | None:
        """Return the position of ``value`` among the choices, or None."""
        return next((place for place, choice in enumerate(self.choices) if _among(value, (choice,))), None)

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` is one that the parameter can take."""
        if self.kind == "categorical":
            return self.index(value) is not None
        if not _is_number(value) or (self.kind == "integer" and value != math.floor(value)):
            return False
        slack = TOLERANCE * max(abs(self.low), abs(self.high)) if self.kind == "real" else 0.0
        return bool(self.low - slack <= value <= self.high + slack)

    def describe(self) -> str:
        """Say what the parameter can be, for messages."""
        if self.kind == "categorical":
            return f"one of {', '.join(map(repr, self.choices))}"
        kind = "a real number" if self.kind == "real" else "an integer"
        return f"{kind} from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Space:
    """The parameters in the order of the study; ``order`` has parents before those that depend on them."""

    dimensions: tuple[Dimension, ...]
    order: tuple[str, ...]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Space:
        """Build a space from ``search.space`` of a study file: name to mapping, or to an object with the same fields.

        Raises HakkenError that names the parameter, the key and the nearest valid one.
        """
        if not isinstance(mapping, Mapping):
            raise HakkenError(f"search space: a mapping of names to parameters is needed, not {mapping!r}")
        dimensions = tuple(_dimension(str(name), _fields(str(name), entry)) for name, entry in mapping.items())
        by_name = {dimension.name: dimension for dimension in dimensions}
        dimensions = tuple(_with_checked_parents(dimension, by_name) for dimension in dimensions)
        return cls(dimensions, _parents_first(dimensions))

    @cached_property
    def by_name(self) -> dict[str, Dimension]:
        """The parameters by name, in the order of the study."""
        return {dimension.name: dimension for dimension in self.dimensions}

    def __getitem__(self, name: str) -> Dimension:
        return self.by_name[name]

    def active(self, parameters: Mapping[str, Value]) -> tuple[str, ...]:
        """Return the names that are active under ``parameters``, parents first."""
        active: list[str] = []
        for name in self.order:
            when = self[name].when
            if all(
                parent in active and parent in parameters and _among(parameters[parent], allowed)
                for parent, allowed in when.items()
            ):
                active.append(name)
        return tuple(active)

    def check(self, parameters: Mapping[str, Any], where: str = "parameters") -> None:
        """Make sure that ``parameters`` are a point of this space; raises HakkenError naming the first problem."""
        for name, value in parameters.items():
            if name not in self.by_name:
                raise HakkenError(f"{where}: unknown parameter `{name}`{nearest(name, self.by_name)}")
            if not self[name].accepts(value):
                raise HakkenError(f"{where}: `{name}` = {value!r} is not {self[name].describe()}")
        active = set(self.active(parameters))
        for name in self.by_name:
            if name in active and name not in parameters:
                raise HakkenError(f"{where}: `{name}` is missing; it must be {self[name].describe()}")
            if name in parameters and name not in active:
                raise HakkenError(f"{where}: `{name}` is set although its condition {dict(self[name].when)} is not met")

    def grid(self, limit: int) -> list[dict[str, Value]] | None:
        """Return every point of a finite space, or None where there may be more than ``limit``."""
        points: list[dict[str, Value]] = [{}]
        for name in self.order:
            if self[name].count > limit:
                return None
            points = [grown for point in points for grown in self._grown(point, name)]
            if len(points) > limit:
                return None
        return [self.sorted(point) for point in points]

    def _grown(self, point: dict[str, Value], name: str) -> list[dict[str, Value]]:
        """Return ``point`` with every value of the parameter ``name``, or alone where that is inactive."""
        dimension = self[name]
        if not all(parent in point and _among(point[parent], allowed) for parent, allowed in dimension.when.items()):
            return [point]
        return [{**point, name: value} for value in dimension.values()]

    def key(self, parameters: Mapping[str, Value]) -> Key:
        """Return what is equal for equal points, whatever the types and the order of their values."""
        return tuple(
            (name, float(parameters[name]) if (place := self[name].index(parameters[name])) is None else float(place))
            for name in self.order
            if name in parameters
        )

    def sorted(self, parameters: Mapping[str, Value]) -> dict[str, Value]:
        """Return ``parameters`` in the order of the study."""
        return {name: parameters[name] for name in self.by_name if name in parameters}


def _fields(name: str, entry: Any) -> dict[str, Any]:
    """Return the keys of one parameter; those that are None count as absent."""
    if isinstance(entry, Mapping):
        for key in entry:
            if key not in KEYS:
                raise HakkenError(f"search space: `{name}`: unknown key `{key}`{nearest(str(key), KEYS)}")
        fields = dict(entry)
    else:
        fields = {key: getattr(entry, key, None) for key in KEYS}
    return {key: value for key, value in fields.items() if value is not None}


def _dimension(name: str, fields: dict[str, Any]) -> Dimension:
    kind = _member(name, "type", fields.get("type"), KINDS)
    when = {str(parent): _several(allowed) for parent, allowed in fields.get("when", {}).items()}
    if kind == "categorical":
        return Dimension(name, kind, choices=_choices(name, fields), when=when)
    for key in ("low", "high"):
        if not _is_number(fields.get(key)) or not math.isfinite(fields[key]):
            raise HakkenError(f"search space: `{name}`: `{key}` must be a finite number, not {fields.get(key)!r}")
    _refuse(name, fields, ("choices",), kind)
    log = _member(name, "scale", fields.get("scale", "linear"), SCALES) == "log"
    low, high = float(fields["low"]), float(fields["high"])
    _check_range(name, kind, low, high, log)
    return Dimension(name, kind, low, high, log, when=when)


def _check_range(name: str, kind: str, low: float, high: float, log: bool) -> None:
    if low > high:
        raise HakkenError(f"search space: `{name}`: `low` {low:g} is above `high` {high:g}")
    if log and low <= 0:
        raise HakkenError(f"search space: `{name}`: `scale: log` needs `low` above 0, not {low:g}")
    if kind == "integer" and (low != math.floor(low) or high != math.floor(high)):
        raise HakkenError(f"search space: `{name}`: an integer needs whole `low` and `high`, not {low:g} and {high:g}")
    if kind == "integer" and max(abs(low), abs(high)) > LARGEST_INTEGER:
        raise HakkenError(f"search space: `{name}`: integers are exact up to 2^53 = {LARGEST_INTEGER}, not beyond")
    if not math.isfinite(high - low):
        raise HakkenError(f"search space: `{name}`: {low:g} to {high:g} is wider than a number can say")


def _choices(name: str, fields: dict[str, Any]) -> tuple[Value, ...]:
    _refuse(name, fields, ("low", "high"), "categorical")
    choices = fields.get("choices", ())
    if isinstance(choices, str) or not isinstance(choices, Iterable) or not (choices := tuple(choices)):
        raise HakkenError(f"search space: `{name}`: `choices` must be a list of one or more values")
    for choice in choices:
        if not isinstance(choice, bool | int | float | str):
            raise HakkenError(f"search space: `{name}`: choice {choice!r} is neither boolean, number nor text")
        if isinstance(choice, float) and not math.isfinite(choice):
            raise HakkenError(f"search space: `{name}`: choice {choice!r} is not finite")
    if len({(_family(choice), choice) for choice in choices}) < len(choices):
        raise HakkenError(f"search space: `{name}`: a choice stands twice in {list(choices)}")
    return choices


def _refuse(name: str, fields: dict[str, Any], keys: tuple[str, ...], kind: str) -> None:
    for key in keys:
        if key in fields:
            raise HakkenError(f"search space: `{name}`: `{key}` has no meaning for a parameter of type {kind}")


def _member(name: str, key: str, value: Any, known: Sequence[str]) -> Any:
    if value not in known:
        hint = nearest(str(value), known)
        raise HakkenError(f"search space: `{name}`: unknown {key} `{value}`{hint}; known: {', '.join(known)}")
    return value


def _with_checked_parents(dimension: Dimension, by_name: Mapping[str, Dimension]) -> Dimension:
    """Check the conditions of a parameter and write their values as the parent's own."""
    when: dict[str, tuple[Value, ...]] = {}
    for parent, allowed in dimension.when.items():
        where = f"search space: `{dimension.name}`: condition on `{parent}`"
        if parent not in by_name:
            raise HakkenError(f"{where}, which is not in the space{nearest(parent, by_name)}")
        if by_name[parent].kind == "real":
            raise HakkenError(f"{where}, a real number; only integers and choices can be conditions")
        if not allowed:
            raise HakkenError(f"{where} has no value")
        for value in allowed:
            if not by_name[parent].accepts(value):
                raise HakkenError(f"{where}: {value!r} is not {by_name[parent].describe()}")
        when[parent] = tuple(_own(by_name[parent], value) for value in allowed)
    return Dimension(**{**vars(dimension), "when": when})


def _own(parent: Dimension, value: Value) -> Value:
    index = parent.index(value)
    return int(value) if index is None else parent.choices[index]


def _parents_first(dimensions: Sequence[Dimension]) -> tuple[str, ...]:
    """Order the names so that parents come first; raises HakkenError naming the parameters of a cycle."""
    order: list[str] = []
    waiting = {dimension.name: set(dimension.when) for dimension in dimensions}
    while waiting:
        ready = [name for name, parents in waiting.items() if parents <= set(order)]
        if not ready:
            raise HakkenError(f"search space: conditions form a cycle among {', '.join(_cycle(waiting))}")
        order += ready
        waiting = {name: parents for name, parents in waiting.items() if name not in ready}
    return tuple(order)


def _cycle(waiting: Mapping[str, set[str]]) -> list[str]:
    """Return the names along one cycle of a graph in which every name waits for another."""
    path = [next(iter(waiting))]
    while True:
        parent = min(name for name in waiting[path[-1]] if name in waiting)
        if parent in path:
            return [f"`{name}`" for name in path[path.index(parent) :]]
        path.append(parent)


def _several(value: Any) -> tuple[Value, ...]:
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)


def _among(value: Value, allowed: Iterable[Value]) -> bool:
    return any(_family(value) == _family(other) and value == other for other in allowed)


def _family(value: Any) -> str:
    """Booleans, numbers and texts are never equal to one another."""
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
