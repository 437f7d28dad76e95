"""From a network and a case to candidates."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hakken.imaging.prepared import PreparedCase
from hakken.inference.anomaly import anomaly_map
from hakken.inference.candidates import Candidates, extract_candidates
from hakken.inference.dense import ScoreMap, score_map
from hakken.inference.projection import projection_score_map
from hakken.networks.autoencoder import ConvAutoencoder
from hakken.networks.patch_cnn import PatchClassifier
from hakken.networks.projection_cnn import ProjectionClassifier
from hakken.study import Inference
from hakken.volume import Geometry

LEAST_ERROR = 1e-30
"""Errors have no scale of their own: every point that was evaluated may hold a candidate, those outside score 0."""


def detect(
    network: nn.Module, image: NDArray[Any], mask: NDArray[Any], geometry: Geometry, settings: Inference
) -> Candidates:
    """Return the candidates of one case: ``image`` (c, z, y, x) and ``mask`` (z, y, x) on ``geometry``.

    Raises FloatingPointError when the network gives scores that are not finite.
    """
    pixels = torch.from_numpy(np.array(image))  # a copy: what is mapped from disk cannot be written to
    scores = scores_of(network, pixels, mask, settings)
    if not np.isfinite(scores.array).all():
        raise FloatingPointError("the network's scores are not finite")
    return extract_candidates(
        scores,
        geometry,
        threshold=background_of(network, settings),
        suppression_mm=settings.suppression_mm,
        maximum=settings.maximum_candidates,
        at_points=isinstance(network, ConvAutoencoder),
    )


@singledispatch
def scores_of(network: nn.Module, image: torch.Tensor, mask: NDArray[Any], settings: Inference) -> ScoreMap:
    """Return the scores of ``image`` (c, z, y, x) on a lattice inside ``mask`` (z, y, x), as the network needs."""
    raise TypeError(f"no score map for a {type(network).__name__}")


@scores_of.register
def _(network: PatchClassifier, image: torch.Tensor, mask: NDArray[Any], settings: Inference) -> ScoreMap:
    return score_map(network, image, stride_voxel=settings.stride_voxel, memory_mb=settings.memory_mb, mask=mask)


@scores_of.register
def _(network: ProjectionClassifier, image: torch.Tensor, mask: NDArray[Any], settings: Inference) -> ScoreMap:
    return projection_score_map(
        network, image, stride_voxel=settings.stride_voxel, memory_mb=settings.memory_mb, mask=mask
    )


@scores_of.register
def _(network: ConvAutoencoder, image: torch.Tensor, mask: NDArray[Any], settings: Inference) -> ScoreMap:
    return anomaly_map(
        network,
        image,
        stride_voxel=settings.stride_voxel,
        memory_mb=settings.memory_mb,
        mask=mask,
        least_inside=settings.least_inside,
    )


@singledispatch
def background_of(network: nn.Module, settings: Inference) -> float:
    """Return the score below which a point is background: the study's own threshold where scores are probabilities."""
    return settings.threshold


@background_of.register
def _(network: ConvAutoencoder, settings: Inference) -> float:
    return LEAST_ERROR


def detect_prepared(network: nn.Module, case: PreparedCase, settings: Inference) -> Candidates:
    """Return the candidates of a prepared case."""
    return detect(network, case.image(), case.mask(), case.geometry, settings)
