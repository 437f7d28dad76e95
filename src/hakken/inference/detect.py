"""From a map of scores over a case to its candidates."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from hakken.core.volume import Geometry
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates, extract_candidates
from hakken.inference.component_tree import labelled
from hakken.inference.maps import ScoreMap


class Settings(Protocol):
    """How peaks become candidates."""

    @property
    def suppression_mm(self) -> float: ...  # noqa: D102

    @property
    def maximum_candidates(self) -> int: ...  # noqa: D102


def pixels_of(case: PreparedCase) -> torch.Tensor:
    """Return the channels (c, z, y, x) of a case, float16, in memory."""
    return torch.from_numpy(np.array(case.image()))  # a copy: what is mapped from disk cannot be written to


def candidates_of(
    scores: ScoreMap,
    geometry: Geometry,
    settings: Settings,
    *,
    threshold: float,
    at_points: bool = False,
    prominence: float | None = None,
) -> Candidates:
    """Return the candidates of a score map; see `extract_candidates`.

    Of probabilities a ``prominence`` in logits says by how much a peak must stand above where it meets a higher one to
    be a candidate of its own (`hakken.inference.component_tree`). Raises FloatingPointError when the scores are not
    finite.
    """
    if not np.isfinite(scores.array).all():
        raise FloatingPointError("the network's scores are not finite")
    parts = None if prominence is None else labelled(scores.array, threshold=threshold, prominence=prominence)
    return extract_candidates(
        scores,
        geometry,
        threshold=threshold,
        suppression_mm=settings.suppression_mm,
        maximum=settings.maximum_candidates,
        at_points=at_points,
        branches=parts,
    )
