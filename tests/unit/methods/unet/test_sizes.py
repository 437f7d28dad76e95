"""The sizes of a U-Net in a study file: what fits together and what is said where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.methods.unet import Parameters
from hakken.methods.unet.sizes import Size, sizes_of
from hakken.networks.structure import Structure
from hakken.study import Study
from hakken.study.reading import parse_study


def polyps(**changes: Any) -> Study:
    content: dict[str, Any] = {
        "name": "polyps",
        "seed": 1,
        "method": "unet",
        "cohort": {"table": "cases.csv"},
        "channels": {"red": {"modality": "endoscopy"}},
        "parameters": {"poolings": 4, "sizes": {"levels": [3, 4, 5]}},
    }
    for section, values in changes.items():
        content[section] = content.get(section, {}) | values if isinstance(values, dict) else values
    return parse_study(content)


def sizes(**keys: Any) -> tuple[Size, ...]:
    parameters = polyps(parameters={"sizes": keys}).parameters
    assert isinstance(parameters, Parameters)
    return sizes_of(parameters.sizes, Structure.of(parameters))


def test_every_depth_with_every_width() -> None:
    found = sizes(levels=[3, 5], features=[0.5, 1.0])
    assert found == (Size(5), Size(5, 0.5), Size(3), Size(3, 0.5))
    assert [size.words for size in found[::3]] == ["5 levels", "3 levels, 0.5 of the maps"]


def test_without_sizes_there_is_the_whole_network() -> None:
    assert sizes() == (Size(5),)


def test_a_segmentation_study_draws_masks() -> None:
    study = polyps(search={"space": {"dropout": {"type": "real", "low": 0, "high": 0.5}}})
    assert study.drawn == ("segmentations", "search", "learnt")
    assert study.objective == "masks"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"parameters": {"poolings": 3, "sizes": {"levels": [3, 5]}}},
            "study: parameters.sizes.levels ends at 5, but parameters.poolings 3 gives 4 levels; the largest size is "
            "the whole network",
        ),
        (
            {"parameters": {"sizes": {"levels": [3, 3, 5]}}},
            "study: parameters.sizes.levels: 3 stands twice; name each once",
        ),
        (
            {"parameters": {"sizes": {"levels": [5], "features": [0]}}},
            "study: parameters.sizes.features.0: input should be greater than 0 (found 0)",
        ),
        (
            {"parameters": {"batch_norm": False, "sizes": {"levels": [3, 5], "scaling": "own"}}},
            "study: parameters.sizes.scaling: own scales and shifts stand behind a normalisation; set "
            "parameters.batch_norm",
        ),
        (
            {"parameters": {"sizes": {"levels": [3, 5], "drawn": "one", "distillation": True}}},
            "study: parameters.sizes.distillation: has an effect only where `drawn` is `sandwich` or `every`; it is "
            "`one`",
        ),
        (
            {"search": {"space": {"poolings": {"type": "integer", "low": 2, "high": 4}}}},
            "study: parameters.sizes.levels says how deep the network is; do not search `poolings` as well",
        ),
    ],
)
def test_what_does_not_fit_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(HakkenError) as error:
        polyps(**changes)
    assert str(error.value) == message
