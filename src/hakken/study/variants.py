"""The part of a study that trains it in variants: ablations, grids of networks, depths trained apart."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from hakken.study.section import Section, Value

LABEL = r"[A-Za-z0-9][A-Za-z0-9_.]*"
Label = Annotated[str, Field(pattern=f"^{LABEL}$")]
Overrides = dict[str, Any]
"""Dotted keys of the study, such as `training.steps`, and their values in a variant."""


class Sweep(Section):
    """A factor that is one key with several values."""

    key: str = Field(description="A dotted key of the study, such as `parameters.snr`.")
    values: tuple[Value | None, ...] = Field(min_length=1, description="Its values, one level each.")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(self.levels) < len(self.values):
            raise ValueError("a value stands twice in `values`, or two are written alike")
        return self

    @property
    def levels(self) -> dict[str, Overrides]:
        """The levels by name."""
        return {_label(value): {self.key: value} for value in self.values}


class VariantSet(Section):
    """The study once for each combination of the levels of some factors, each trained with the untuned default.

    A level is a mapping of dotted keys to values; an empty one is the study as it stands.
    """

    factors: dict[Label, Sweep | Annotated[dict[Label, Overrides], Field(min_length=1)]] = Field(
        min_length=1,
        description="What differs: of each factor its levels, `name: {dotted.key: value}`, or `{key, values}`.",
    )
    beside: dict[Label, Overrides] = Field(
        default={},
        description="Variants beside the combinations of the factors, trained and measured in the same way: what all "
        "of them must beat, say.",
    )
    common: Overrides = Field(default={}, description="Dotted keys that all combinations of the factors share.")
    folds: int | None = Field(
        default=None,
        ge=2,
        le=20,
        description="Each variant is trained once for each fold of the patients of train and validation, without early "
        "stopping, and predicts that fold. Without this it trains on `train` and is measured on `part`.",
    )
    part: Literal["validation", "test"] = Field(
        default="validation",
        description="Where variants without folds are measured; those of `test` are frozen with the other models.",
    )
    drawn: str | None = Field(
        default=None,
        description="What figures show of the variants: a row of the measurement; the objective by default.",
    )
    published: dict[str, float] = Field(
        default={}, description="What the publication reports of what is drawn, by whom."
    )
    provenance: Literal["publication", "reconstruction"] = Field(
        default="reconstruction", description="Whether the publication names these levels or they are reconstructed."
    )

    @field_validator("factors", mode="before")
    @classmethod
    def _labelled(cls, factors: Any) -> Any:
        for name, levels in factors.items() if isinstance(factors, dict) else ():
            if levels == {}:
                raise ValueError(f"the factor `{name}` has no levels; name some, or remove it")
            if isinstance(levels, dict) and not isinstance(levels.get("key"), str):
                _check_labels(name, levels)
        return factors

    @field_validator("beside", mode="before")
    @classmethod
    def _labelled_beside(cls, beside: Any) -> Any:
        if isinstance(beside, dict):
            _check_labels("beside", beside)
        return beside

    @model_validator(mode="after")
    def _apart(self) -> Self:
        changed: dict[str, str] = {}
        for name, levels in self.levels.items():
            for key in dict.fromkeys(key for overrides in levels.values() for key in overrides):
                if key in changed:
                    raise ValueError(f"the factors `{changed[key]}` and `{name}` both change `{key}`; let one do it")
                if key in self.common and all(key in overrides for overrides in levels.values()):
                    raise ValueError(f"`common` changes `{key}` without effect: so does every level of `{name}`")
                changed[key] = name
        return self

    @model_validator(mode="after")
    def _sealed(self) -> Self:
        if self.folds is not None and self.part == "test":
            raise ValueError("folds are of the development cases; remove `folds` or `part: test`")
        return self

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that its variants name."""
        levels = [overrides for levels in self.levels.values() for overrides in levels.values()]
        return tuple(str(one["method"]) for one in (*levels, *self.beside.values(), self.common) if "method" in one)

    @property
    def levels(self) -> dict[str, dict[str, Overrides]]:
        """The levels of each factor by name."""
        return {
            name: factor.levels if isinstance(factor, Sweep) else dict(factor) for name, factor in self.factors.items()
        }


def _check_labels(factor: str, levels: dict[Any, Any]) -> None:
    """Raise ValueError where a level has no name that a file can have, or nothing behind it."""
    for label, overrides in levels.items():
        if not isinstance(label, str):
            raise ValueError(f'{factor}: the level {label!r} is no text; write it in quotes: "{label}"')
        if not re.fullmatch(LABEL, label):
            raise ValueError(
                f"{factor}: `{label}` is no name of a level: it is made of letters A to Z, digits, `_` and `.`, and "
                "begins with a letter or a digit"
            )
        if overrides is None:
            raise ValueError(f"{factor}: the level `{label}` is empty; write {{}} for the study as it stands")


def _label(value: Value | None) -> str:
    """Return a value as the name of a level.

    >>> _label(0.5), _label(True), _label(20), _label(None)
    ('0.5', 'true', '20', 'none')
    """
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
