"""The sizes of a network in a study file: what fits together and what is said where it does not."""

from __future__ import annotations

from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.networks.unet import Size, sizes_of
from hakken.study import Study
from hakken.study.reading import parse_study


def polyps(**changes: Any) -> Study:
    content: dict[str, Any] = {
        "name": "polyps",
        "seed": 1,
        "task": "segmentation",
        "cohort": {"table": "cases.csv"},
        "channels": {"red": {"modality": "endoscopy"}},
        "reference": "red",
        "parameters": {"poolings": 4},
        "training": {"network": "unet", "sizes": {"levels": [3, 4, 5]}},
    }
    for section, values in changes.items():
        content[section] = content.get(section, {}) | values if isinstance(values, dict) else values
    return parse_study(content)


def test_every_depth_with_every_width() -> None:
    study = polyps(training={"sizes": {"levels": [3, 5], "features": [0.5, 1.0]}})
    found = sizes_of(study.training.sizes, study.parameters)
    assert found == (Size(5), Size(5, 0.5), Size(3), Size(3, 0.5))
    assert [size.words for size in found[::3]] == ["5 levels", "3 levels, 0.5 of the maps"]


def test_without_sizes_there_is_the_whole_network() -> None:
    study = polyps(training={"sizes": {}})
    assert sizes_of(study.training.sizes, study.parameters) == (Size(5),)


def test_a_segmentation_study_draws_masks_and_sizes() -> None:
    assert polyps().figures == ("segmentations", "sizes", "search", "learnt")
    assert polyps().objective == "mean Dice"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"poolings": 3}}, "training.sizes.levels ends at 5, but parameters.poolings 3 gives 4 levels"),
        ({"training": {"sizes": {"levels": [3, 3, 5]}}}, "3 stands twice; name each size once"),
        ({"training": {"sizes": {"levels": [5], "features": [0]}}}, "features"),
        (
            {"search": {"space": {"poolings": {"type": "integer", "low": 2, "high": 4}}}},
            "training.sizes.levels says how deep the network is; do not search `poolings` as well",
        ),
        ({"figures": ["anomalies"]}, "the figure `anomalies` is one of the task `anomaly`"),
        ({"training": {"network": "patch_cnn"}}, "unet"),
        (
            {"task": "detection", "training": {"network": "patch_cnn"}, "figures": ["sizes"]},
            "the figure `sizes` is one of the task `segmentation`; remove it from `figures`",
        ),
        (
            {"task": "detection", "training": {"network": "patch_cnn"}, "patches": {"jitter_voxel": 3}},
            "`patches.jitter_voxel` is for the task `segmentation`",
        ),
    ],
)
def test_what_does_not_fit_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(HakkenError) as error:
        polyps(**changes)
    assert message in str(error.value)
