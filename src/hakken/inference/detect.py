"""From a network and a case to candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates, extract_candidates
from hakken.inference.dense import score_map
from hakken.networks.patch_cnn import PatchClassifier
from hakken.study import Inference
from hakken.volume import Geometry


def detect(
    network: PatchClassifier, image: NDArray[Any], mask: NDArray[Any], geometry: Geometry, settings: Inference
) -> Candidates:
    """Return the candidates of one case: ``image`` (c, z, y, x) and ``mask`` (z, y, x) on ``geometry``.

    Raises FloatingPointError when the network gives scores that are not finite.
    """
    scores = score_map(
        network,
        torch.from_numpy(np.array(image)),  # a copy: what is mapped from disk cannot be written to
        stride_voxel=settings.stride_voxel,
        memory_mb=settings.memory_mb,
        mask=mask,
    )
    if not np.isfinite(scores.array).all():
        raise FloatingPointError("the network's scores are not finite")
    return extract_candidates(
        scores,
        geometry,
        threshold=settings.threshold,
        suppression_mm=settings.suppression_mm,
        maximum=settings.maximum_candidates,
    )


def detect_prepared(network: PatchClassifier, case: PreparedCase, settings: Inference) -> Candidates:
    """Return the candidates of a prepared case."""
    return detect(network, case.image(), case.mask(), case.geometry, settings)
