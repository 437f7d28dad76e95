"""The base of every section of a study file, and the types that sections share.

Results depend on the keys of a section that differ from their defaults. A default that is changed is therefore
announced: `version` of its section rises, and what was made with the old default is made again.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NAME = r"[A-Za-z0-9][A-Za-z0-9_]*"
Name = Annotated[str, Field(pattern=f"^{NAME}$")]
Positive = Annotated[float, Field(gt=0)]
Value = bool | int | float | str
Spacing = tuple[Positive, Positive, Positive]
T = TypeVar("T")


def _once(values: tuple[T, ...]) -> tuple[T, ...]:
    doubled = next((value for value in values if values.count(value) > 1), None)
    if doubled is not None:
        shown = f"{doubled:g}" if isinstance(doubled, float) else doubled
        raise ValueError(f"{shown} stands twice; name each once")
    return values


Distinct = Annotated[tuple[T, ...], AfterValidator(_once)]
"""A list in which nothing stands twice."""


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values never change, numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    version: ClassVar[int] = 1


def only_with(**others: Value | tuple[Value, ...]) -> dict[str, Any]:
    """Return what marks a key as one that has an effect only where other keys of its section have these values.

    It is given to `pydantic.Field` as ``json_schema_extra``.
    """
    return {"only_with": {name: values if isinstance(values, tuple) else (values,) for name, values in others.items()}}


def conditions_of(section: type[Section], name: str) -> dict[str, tuple[Value, ...]]:
    """Return under which values of other keys the key ``name`` has an effect; nothing where it always has one."""
    extra = section.model_fields[name].json_schema_extra
    return dict(extra.get("only_with", {})) if isinstance(extra, dict) else {}  # type: ignore[arg-type]


OF_VALIDATION: dict[str, Any] = {"of_validation": True}
"""What marks a key that, where it is not at its default, has something fitted to or chosen on validation cases.

It is given to `pydantic.Field` as ``json_schema_extra``.
"""


def rests_on_validation(section: type[Section], name: str) -> bool:
    """Whether the key ``name`` has something fitted to or chosen on validation cases; see `OF_VALIDATION`."""
    extra = section.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("of_validation", False))
