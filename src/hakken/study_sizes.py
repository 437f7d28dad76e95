"""The part of a study that says between which sizes of one network is chosen after its training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from hakken.study_section import Section

Levels = Annotated[int, Field(ge=1, le=6)]
Fraction = Annotated[float, Field(gt=0, le=1)]


class Sizes(Section):
    """The sizes at which one `unet` is trained and measured, every depth with every width.

    Each mini-batch runs at one of them, drawn by the step's seed (structural dropout), or at several (`distillation`).
    """

    levels: tuple[Levels, ...] = Field(
        default=(), description="Numbers of levels; none: all that `parameters.poolings` gives, and no others."
    )
    features: tuple[Fraction, ...] = Field(
        default=(1.0,), min_length=1, description="Fractions of the feature maps of each level."
    )
    distillation: bool = Field(
        default=False,
        description="Each mini-batch runs at the largest size, which learns from the truth, and at the smallest and "
        "one in between, which learn from the largest (Yu and Huang 2019); about three times the work of a step.",
    )

    @property
    def several(self) -> bool:
        """Whether there is more than one size, so that a mini-batch may leave weights out."""
        return len(self.levels) > 1 or len(self.features) > 1

    @field_validator("levels", "features")
    @classmethod
    def _distinct(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        doubled = next((value for value in values if values.count(value) > 1), None)
        if doubled is not None:
            raise ValueError(f"{doubled:g} stands twice; name each size once")
        return values
