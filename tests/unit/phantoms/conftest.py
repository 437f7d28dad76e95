"""Studies, a head and its arteries that the tests of several phantoms share."""

from __future__ import annotations

import numpy as np
import pytest

from hakken.anatomy.head import Anatomy, draw_anatomy
from hakken.phantoms.aneurysm.arteries import Arteries, draw_arteries
from hakken.study import Study

from ..cohort.studies import study_of_heads


@pytest.fixture(scope="session")
def aneurysm_study() -> Study:
    """A study with a small phantom of aneurysms."""
    phantom = {
        "generator": "aneurysm",
        "cases": {"train": 20, "validation": 10, "test": 10},
        "shape_mm": [90, 100, 70],
        "spacing_mm": 1.0,
    }
    return Study.model_validate(
        {
            "name": "mra",
            "seed": 5,
            "cohort": {"phantom": phantom},
            "channels": {"TOF": {"modality": "mr"}},
            "reference": "TOF",
        }
    )


@pytest.fixture(scope="session")
def phantom_study() -> Study:
    """A study with a small coarse phantom of metastases."""
    return study_of_heads()


@pytest.fixture(scope="package")
def adult() -> Anatomy:
    """The head of an adult on coarse voxels."""
    return draw_anatomy((150, 180, 130), 2.5, 60, np.random.default_rng(1))


@pytest.fixture(scope="package")
def arteries(adult: Anatomy) -> Arteries:
    """The adult's arteries."""
    return draw_arteries(adult, np.random.default_rng(2))
