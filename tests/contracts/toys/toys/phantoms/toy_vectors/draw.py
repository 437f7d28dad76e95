"""One vector."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hakken.core.seeds import derive_seed
from hakken.phantoms import PhantomCase, options_of
from hakken.study import Study
from toys.phantoms.toy_vectors import LENGTH, Options


@dataclass(frozen=True)
class Vector:
    """The vector and what is true of it."""

    values: Any
    truth: Mapping[str, Any]

    def files(self, study: Study) -> Mapping[str, Mapping[str, Any]]:
        """Return the one file."""
        return {"vector": {"values": self.values}}


def draw_case(case: PhantomCase, study: Study) -> Vector:
    """Return one case."""
    random = np.random.default_rng(derive_seed(study.seed, "vector", case.index))
    moved = options_of(study, Options).moved if case.lesions else 0.0
    return Vector(random.standard_normal(LENGTH) + moved, {"moved": moved})
