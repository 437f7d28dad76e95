"""Draws a case with the generator that the study names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hakken.cohort.phantom import angiogram, chest_pet_ct, drawing, endoscopy, head_ct, liver_ct
from hakken.cohort.phantom.cohort import PhantomCase, phantom_of
from hakken.study import Study
from hakken.volume import Volume


class Drawn(Protocol):
    """One case: int16 lesion labels on the reference channel's grid, n for lesion n, and what is true (for JSON)."""

    @property
    def lesions(self) -> Volume:
        """The labels."""
        ...

    @property
    def truth(self) -> dict[str, Any]:
        """Plain values."""
        ...

    def images(self, study: Study) -> dict[str, Volume]:
        """Return the images of the study's channels, int16, or float32 where the unit is not (SUV)."""
        ...


DRAWERS: dict[str, Callable[[PhantomCase, Study], Drawn]] = {
    "brain_metastasis": drawing.draw_case,
    "aneurysm": angiogram.draw_case,
    "head_ct": head_ct.draw_case,
    "chest_pet_ct": chest_pet_ct.draw_case,
    "endoscopy": endoscopy.draw_case,
    "liver_phases": liver_ct.draw_case,
}


def draw(case: PhantomCase, study: Study) -> Drawn:
    """Draw one case; it depends on the study's seed and phantom and on the case alone, and so does every byte."""
    return DRAWERS[phantom_of(study).generator](case, study)
