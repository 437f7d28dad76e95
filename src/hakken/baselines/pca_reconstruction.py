"""A linear baseline of anomaly detection: how badly principal components of normal images reconstruct a case.

The box around a case's mask is averaged down to a small grid, flat images to 32 x 32, volumes to 16 x 16 x 16 cells a
channel. The components are those of the normal training cases; how many are kept has the highest AUC on validation. The
score is the root of the mean squared error of reconstruction. After Turk and Pentland, Eigenfaces for recognition,
J Cogn Neurosci 1991 (the distance from face space), the linear case of an autoencoder (Bourlard and Kamp, 1988).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.baselines._box import averaged, box_of
from hakken.core.errors import HakkenError
from hakken.imaging.cases import Case, image
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Part, in_order
from hakken.outcomes.case_scores import objective
from hakken.study import Study

OUTCOMES = ("case_scores",)
CASES = "images"
TRAINING = True
COUNTS = (0, 1, 2, 4, 8, 16, 32, 64)
"""How many components are tried; with none the score is the distance from the mean image."""
FLAT, VOLUME = (1, 32, 32), (16, 16, 16)

Floats = NDArray[np.float64]


def fit(cases: Sequence[Case], study: Study, training: Sequence[Case]) -> dict[str, Any]:
    """Return mean and components, the number of which has the highest AUC, the first of equals.

    Raises HakkenError where fewer than two training cases are normal, and where the validation cases are all normal or
    all abnormal.
    """
    normal = [image(case) for case in in_order(training) if not case.abnormal]
    if len(normal) < 2:
        raise HakkenError(
            f"baseline `pca_reconstruction`: {len(normal)} of {len(training)} training cases are normal, and "
            "components need two; add normal cases to the part `train`, or leave the baseline out"
        )
    part = Part(study, in_order(cases), study.outcomes["case_scores"])
    rows = np.stack([vector(case) for case in normal])
    mean = rows.mean(0)
    components = np.linalg.svd(rows - mean, full_matrices=False)[2][: len(normal) - 1]
    known = {case.case_id: vector(case) for case in part.images}
    tried = {}
    for count in COUNTS:
        if count <= len(components):
            scores = {case_id: error(found, mean, components[:count]) for case_id, found in known.items()}
            tried[str(count)] = objective(scores, part)
    best = int(max(tried, key=tried.__getitem__))
    return {"mean": mean.tolist(), "components": components[:best].tolist(), "tried": tried}


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the error of reconstruction of a case."""
    mean = np.array(values["mean"], float)
    components = np.array(values["components"], float).reshape(-1, len(mean))
    return {"case_scores": error(vector(image(case)), mean, components)}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"error of reconstruction from {len(values['components'])} principal components of normal images"


def vector(case: PreparedCase) -> Floats:
    """Return the channels that every case has, on the small grid, as one row (channels x cells,)."""
    places = [case.channels.index(name) for name in case.complete]
    channels = case.image()[(places, *box_of(case))]
    return averaged(channels, FLAT if case.geometry.is_flat else VOLUME).ravel().astype(np.float64)


def error(found: Floats, mean: Floats, components: Floats) -> float:
    """Return the root of the mean squared error of a row (d,) once it is reconstructed from ``components`` (k, d)."""
    centred = found - mean
    return float(np.sqrt(np.mean((centred - components.T @ (components @ centred)) ** 2)))
