"""A number that was learnt has one beside it that was not, or a reason why there is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.study.beside import default_baselines, fitting
from hakken.study.reading import parse_study

IMAGES: dict[str, Any] = {
    "name": "t",
    "seed": 1,
    "method": "autoencoder",
    "cohort": {"table": "cases.csv"},
    "channels": {"A": {"modality": "ct"}},
}

FOLDER = Path(plugins.__file__).parent / "baselines"
SCORING = sorted(
    path.stem for path in FOLDER.glob("*.py") if re.search(r'(?m)^OUTCOMES = .*"case_scores"', path.read_text())
)
"""The baselines whose text says that they score cases."""


def test_a_study_that_names_none_has_those_of_its_outcome() -> None:
    assert parse_study(IMAGES).baselines == ("pixel_statistics",)
    assert parse_study(IMAGES | {"evaluation": {"objective": "candidates"}}).baselines == ("brightness_peaks",)
    assert parse_study(IMAGES | {"method": "dense"}).baselines == ("brightness_peaks",)
    assert parse_study(IMAGES | {"method": "unet"}).baselines == ("colour_threshold",)
    named = parse_study(IMAGES | {"baselines": ["pca_reconstruction"]})
    assert named.baselines == ("pca_reconstruction",)


def test_what_was_filled_in_is_read_again_as_it_is() -> None:
    study = parse_study(IMAGES)
    again = parse_study(study.model_dump(mode="json", exclude_defaults=True))
    assert again.baselines == study.baselines


def test_a_reason_leaves_them_out() -> None:
    study = parse_study(IMAGES | {"without_baseline": "a rehearsal"})
    assert (study.baselines, study.without_baseline) == ((), "a rehearsal")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"baselines": []},
            "baselines: none is named, and the models are chosen by `case_scores`; name one of "
            f"{', '.join(SCORING)}, or say in `without_baseline` why there is none",
        ),
        (
            {"baselines": ["mean_shape", "class_priors"]},
            "baselines: `mean_shape` and `class_priors` give no case_scores, and the models are chosen by "
            "`case_scores`; name one of ",
        ),
        (
            {"baselines": ["pixel_statistics"], "without_baseline": "none is needed"},
            "without_baseline: gives a reason for none, but `baselines` names pixel_statistics; remove one of both",
        ),
    ],
)
def test_a_study_that_lacks_one_is_told_which_there_are(change: dict[str, Any], said: str) -> None:
    with pytest.raises(HakkenError) as stopped:
        parse_study(IMAGES | change)
    assert f"study: {said}" in str(stopped.value)
    assert {"pixel_statistics", "pca_reconstruction", "brightness_peaks"} < set(SCORING)


def test_a_misspelt_one_is_told_by_its_name_alone() -> None:
    with pytest.raises(HakkenError) as stopped:
        parse_study(IMAGES | {"baselines": ["pixel_statistic"]})
    assert str(stopped.value).startswith("study: baselines: no baseline `pixel_statistic`, there are ")
    assert "\n" not in str(stopped.value)


def test_baselines_of_images_are_none_of_items() -> None:
    assert "pixel_statistics" not in fitting("case_scores", "items")
    assert default_baselines("records", "none") == ()
    assert default_baselines("numbers", "items") == ("prior_mean",)


@pytest.mark.parametrize("outcome", plugins.names("outcomes"))
def test_what_an_outcome_names_gives_it(outcome: str) -> None:
    named = plugins.literals("outcomes", outcome).get("BASELINES", ())
    assert set(named) <= {name for kind in ("images", "items") for name in fitting(outcome, kind)}
