"""Two middles."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from hakken.training.method import Data, Fitted
from hakken.training.players import Model


class Learner(Fitted):
    """How the middles are found, and the score of a case."""

    parameters: Any

    def fit(self, data: Data, seed: int) -> Model:
        """Return both middles."""
        cases = data.items()
        vectors = np.array([_values(case) for case in cases])
        abnormal = np.array([case.abnormal for case in cases])
        middles = np.array([vectors[~abnormal].mean(0), vectors[abnormal].mean(0)])
        middles += self.parameters.shrink * (middles.mean(0) - middles)
        return Model(values={"normal": middles[0].tolist(), "abnormal": middles[1].tolist()})

    def predict(self, model: Model, case: Any, wanted: Collection[str]) -> Mapping[str, Any]:
        """Return by how much a vector is nearer to the abnormal ones."""
        far = [float(np.linalg.norm(_values(case) - np.array(model.values[kind]))) for kind in ("normal", "abnormal")]
        return {"case_scores": far[0] - far[1]}


def _values(case: Any) -> Any:
    with np.load(case.file("vector")) as arrays:
        return arrays["values"]
