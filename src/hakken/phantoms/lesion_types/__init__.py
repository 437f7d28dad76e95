"""Phantom `lesion_types`: a piece of tissue with one lesion of three kinds that look like nothing of each other.

`bright`: bright on dark, coarse tissue. `dark`: dark on bright tissue of fine grain. `ring`: a bright rim about a core
that is darker than the mid-grey tissue around it.
"""

from __future__ import annotations

from pydantic import Field

from hakken.phantoms import Law
from hakken.phantoms._options import Sized
from hakken.study import Name, Positive

LAW = Law(
    images="one channel, a piece of tissue with a lesion",
    kinds=(("bright", 1), ("dark", 1), ("ring", 1)),
)


class Options(Sized):
    """Keys of this phantom."""

    class_frequencies: dict[Name, Positive] | None = Field(
        default=None, description="How frequent each class of lesion is, in any unit. Default: equally."
    )

    @property
    def frequencies(self) -> dict[str, float] | None:
        """How frequent each class of lesion is."""
        return self.class_frequencies
