"""Phantom `liver_eob`: gadoxetate-enhanced MR of the liver in five phases, up to six lesions of five classes a case."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hakken.phantoms import Law
from hakken.phantoms._options import Sized

PHASES = ("pre", "arterial", "portal", "transitional", "hepatobiliary")
CLASSES = ("hcc", "metastasis", "haemangioma", "cyst", "scar")
REGIONS = ("trunk", "liver")

LAW = Law(
    images="five channels, the phases of gadoxetate-enhanced liver MR: " + ", ".join(PHASES),
    scanners=("A", "B", "C", "D"),
    lesion_free=0.125,
    lesion_counts=(0.18, 0.18, 0.18, 0.17, 0.15, 0.14),
    channels=len(PHASES),
    names=PHASES,
    regions=REGIONS,
)


class Options(Sized):
    """Keys of this phantom."""

    motion_mm: float = Field(
        default=4.0,
        ge=0,
        le=20,
        description="How far the arterial phase lies from the hepatobiliary one at most, anywhere, in mm; the other "
        "phases lie nearer.",
    )
    contrast: Literal["classes", "random_sign"] = Field(
        default="classes",
        description="How lesions look: `classes`, each with the enhancement of its class; `random_sign`, without "
        "classes, bright or dark in each phase by a coin, so that only all phases together tell what a lesion is.",
    )
