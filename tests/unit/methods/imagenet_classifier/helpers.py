"""A miniature study of classes, its cases, and a network that needs no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared

CLASSES = ("dark", "bright")
CONTENT: dict[str, Any] = {
    "name": "crops",
    "seed": 1,
    "method": "imagenet_classifier",
    "cohort": {"table": "cases.csv", "truth": "lesion_table", "classes": list(CLASSES)},
    "channels": {name: {"modality": "ct", "normalise": "window", "range": [0, 1]} for name in ("r", "g", "b")},
    "reference": "b",
    "patches": {"axes": 2, "size_voxel": 16},
    "parameters": {"network": "efficientnet_lite0", "input_size": 32, "patch_size": 12, "batch_size": 4},
}


def case_of(folder: Path, number: int, lesion_class: str, *, diameter: float = 8.0) -> PreparedCase:
    """A prepared case of 12 x 24 x 24 voxels of 2 mm with a lesion in its middle."""
    geometry = Geometry((12, 24, 24), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    x, y, z = geometry.to_world([(6, 12, 10)])[0].tolist()
    case = PreparedCase(
        case_id=f"c{number}",
        patient=f"p{number}",
        channels=("r", "g", "b"),
        geometry=geometry,
        source_geometry=geometry,
        normalisation={},
        pixel_digest="",
        has_truth=True,
        lesions=(Lesion(1, x, y, z, diameter, 100.0, lesion_class=lesion_class),),
    )
    image = np.full((3, 12, 24, 24), 0.2 if lesion_class == "dark" else 0.8, np.float32)
    labels = np.zeros((12, 24, 24), np.int16)
    labels[5:8, 11:14, 9:12] = 1
    return save_prepared(folder, case, image, np.ones((12, 24, 24), bool), labels)


class Brightness(nn.Module):
    """Calls a crop by its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        mean = (crops.mean((1, 2, 3)) - 0.5) * 10 * self.weight
        return torch.stack([-mean, mean], 1)
