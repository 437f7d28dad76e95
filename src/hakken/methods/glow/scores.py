"""The scores that two flows give a case, and which of them is best on validation cases.

Each is high for what is abnormal by what it says, and stays so: an AUC below one half is what it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from hakken.evaluation.optimism import Optimism, optimism, replicated_areas
from hakken.methods.glow import Score

SCORES: tuple[Score, ...] = get_args(Score)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What the flows say of a case, over its windows, in bits per dimension of a window.

    ``likelihood`` is minus log2 of its probability by the flow of normal cases, ``two_flows`` by how much that is above
    the one by the flow of the mixture (None without it), ``compression`` by how much it is above the size of its
    compressed grey levels; ``latent`` is the mean square of the latents, 1 where they are standard normal.
    """

    likelihood: float
    two_flows: float | None
    latent: float
    compression: float

    @classmethod
    def over_windows(cls, seen: Sequence[Seen], how: str) -> Seen:
        """Return the ``mean``, the 99th percentile (``p99``) or the ``max`` of each number over windows."""
        mixed = [one.two_flows for one in seen if one.two_flows is not None]
        return cls(
            likelihood=_over([one.likelihood for one in seen], how),
            two_flows=_over(mixed, how) if mixed else None,
            latent=_over([one.latent for one in seen], how),
            compression=_over([one.compression for one in seen], how),
        )

    def scores(self, normal: float | None) -> dict[str, float]:
        """Return the scores by name; that of the distance where the mean likelihood of ``normal`` cases is known."""
        found = asdict(self) | {"distance": None if normal is None else abs(self.likelihood - normal)}
        return {name: found[name] for name in SCORES if found[name] is not None}


def _over(values: Sequence[float], how: str) -> float:
    if how == "p99":
        return float(np.percentile(values, 99))
    return float(np.max(values) if how == "max" else np.mean(values))


def compressed_bits(levels: NDArray[np.uint8]) -> float:
    """Return the bits a value that the grey levels of a window have once they are compressed (zlib, level 9)."""
    return 8 * len(zlib.compress(np.ascontiguousarray(levels).tobytes(), 9)) / levels.size


@dataclass(frozen=True)
class Choice:
    """The ``best`` score on validation, the AUC of each of them there, and what choosing among them costs."""

    best: str
    areas: Mapping[str, float]
    cost: Optimism


def choose(
    scores: Mapping[str, Floats], abnormal: NDArray[np.bool_], patient: NDArray[np.int64], *, resamples: int, seed: int
) -> Choice:
    """Return the score with the highest AUC of the cases (n,), the first of equals.

    The choice is repeated on resamples of the patients (`hakken.evaluation.optimism`). Raises ValueError where the
    cases are all normal or all abnormal.
    """
    names = [*scores]
    values, drawn, skipped = replicated_areas(
        abnormal, patient, np.array([scores[name] for name in names]), resamples, seed
    )
    cost = optimism(values, drawn, resamples=resamples, skipped=skipped, seed=seed, bounds=(0.0, 1.0))
    return Choice(names[cost.chosen], dict(zip(names, values.tolist(), strict=True)), cost)


def recorded(choice: Choice) -> dict[str, Any]:
    """Return a choice as plain values: names, the naive AUC, and that corrected for the choice."""
    areas = {f"validation_auc_{name}": value for name, value in choice.areas.items()}
    return {
        **areas,
        "validation_auc_chosen": choice.cost.naive.value,
        "validation_auc_chosen_corrected": choice.cost.corrected.value,
    }
