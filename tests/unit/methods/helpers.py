"""A miniature study: noise with bright balls as lesions, small enough to train in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hakken import plugins
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared
from hakken.study import Study
from hakken.study.reading import parse_study

GEOMETRY = Geometry((22, 26, 24), (1.5, 1.5, 1.5), (-11.0, 7.0, 30.0), (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
RADIUS = 2.5  # voxels
CONTENT: dict[str, Any] = {
    "name": "balls",
    "seed": 5,
    "method": "patch_classifier",
    "cohort": {"table": "cases.csv"},
    "channels": {"A": {"modality": "mr"}, "B": {"modality": "mr"}},
    "reference": "A",
    "preparation": {"spacing_mm": [1.5, 1.5, 1.5], "mask": "none"},
    "patches": {
        "size_voxel": 9,
        "margin_voxel": 2,
        "positives_per_lesion": 8,
        "easy_negatives_per_case": 40,
        "hard_negatives_per_case": 8,
    },
    "search": {"space": {"learning_rate": {"type": "real", "low": 0.005, "high": 0.05, "scale": "log"}}},
    "training": {"steps": 12, "validate_every": 4, "checkpoint_seconds": 1000},
}
PARAMETERS = {
    "patch_size": 9,
    "batch_size": 16,
    "base_features": 4,
    "convolutions": 2,
    "poolings": 1,
    "dense_units": 8,
    "learning_rate": 0.02,
}
"""Of these a method takes those that it has."""


def study(**changes: Any) -> Study:
    """Return the study; ``changes`` replace keys of its sections, as in ``training={"steps": 3}``, or its method."""
    known = plugins.load("methods", changes.get("method", CONTENT["method"])).Parameters.model_fields
    content = CONTENT | {"parameters": {key: value for key, value in PARAMETERS.items() if key in known}}
    for section, values in changes.items():
        content[section] = content.get(section, {}) | values if isinstance(values, dict) else values
    return parse_study(content)


def prepare_case(folder: Path, name: str, places: list[tuple[float, float, float]]) -> PreparedCase:
    """Write a case with balls of `RADIUS` voxels at ``places`` (z, y, x) and return it."""
    noise = np.random.default_rng(sum(map(ord, name))).normal(0, 0.3, (2, *GEOMETRY.shape_zyx))
    labels = np.zeros(GEOMETRY.shape_zyx, np.int16)
    grid = np.moveaxis(np.indices(GEOMETRY.shape_zyx), 0, -1)
    for number, place in enumerate(places, start=1):
        labels[((grid - place) ** 2).sum(-1) <= RADIUS**2] = number
    volume = 4 / 3 * np.pi * RADIUS**3 * GEOMETRY.voxel_mm3
    lesions = tuple(
        Lesion(number, *GEOMETRY.to_world([place])[0].tolist(), 2 * RADIUS * 1.5, volume)
        for number, place in enumerate(places, start=1)
    )
    case = PreparedCase(
        case_id=name,
        patient=name,
        channels=("A", "B"),
        geometry=GEOMETRY,
        source_geometry=GEOMETRY,
        normalisation={},
        pixel_digest=name,
        has_truth=True,
        lesions=lesions,
    )
    return save_prepared(folder, case, noise + 2 * (labels > 0), np.ones(GEOMETRY.shape_zyx), labels)
