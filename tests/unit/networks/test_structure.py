from __future__ import annotations

import pytest

from hakken import plugins
from hakken.networks.structure import Structure


@pytest.mark.parametrize("name", ["autoencoder", "expectation", "patch_classifier", "projection_classifier", "unet"])
def test_the_default_structure_is_that_of_a_study(name: str) -> None:
    assert Structure.of(plugins.load("methods", name).Parameters()) == Structure()


def test_a_structure_is_what_parameters_have_of_it() -> None:
    class Some:
        kernel = 5
        learning_rate = 0.1

    assert Structure.of(Some()) == Structure(kernel=5)
