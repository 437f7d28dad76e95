"""Phantom `chest_xray`: frontal chest X-rays, one channel, half of them with masses or what else is asked for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hakken.phantoms import Law
from hakken.phantoms._options import Sized
from hakken.study import Spacing
from hakken.study.section import Distinct

LAW = Law(
    images="one channel, a frontal chest X-ray",
    lesion_free=0.5,
    lesion_counts=(0.8, 0.15, 0.05),
)

Diameter = Annotated[float, Field(ge=4, le=60)]
Finding = Literal["mass", "effusion", "large_heart", "mirrored_heart"]


class Options(Sized):
    """Keys of this phantom."""

    shape_mm: Spacing = Field(default=(360.0, 360.0, 1.0), description="Width and height of the detector in mm, and 1.")
    spacing_mm: float = Field(default=0.3515625, ge=0.2, le=8, description="Edge of a pixel of the detector in mm.")
    findings: Distinct[Finding] = Field(
        default=("mass",),
        min_length=1,
        description="What abnormal images show, each as often as the others: `mass`, `effusion`, `large_heart`, "
        "`mirrored_heart`.",
    )
    diameters_mm: tuple[Diameter, Diameter] = Field(
        default=(8.0, 35.0),
        description="Diameter of the smallest and of the largest mass on the detector in mm; as many per octave.",
    )

    @model_validator(mode="after")
    def _smallest_first(self) -> Self:
        if self.diameters_mm[0] >= self.diameters_mm[1]:
            raise ValueError("`diameters_mm` must be [smallest, largest]")
        return self
