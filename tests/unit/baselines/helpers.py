"""Prepared pictures of three colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hakken.core.volume import Geometry
from hakken.imaging.prepared import PreparedCase, save_prepared


def case_of(
    folder: Path, name: str, image: np.ndarray, labels: np.ndarray, mask: np.ndarray | None = None
) -> PreparedCase:
    """A case of the channels red, green, blue, as many as ``image`` (c, z, y, x) has."""
    geometry = Geometry((int(labels.shape[0]), int(labels.shape[1]), int(labels.shape[2])))
    channels = ("red", "green", "blue")[: len(image)]
    case = PreparedCase(name, name, channels, geometry, geometry, {}, name, has_truth=True)
    inside = np.ones(labels.shape, np.uint8) if mask is None else mask
    return save_prepared(folder, case, image, inside, labels)
