"""What a study names and other folders hold: methods, outcomes, phantoms, as the validation of a study needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.study.section import Section, Value, conditions_of


def plugged(kind: plugins.Kind, name: str) -> ModuleType:
    """Return the module of a name; raises ValueError where there is none, as pydantic wants it of a validator."""
    try:
        return plugins.load(kind, name)
    except HakkenError as error:
        raise ValueError(str(error)) from None


def read_section(section: type[Section], content: Any, *place: str) -> Section:
    """Return ``content`` as a section; the errors that are raised say that it stands at ``place`` of what is read."""
    try:
        return section.model_validate(content)
    except ValidationError as error:
        lines: list[InitErrorDetails] = [
            {"type": _kind(line), "loc": (*place, *line["loc"]), "input": line["input"], "ctx": line.get("ctx", {})}
            for line in error.errors()
        ]
        raise ValidationError.from_exception_data(section.__name__, lines) from None


def _kind(line: Any) -> Any:
    return line["type"]


def without_effect(section: Section, given: Iterable[str], searched: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each key of ``given`` that has no effect beside the others, with the reason.

    ``given`` are the names of the keys that a study file writes, ``searched`` is its search space, whose values a
    condition may be met by.
    """
    found = []
    for name in given:
        for other, values in conditions_of(type(section), name).items():
            known = _possible(getattr(section, other), searched.get(other))
            if known is not None and not any(value in values for value in known):
                wanted = " or ".join(f"`{_written(value)}`" for value in values)
                found.append((name, f"has an effect only where `{other}` is {wanted}; it is `{_written(known[0])}`"))
    return found


def _possible(value: Value, entry: Any) -> tuple[Value, ...] | None:
    """Return the values that a key can have in the study; None for a range of numbers."""
    if entry is None:
        return (value,)
    choices = entry.get("choices") if isinstance(entry, Mapping) else entry.choices
    return tuple(choices) if choices else None


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
