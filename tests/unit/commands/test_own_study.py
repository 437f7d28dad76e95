"""Studies as they are proposed from facts: they hold together, and say why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hakken import plugins
from hakken.commands.own_images import UNSEEN, ChannelFacts, Facts
from hakken.commands.own_study import proposed, scales, seed_of_name
from hakken.core.errors import HakkenError
from hakken.study import Study
from hakken.study.reading import parse_study
from hakken.training.failures import failure_reason

MR = ChannelFacts("mr", "the name `T1`", False, 0.0, 500.0)
SEEN = replace(UNSEEN, cases=40, examined=12, channels={"T1": MR, "T2": MR}, diameters_mm=(4.0, 6.0, 8.0, 9.0))
FLAT = replace(SEEN, flat=True, least_edge_voxel=288, diameters_mm=(60.0, 90.0))
LABELLED = replace(FLAT, truth="label", normal_cases=20, classes=("ill",), diameters_mm=())


def study_of(facts: Facts, method: str | None = None) -> tuple[Study, dict[str, str]]:
    content, reasons = proposed("mine", "data/mine/cases.csv", facts, method)
    for scale in content["scales"].values():  # each scale alone is a study too
        merged: dict[str, Any] = {**content, **{key: {**content[key], **keys} for key, keys in scale.items()}}
        parse_study({key: value for key, value in merged.items() if key != "scales"})
    return parse_study({key: value for key, value in content.items() if key != "scales"}), reasons


@pytest.mark.parametrize(
    ("facts", "method", "axes"),
    [(SEEN, "dense", 3), (FLAT, "dense", 2), (LABELLED, "autoencoder", 2)],
)
def test_the_method_is_what_the_truth_and_the_images_ask_for(facts: Facts, method: str, axes: int) -> None:
    study, reasons = study_of(facts)
    seen = study.parameters if method == "dense" else study.patches
    assert (study.method, seen.axes) == (method, axes)  # type: ignore[attr-defined]
    assert reasons["method"]


@pytest.mark.parametrize("facts", [UNSEEN, SEEN, FLAT, LABELLED])
@pytest.mark.parametrize("method", ["patch_classifier", "unet", "autoencoder", "projection_classifier", "dense"])
def test_its_network_can_be(facts: Facts, method: str) -> None:
    if method == "projection_classifier" and facts.flat:
        pytest.skip("projects cubes alone")
    study, _ = study_of(facts, method)
    learner = plugins.load("methods", method, "learn").Learner
    try:
        learner.require(study.parameters)
    except ValueError as error:
        pytest.fail(f"{failure_reason(error)}: {error}")
    if method != "dense":
        assert study.parameters.patch_size <= study.patches.size_voxel  # type: ignore[attr-defined]


def test_the_patch_holds_twice_a_large_lesion_within_limits() -> None:
    sizes = []
    for diameter in (1.0, 5.0, 10.0, 100.0):
        study, reasons = study_of(replace(SEEN, diameters_mm=(diameter,) * 5), "patch_classifier")
        sizes.append(study.patches.size_voxel)
        assert "twice the diameter that 90 % of 5 lesions stay below" in reasons["patches.size_voxel"]
    assert sizes == [12, 12, 20, 32]


@pytest.mark.parametrize(("cases", "positives", "negatives"), [(3, 40, 2000), (100, 10, 100), (2000, 8, 60)])
def test_small_cohorts_give_more_patches_of_each_case(cases: int, positives: int, negatives: int) -> None:
    """Four lesions were measured in the one examined case."""
    study, _ = study_of(replace(SEEN, cases=cases, examined=1, diameters_mm=(6.0,) * 4), "patch_classifier")
    patches = study.patches
    assert (patches.positives_per_lesion, patches.easy_negatives_per_case) == (positives, negatives)
    assert patches.hard_negatives_per_case == negatives


@pytest.mark.parametrize(("filling", "hit"), [(0.95, "distance"), (0.79, "inside")])
def test_the_hit_rule_follows_the_shape_of_the_lesions(filling: float, hit: str) -> None:
    study, reasons = study_of(replace(SEEN, filling=filling))
    assert study.outcomes["candidates"].hit == hit  # type: ignore[attr-defined]
    assert f"the median lesion has {filling:.0%} of itself in the ball of its size" in reasons["outcomes.candidates"]


def test_channels_on_other_grids_are_registered() -> None:
    assert study_of(SEEN)[0].registration.method == "none"
    assert study_of(replace(SEEN, aligned=False))[0].registration.method == "rigid"


def test_intensities_of_ct_and_pet_have_a_window() -> None:
    ct, pet = ChannelFacts("ct", "why", False, -987.0, 412.0), ChannelFacts("pet", "why", False, 0.01, 10.17)
    study, reasons = study_of(replace(SEEN, channels={"CT": ct, "PET": pet}))
    assert (study.channels["CT"].normalise, study.channels["CT"].range) == ("window", (-990.0, 420.0))
    assert study.channels["PET"].range == (0.0, 11.0)
    assert reasons["channels.CT"].endswith("99 % of the intensities lie between -990 and 420")


@pytest.mark.parametrize(
    ("facts", "baselines"),
    [
        (SEEN, ("brightness_peaks", "laplacian_blobs")),
        (LABELLED, ("pixel_statistics", "pca_reconstruction")),
    ],
)
def test_something_that_has_learnt_nothing_stands_beside_it(facts: Facts, baselines: tuple[str, ...]) -> None:
    study, reasons = study_of(facts)
    assert study.baselines == baselines
    assert reasons["baselines"].startswith("what has learnt nothing")


def test_nothing_of_another_paper_is_in_it() -> None:
    content, _ = proposed("mine", "t.csv", SEEN)
    assert not {"published", "variants", "scaling"} & content.keys()
    assert content["outcomes"]["candidates"]["operating_point"] == 1
    assert 8.4 not in content["outcomes"]["candidates"]["at"]
    assert content["seed"] == seed_of_name("mine") != seed_of_name("other")


def test_a_method_without_images_is_refused() -> None:
    with pytest.raises(HakkenError, match="--method parameter_regression: it learns from no images; begin with"):
        proposed("mine", "t.csv", SEEN, "parameter_regression")


def test_scales_name_only_what_has_an_effect() -> None:
    assert scales("mean_classifier", searched=False) == {"tiny": {}, "small": {}, "paper": {}}
    assert set(scales("unet", searched=True)["tiny"]) == {"search", "training"}


def test_a_channel_that_some_cases_lack_is_optional_where_the_method_can_do_without() -> None:
    facts = replace(SEEN, channels={"T1": MR, "FLAIR": replace(MR, lacking=7)})
    study, reasons = study_of(facts)
    assert (study.optional, study.reference) == (("FLAIR",), "T1")
    assert reasons["channels.FLAIR"] == "modality: the name `T1`; 7 of 40 cases lack it: optional"
    labelled, reasons = study_of(replace(LABELLED, channels=facts.channels))
    assert (labelled.method, labelled.optional) == ("autoencoder", ())
    assert reasons["channels.FLAIR"].endswith(
        "; 7 of 40 cases lack it: its method needs all, so remove the channel or the cases"
    )
