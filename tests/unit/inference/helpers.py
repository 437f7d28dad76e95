"""Networks with lively weights, and the slow way to evaluate them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import pad

from hakken.inference.maps import ScoreMap
from hakken.networks.patch_cnn import PatchClassifier
from hakken.networks.structure import Structure


def lively_network(dimensions: int = 3, channels: int = 2, classes: int = 2, **values: Any) -> PatchClassifier:
    """Return a network in evaluation mode whose normalisations are not the identity, so that a slip would show."""
    torch.manual_seed(1)
    structure = Structure(**{"base_features": 3, "dense_units": 5, **values})
    network = PatchClassifier(channels, dimensions, structure, classes)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm3d):
            for values_ in (layer.running_mean, layer.weight, layer.bias):
                nn.init.normal_(values_)  # type: ignore[arg-type]
            nn.init.uniform_(layer.running_var, 0.5, 2)  # type: ignore[arg-type]
    return network.eval()


def patch_by_patch(network: PatchClassifier, image: torch.Tensor, points: ScoreMap) -> NDArray[np.float32]:
    """Return the scores at the points of a map, each from a patch that holds the point at index patch // 2."""
    shape = network.patch_shape
    padded = pad(image, [margin for edge in reversed(shape) for margin in (edge, edge)])
    scores = []
    for place in points.to_voxel(np.argwhere(np.ones(points.array.shape))).astype(int):
        start = [voxel - edge // 2 + edge for voxel, edge in zip(place, shape, strict=True)]
        cut = tuple(slice(low, low + edge) for low, edge in zip(start, shape, strict=True))
        with torch.inference_mode():
            logits = network(padded[(slice(None), *cut)][None]).flatten()
        scores.append(1 - torch.softmax(logits, 0)[0].item())
    return np.array(scores, np.float32).reshape(points.array.shape)
