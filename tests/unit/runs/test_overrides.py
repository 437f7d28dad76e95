"""A variant is the study with other values of some keys, and says what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.runs.overrides import overridden
from hakken.runs.table import variant_runs
from hakken.study import Study

from ..miniature import study, without


def changed(overrides: dict[str, Any], chosen: Study | None = None, whole: bool = False) -> Study:
    return overridden(chosen or study(), overrides, "grid-a", whole)


def test_without_overrides_it_is_the_study_itself() -> None:
    chosen = study()
    assert overridden(chosen, {}, "search") is chosen


def test_dotted_keys_are_set_and_everything_else_stays() -> None:
    found = changed({"parameters.dropout": 0.4, "training.steps": 3, "inference.threshold": 0.3})
    assert found == study(parameters={"dropout": 0.4}, training={"steps": 3}, inference={"threshold": 0.3})


def test_a_value_may_be_a_mapping_and_a_section_that_the_study_leaves_out_is_begun() -> None:
    whole = without("training")
    assert changed({"training": {"steps": 5}}, study(whole)) == study(whole, training={"steps": 5})
    assert changed({"training.steps": 5}, study(whole)) == study(whole, training={"steps": 5})


def test_the_study_is_not_changed() -> None:
    chosen = study()
    changed({"parameters.dropout": 0.4}, chosen)
    assert chosen == study()


def test_a_variant_has_no_variants() -> None:
    chosen = study(variants={"grid": {"factors": {"rate": {"key": "parameters.dropout", "values": [0.1]}}}})
    assert changed({"parameters.dropout": 0.1}, chosen) == study(parameters={"dropout": 0.1})


def test_another_method_begins_at_its_own_defaults_and_keeps_the_measured_outcome() -> None:
    chosen = study(outcomes={"candidates": {"hit": "fixed:5"}}, inference={"threshold": 0.3})
    found = changed({"method": "projection_classifier", "parameters.patch_size": 9}, chosen)
    assert (found.method, list(found.outcomes), found.search.space) == ("projection_classifier", ["candidates"], {})
    assert found.outcomes == chosen.outcomes
    assert found.parameters == type(found.parameters)(patch_size=9)  # type: ignore[call-arg]
    assert found.inference == type(found.inference)()
    assert found.training == chosen.training


def test_the_method_that_it_has_already_changes_nothing() -> None:
    assert changed({"method": "patch_classifier"}) == study()


@pytest.mark.parametrize("key", ["preparation.margin_mm", "patches.size_voxel", "seed", "cohort.table", "channels.A"])
def test_keys_that_all_variants_share_may_not_vary(key: str) -> None:
    with pytest.raises(HakkenError) as caught:
        changed({key: 1})
    assert str(caught.value) == (
        f"study `balls`, variant `grid-a`: {key}: a variant changes method, parameters, inference or training, for all "
        "variants share the prepared cases; copy the study to change anything else"
    )


def test_a_misspelt_section_is_told_the_nearest() -> None:
    with pytest.raises(HakkenError, match="share the prepared cases; did you mean `parameters`"):
        changed({"parameter.dropout": 0.1})


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"parameters.dropuot": 0.1}, "parameters.dropuot: unknown key; did you mean `dropout`?"),
        ({"parameters.dropout": 2}, "parameters.dropout: input should be less than 1 (found 2)"),
        ({"training.steps": "many"}, "training.steps: input should be a valid integer"),
        ({"method": "patch_clasifier"}, "no method `patch_clasifier`"),
    ],
)
def test_a_key_that_does_not_exist_or_has_a_wrong_value_is_named_with_the_variant(
    overrides: dict[str, Any], reason: str
) -> None:
    with pytest.raises(HakkenError) as caught:
        changed(overrides)
    said = str(caught.value)
    assert said.startswith("study `balls`, variant `grid-a`: ")
    assert reason in said
    assert said.endswith("\ncorrect the variant's keys in `variants`")


def test_whether_all_of_it_fits_together_is_asked_of_whole_studies_alone() -> None:
    overrides = {"parameters.loss": "cross_entropy", "parameters.focal_gamma": 1.0}
    assert changed(overrides).parameters.focal_gamma == 1.0  # type: ignore[attr-defined]
    with pytest.raises(HakkenError) as caught:
        changed(overrides, whole=True)
    assert str(caught.value) == (
        "study `balls`, variant `grid-a`: parameters.focal_gamma: has an effect only where `loss` is `focal`; "
        "it is `cross_entropy`\ncorrect the variant's keys in `variants`"
    )


def test_the_search_of_the_study_says_nothing_of_what_a_variant_is_trained_with() -> None:
    # Neither averages nor searched parameters are the variant's: they must not have it refused.
    chosen = study(
        parameters={"loss": "focal"},
        search={"space": {"focal_gamma": {"type": "real", "low": 0, "high": 3}}, "ensemble": 3},
    )
    found = changed({"parameters.loss": "cross_entropy"}, chosen, whole=True)
    assert (found.search, found.parameters.loss) == (chosen.search, "cross_entropy")  # type: ignore[attr-defined]
    whole = without("parameters", "search", "patches")
    dense = study(
        whole, method="dense", search={"ensemble": 3, "space": {"dice": {"type": "real", "low": 0, "high": 1}}}
    )
    assert changed({"parameters.second_stage": True}, dense, whole=True).search.ensemble == 3


def test_what_another_key_leaves_without_effect_may_be_switched_off() -> None:
    own = {"classes": True, "apart": True}
    cohort = {"table": "cases.csv", "classes": ["x", "y"]}
    chosen = study(without("parameters", "search", "patches"), method="dense", cohort=cohort, parameters=own)
    with pytest.raises(HakkenError, match=r"parameters\.apart: has an effect only where `classes` is `true`"):
        changed({"parameters.classes": False}, chosen, whole=True)
    found = changed({"parameters.classes": False, "parameters.apart": False}, chosen, whole=True)
    assert (found.parameters.classes, found.parameters.apart) == (False, False)  # type: ignore[attr-defined]


def test_two_methods_that_learn_from_other_patches_cannot_be_variants_of_each_other() -> None:
    with pytest.raises(HakkenError) as caught:
        changed({"method": "autoencoder", "parameters.patch_size": 8})
    assert str(caught.value) == (
        "study `balls`, variant `grid-a`: the method `autoencoder` learns from other patches than `patch_classifier`; "
        "copy the study to a new name and give it that method there"
    )


def test_a_method_that_does_not_give_what_is_measured_is_no_variant() -> None:
    with pytest.raises(HakkenError) as caught:
        changed({"method": "unet"})
    assert str(caught.value) == (
        "study `balls`, variant `grid-a`: study: outcomes: the method `unet` gives no candidates; it gives masks\n"
        "correct the variant's keys in `variants`"
    )


def test_a_whole_section_would_reset_its_other_keys() -> None:
    with pytest.raises(HakkenError) as caught:
        changed({"training": {"steps": 5}})
    assert str(caught.value).endswith(
        "variant `grid-a`: training: would reset all other keys of the section; write each key by itself, as "
        "`training.steps`"
    )


def test_patches_of_a_variant_alone_are_no_mistake_of_the_others() -> None:
    """Runs of the study's own method, those of `scaling` as well as its variants, leave them aside."""
    patches = {"method": "patch_classifier", "parameters.patch_size": 9}
    other = {"patches": patches, "slow": {"parameters.learning_rate": 1e-4}}
    whole = without("parameters", "search")
    chosen = study(whole, method="dense", variants={"beside": {"factors": {"method": other}}})
    assert changed({"parameters.learning_rate": 1e-4}, chosen, whole=True).method == "dense"
    assert changed(patches, chosen, whole=True).patches == chosen.patches
    assert [run.study(chosen, whole=True).method for run in variant_runs(chosen)] == ["patch_classifier", "dense"]
