"""What is known of an examination beside its images: weight, time after injection, where the arms lay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from hakken.core.seeds import derive_seed
from hakken.phantoms import PhantomCase

LEAN_KG = {"F": 46.0, "M": 56.0}
FAT_KG = 42.0
MINUTES = (50, 95)
ARMS_UP = 0.7
USUAL_MINUTES, USUAL_AGE = 65.0, 60.0


@dataclass(frozen=True)
class Facts:
    """Weight in kg, minutes from injection to scan, and the arms; ``stout``, 0 to 1, is how much fat there is."""

    weight: float
    minutes: int
    arms: Literal["up", "down"]
    stout: float

    @property
    def cells(self) -> Mapping[str, str]:
        """The facts as columns of the case table."""
        return {"weight": f"{self.weight:g}", "minutes": str(self.minutes), "arms": self.arms}


def facts_of(case: PhantomCase, seed: int) -> Facts:
    """Return the facts of a case; all examinations of a patient have the same body."""
    body = Random(derive_seed(seed, "phantom facts", case.body))
    own = Random(derive_seed(seed, "phantom facts", f"{case.origin} examination"))
    stout = body.betavariate(1.6, 1.6)
    weight = LEAN_KG[case.sex] + FAT_KG * stout + body.gauss(0, 3)
    arms: Literal["up", "down"] = "up" if own.random() < ARMS_UP else "down"
    return Facts(round(weight, 1), own.randint(*MINUTES), arms, stout)
