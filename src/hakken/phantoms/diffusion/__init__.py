"""Phantom `diffusion`: volumes of voxels whose diffusion parameters are known, measured at some b values with noise.

A volume has regions; all voxels of a region have the same parameters, drawn evenly from their ranges, and each region
is measured at each signal-to-noise ratio. Nothing of anatomy is in it: the question is how well parameters are told
from signals.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from hakken.imaging.diffusion import Model, Range, check_ranges
from hakken.phantoms import Law
from hakken.study import Distinct, Phantom, Positive

LAW = Law(images="no image", scanners=("digital",), draws="items")


class Options(Phantom):
    """Keys of this phantom."""

    signal: Model = Field(default="ivim", description="Model of the signal: IVIM, or diffusional kurtosis (`dki`).")
    b_values: tuple[Annotated[float, Field(ge=0, le=10_000)], ...] = Field(
        default=(0, 10, 20, 40, 60, 80, 100, 200, 400, 600, 800),
        min_length=3,
        description="b values of the protocol in s/mm², 0 among them.",
    )
    snr: Distinct[Positive] = Field(
        default=(10, 20, 40, 80), min_length=1, description="Signal-to-noise ratios at b = 0 at which it is measured."
    )
    regions: int = Field(
        default=100, ge=2, le=10_000, description="Regions of a volume, each with parameters of its own."
    )
    voxels: int = Field(default=25, ge=1, le=10_000, description="Voxels of a region at each signal-to-noise ratio.")
    ranges: dict[str, Range] = Field(
        default={}, description="Ranges of D, D_star and f, or of D and K, by name; those of tissues by default."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if 0 not in self.b_values:
            raise ValueError("b_values must hold 0, which signals are normalised by")
        check_ranges(self.ranges, self.signal)
        return self
