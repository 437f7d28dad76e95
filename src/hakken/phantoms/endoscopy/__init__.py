"""Phantom `endoscopy`: frames of colonoscopy with polyps, channels red, green and blue."""

from __future__ import annotations

from pydantic import Field

from hakken.phantoms import Law
from hakken.phantoms._options import Sized

LAW = Law(
    images="three channels, the colours red, green and blue of a colonoscopy",
    channels=3,
    lesion_free=0.1,
    lesion_counts=(0.88, 0.12),
)


class Options(Sized):
    """Keys of this phantom."""

    frames: int = Field(default=1, ge=1, le=100, description="Frames of a sequence, which is one patient.")

    @property
    def frames_of_a_patient(self) -> int:
        """How many cases in a row are the frames of one sequence."""
        return self.frames
