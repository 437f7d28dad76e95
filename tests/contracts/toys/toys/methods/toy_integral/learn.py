"""Counting points."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from hakken.training.method import Data, Fitted
from hakken.training.players import Model


class Learner(Fitted):
    """How the points are counted, and what is recorded."""

    parameters: Any

    def fit(self, data: Data, seed: int) -> Model:
        """Return the area."""
        points = np.random.default_rng(seed).random((self.parameters.points, 2))
        return Model(values={"area": float((np.hypot(*points.T) < 1).mean()), "points": len(points)})

    def predict(self, model: Model, case: Any, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return the records."""
        error = abs(model.values["area"] - math.pi / 4)
        return {"records": {"error": error, "points": float(model.values["points"])}}
