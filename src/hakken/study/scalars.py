"""Numbers and words of a case that a method sees beside its images, each as a channel that is the same everywhere."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from hakken.core.errors import HakkenError
from hakken.study.section import Name, Section


class Scalar(Section):
    """A column of the case table whose cells are numbers within stated limits, or words of a stated list."""

    range: tuple[float, float] | None = Field(
        default=None, description="Two numbers that become 0 and 1; others follow on the same line."
    )
    limits: tuple[float, float] | None = Field(
        default=None, description="The least and the greatest number that can be; any other stops the run."
    )
    words: dict[str, float] = Field(
        default={}, description="Instead of `range` and `limits`: what each word becomes, such as `{F: 0, M: 1}`."
    )
    unit: str = Field(default="", description="Unit of the numbers, for messages.")
    header: Literal["weight", "minutes", "age", "sex"] | None = Field(
        default=None,
        description="What the DICOM header of the first PET channel (else of the reference) tells where the table has "
        "no such column or the cell is empty: `weight` in kg, `minutes` from the injection to the scan, `age` in "
        "years, `sex` (F, M or O).",
    )

    @model_validator(mode="after")
    def _numbers_or_words(self) -> Self:
        if bool(self.words) == (self.range is not None) or (self.range is None) != (self.limits is None):
            raise ValueError("give `range` and `limits` of numbers, or `words`, and not both")
        for name, ends in (("range", self.range), ("limits", self.limits)):
            if ends is not None and not ends[0] < ends[1]:
                raise ValueError(f"`{name}` must be [low, high] with low < high")
        if self.words and len({word.casefold() for word in self.words}) < len(self.words):
            raise ValueError("`words` differ in capitals alone, which cells are read without; rename one")
        return self

    def read(self, name: str, cell: str) -> float:
        """Return what a cell of the column ``name`` says, as the study counts it.

        Raises HakkenError, "reason; remedy", for an empty cell, what is no number or lies outside of the limits, and a
        word that the study does not know.

        >>> Scalar(range=(50, 90), limits=(20, 300), unit="kg").read("weight", "70")
        70.0
        >>> Scalar(words={"F": 0, "M": 1}).read("sex", "m")
        1.0
        """
        if not cell:
            more = f", or have DICOM headers asked by `scalars.{name}.header`" if self.header is None else ""
            raise HakkenError(f"the cell is empty, and the method sees this value; fill it in{more}")
        if self.words:
            known = {word.casefold(): value for word, value in self.words.items()}
            if cell.casefold() not in known:
                there = ", ".join(self.words)
                raise HakkenError(
                    f"`{cell}` is none of {there}; write one of them, or add it to `scalars.{name}.words`"
                )
            return float(known[cell.casefold()])
        assert self.limits is not None
        unit = f" {self.unit}" if self.unit else ""
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise HakkenError(f"`{cell}` is no number; write a number{f' in {self.unit}' if unit else ''}")
        low, high = self.limits
        if not low <= value <= high:
            reason = f"{value:g}{unit} lies outside of {low:g} to {high:g}{unit}"
            raise HakkenError(f"{reason}; correct it, or widen `scalars.{name}.limits`")
        return value

    def normalised(self, value: float) -> float:
        """Return what the method sees of a value.

        >>> Scalar(range=(50, 90), limits=(20, 300)).normalised(70)
        0.5
        """
        low, high = self.range or (0.0, 1.0)
        return (value - low) / (high - low)


Apart = Literal["kidneys", "ureters", "bladder"]
APART: tuple[Apart, ...] = ("kidneys", "ureters", "bladder")
LEVELS = ("head", "neck", "chest", "abdomen", "pelvis", "thighs")
BODY_REGIONS = (*LEVELS, *APART)
"""What the regions of the body are called; number n (1, 2, ...) in maps of them."""


class BodyRegions(Section):
    """Named regions of the body, found on CT by landmarks; see `hakken.imaging.body_regions`."""

    channel: Name = Field(description="The channel of CT that they are found on.")
    apart: tuple[Apart, ...] = Field(
        default=APART,
        description="Regions whose uptake is urine: candidates and lesions there are counted apart and neither as "
        "found nor as false positives of the others.",
    )
