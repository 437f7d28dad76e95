"""Phantom `liver_phases`: liver CT unenhanced, early and late after contrast agent, one tumour of five classes each.

Of 215 patients in Yamada et al., IJCARS 2019;14:1281, 6, 58, 109, 29 and 13 had each class.
"""

from __future__ import annotations

from pydantic import Field

from hakken.phantoms import Law
from hakken.phantoms._options import Moved
from hakken.study import Name, Positive

LAW = Law(
    images="three channels, the phases of liver CT: unenhanced, early and late",
    channels=3,
    names=("unenhanced", "early", "late"),
    regions=("trunk", "liver"),
    kinds=(("early", 6), ("well", 58), ("moderate", 109), ("poor", 29), ("non_hcc", 13)),
)


class Options(Moved):
    """Keys of this phantom."""

    class_frequencies: dict[Name, Positive] | None = Field(
        default=None, description="How frequent each class of lesion is, in any unit. Default: as published."
    )

    @property
    def frequencies(self) -> dict[str, float] | None:
        """How frequent each class of lesion is."""
        return self.class_frequencies
