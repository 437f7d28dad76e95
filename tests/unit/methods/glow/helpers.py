"""A miniature study of flows: flat images of a gradient and noise, those of ill cases with a smooth block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared
from hakken.methods.glow.learn import Learner
from hakken.runs.learner import learner_of
from hakken.study import Study
from hakken.study.reading import parse_study

PARAMETERS = {"patch_size": 8, "levels": 2, "depth": 2, "width": 4, "batch_size": 4, "learning_rate": 0.01, "bits": 4}


def study(channels: dict[str, Any] | None = None, **parameters: Any) -> Study:
    """Return the study with other parameters; ``inference`` among them is its section."""
    inference = parameters.pop("inference", {})
    return parse_study(
        {
            "name": "blocks",
            "seed": 5,
            "method": "glow",
            "cohort": {"table": "cases.csv"},
            "channels": channels or {"XR": {"modality": "xray", "normalise": "window", "range": [0, 255]}},
            "preparation": {"spacing_mm": [1, 1, 1], "mask": "none"},
            "parameters": PARAMETERS | parameters,
            "inference": inference,
            "training": {"steps": 12, "validate_every": 6, "checkpoint_seconds": 1000},
        }
    )


def learner(**parameters: Any) -> Learner:
    found = learner_of(study(**parameters))
    assert isinstance(found, Learner)
    return found


def prepare(
    folder: Path, name: str, *, ill: bool = False, shape: tuple[int, int, int] = (1, 8, 8), masked: bool = True
) -> PreparedCase:
    """Write a case and return it; its digest is its name, its mask leaves out the last column where it is `masked`."""
    random = np.random.default_rng([*map(ord, name)])
    _, y, x = np.indices(shape)
    pixels = 0.2 + 0.05 * y + 0.1 * random.random(shape)
    if ill:
        pixels[:, 2:6, 2:6] = 0.9
    geometry = Geometry(shape, (1.0, 1.0, 1.0))
    labels = ((pixels == 0.9) & ill).astype(np.int16)
    lesions = (Lesion(1, 0.0, 0.0, 0.0, 4.0, 16.0),) if ill else ()
    case = PreparedCase(
        case_id=name,
        patient=name,
        channels=("XR",),
        geometry=geometry,
        source_geometry=geometry,
        normalisation={},
        pixel_digest=name,
        has_truth=True,
        lesions=lesions,
    )
    folder.mkdir(exist_ok=True)
    return save_prepared(folder, case, pixels[None], (x < shape[2] - masked).astype(np.uint8), labels)
